//! A run for people: lines while it goes on, a table at its end.

use std::time::Duration;

use indicatif::ProgressBar;
use selkey::load::{Goal, Interval, Plan, Report, Times};

use crate::cli::output::{say, styled};

/// The quantiles that are told, and their names.
pub const QUANTILES: [(f64, &str); 6] =
    [(0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9"), (0.9999, "p99.99"), (1.0, "max")];

/// What is kept of an interval.
pub struct Row {
    pub from: Duration,
    pub time: Duration,
    pub messages: u64,
    pub rate: f64,
    /// As `QUANTILES`; `None` where nothing was answered.
    pub latency: Option<[Duration; 6]>,
    pub errors: u64,
}

impl Row {
    pub fn of(interval: &Interval) -> Row {
        let Interval { from, tally, .. } = interval;
        Row {
            from: *from,
            time: tally.elapsed,
            messages: tally.messages,
            rate: tally.rate(),
            latency: (tally.messages > 0).then(|| quantiles(&tally.latency)),
            errors: tally.errors.total(),
        }
    }

    pub fn to(&self) -> Duration {
        self.from + self.time
    }
}

pub fn quantiles(times: &Times) -> [Duration; 6] {
    QUANTILES.map(|(part, _)| times.quantile(part))
}

/// What is seen while it runs.
pub struct Shown {
    goal: Goal,
    lines: bool,
    /// The first line, which is told when there is a second one.
    first: Option<String>,
    bar: Option<ProgressBar>,
}

impl Shown {
    /// Says what will be measured, if it is for people.
    pub fn new(plan: &Plan, what: &str, is_for_people: bool, lines: bool) -> Shown {
        if is_for_people {
            say(format_args!("{}", headline(plan, what)));
        }
        Shown { goal: plan.goal, lines: is_for_people && lines, first: None, bar: None }
    }

    pub fn interval(&mut self, row: &Row) {
        let line = line(row);
        let is_first = row.from.is_zero();
        if is_first {
            self.first = Some(line);
            return;
        }
        let bar = self.bar.get_or_insert_with(|| bar(&self.goal));
        match self.goal {
            Goal::For(_) => bar.set_position(row.to().as_millis() as u64),
            Goal::Messages(_) => bar.inc(row.messages),
        }
        if self.lines {
            bar.suspend(|| {
                if let Some(first) = self.first.take() {
                    say(format_args!(
                        "{:>9} {:>12} {:>10} {:>10} {:>10}",
                        "seconds", "messages/s", "p50", "p99", "max"
                    ));
                    say(format_args!("{first}"));
                }
                say(format_args!("{line}"));
            });
        }
    }

    pub fn clear(&mut self) {
        self.bar.iter().for_each(ProgressBar::finish_and_clear);
    }
}

fn line(row: &Row) -> String {
    let [p50, _, p99, .., max] = row.latency.map_or(QUANTILES.map(|_| "-".to_owned()), |latency| latency.map(time));
    let errors = if row.errors > 0 { format!("  {} errors", row.errors) } else { String::new() };
    let (to, rate) = (row.to().as_secs_f64(), row.rate);
    format!("{to:>9.2} {rate:>12.0} {p50:>10} {p99:>10} {max:>10}{errors}")
}

/// Draws on a terminal only.
fn bar(goal: &Goal) -> ProgressBar {
    let (bar, template) = match goal {
        Goal::For(time) => (ProgressBar::new(time.as_millis() as u64), "{wide_bar} {percent} %"),
        Goal::Messages(number) => (ProgressBar::new(*number), "{wide_bar} {pos} of {len}, {eta} left"),
    };
    styled(bar, template)
}

fn headline(plan: &Plan, what: &str) -> String {
    let times = match plan.goal {
        Goal::For(time) => format!("for {time:?}"),
        Goal::Messages(number) => format!("{number} messages"),
    };
    let plural = |number: usize, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
    let (connections, threads) = (plural(plan.connections, "connection"), plural(plan.threads, "thread"));
    let again = plan.per_connection.filter(|&number| number > 1).map(|number| format!(" anew after {number} messages"));
    let (address, again, in_flight) = (&plan.address, again.unwrap_or_default(), plan.in_flight);
    let mode = match plan.rate {
        None => "closed loop".to_owned(),
        Some(rate) => format!("open loop at {rate}/s, latency from the intended send time"),
    };
    format!("{what} at {address}: {connections}{again}, {in_flight} in flight, {threads}, {times}; {mode}")
}

/// To three or four digits, in the unit that fits.
pub fn time(time: Duration) -> String {
    format!("{time:.1?}")
}

/// The table at the end.
pub fn report(plan: &Plan, report: &Report) {
    let tally = &report.tally;
    let row = |name: &str, cells: [String; 6]| {
        let cells: String = cells.iter().map(|cell| format!("{cell:>11}")).collect();
        say(format_args!("{name:<12}{cells}"));
    };
    if tally.messages > 0 {
        row("", QUANTILES.map(|(_, name)| name.to_owned()));
        row("latency", quantiles(&tally.latency).map(time));
    }
    if tally.delay.count() > 0 {
        row("sent late", quantiles(&tally.delay).map(time));
    }
    let (seconds, rate) = (tally.elapsed.as_secs_f64(), tally.rate());
    let mega = |bytes: u64| bytes as f64 / seconds.max(1e-9) / 1e6;
    let (sent, received) = (mega(tally.sent), mega(tally.received));
    say(format_args!("throughput  {rate:.0} messages/s, {sent:.2} MB/s sent, {received:.2} MB/s received"));
    say(format_args!("messages    {} in {seconds:.3} s{}", tally.messages, missing(report)));
    if plan.per_connection.is_some() {
        let rate = tally.connected as f64 / seconds.max(1e-9);
        say(format_args!("connections {} made, {rate:.0}/s", tally.connected));
    }
    if let Some(tcp) = &report.tcp {
        let (least, most) = (tcp.rtt.first().copied().unwrap_or_default(), tcp.rtt.last().copied().unwrap_or_default());
        let (least, median, most) = (time(least), time(tcp.median_rtt()), time(most));
        let (sample, again) = (tcp.rtt.len(), tcp.retransmits);
        say(format_args!(
            "tcp         rtt {least} least, {median} median, {most} most of {sample}; {again} retransmits"
        ));
    }
    for (failure, count, first) in tally.errors.iter() {
        say(format_args!("errors      {count} {failure}: {first}"));
    }
}

fn missing(report: &Report) -> String {
    let (tally, mut text) = (&report.tally, String::new());
    for (number, what) in [(tally.unanswered, "sent and not answered"), (tally.unsent, "due and never sent")] {
        if number > 0 {
            text += &format!(", {number} {what}");
        }
    }
    if report.stopped { text + ", stopped" } else { text }
}
