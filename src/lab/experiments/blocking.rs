//! blocking: what three ways to wait for a message cost.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use crate::lab::ground::{PATIENCE, comes_true, pair};
use crate::lab::{Axis, Claim, Experiment, Figure, Finding, Seen, Series, Shape, Trial, Unit};
use crate::select::{NONE, select};
use crate::socket::{Flags, Socket, Transfer, pause, receive_with, send};
use crate::sys::probe::thread_time;

pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "blocking",
    question: "What does it cost to wait for a message: blocking, spinning, or with select?",
    claims: &[
        Claim {
            says: "A blocking receive sleeps: while nothing comes it takes next to no processor time.",
            expected: "less than 0.1 of the wait, one or two system calls",
            control: "a non-blocking receive, again and again",
            check: blocking_sleeps,
        },
        Claim {
            says: "select sleeps, too.",
            expected: "less than 0.1 of the wait, one or two system calls",
            control: "a timeout of 0, again and again",
            check: select_sleeps,
        },
        Claim {
            says: "A spinning receiver asks in vain thousands of times for one message.",
            expected: "more than 1000 receives",
            control: "a blocking receive",
            check: spinning_asks_in_vain,
        },
    ],
    explanation: "A blocking receive puts the thread to sleep inside the kernel until bytes come. select does the same for many sockets at once, for one \
        more system call per message. A non-blocking receive answers at once, with EWOULDBLOCK where nothing is there; who asks again and \
        again keeps a processor busy for nothing.\n\n\
        A sleeper must be woken, which takes some microseconds, so on an idle machine with processors to spare the spinner may answer \
        sooner. Where two of them share a processor it is far worse: each burns its time slice while the one it waits for cannot run.\n\n\
        So: one connection and nothing else to do, block. Many connections, let a selector sleep for all of them, with non-blocking sockets, and \
        receive only from those that it reports. Spin only where a processor is set aside for it (see SO_BUSY_POLL, which spins in the kernel).",
    sources: &[
        "recv(2)",
        "select(2)",
        "socket(7), SO_RCVTIMEO and SO_BUSY_POLL",
        "clock_gettime(2), CLOCK_THREAD_CPUTIME_ID",
    ],
};

/// How to wait for a message.
#[derive(Clone, Copy, Debug)]
enum Manner {
    Blocking,
    Spinning,
    Selecting,
    /// select with a timeout of 0.
    Polling,
}

impl Manner {
    /// Receives one byte, and counts its system calls. No byte is an error: `UnexpectedEof`, `TimedOut`.
    fn receive(self, socket: &Socket, calls: &AtomicUsize) -> io::Result<()> {
        let end = Instant::now() + PATIENCE;
        let (flags, timeout) = match self {
            Manner::Blocking => (Flags::NONE, None),
            Manner::Spinning => (Flags::DONTWAIT, None),
            Manner::Selecting => (Flags::DONTWAIT, Some(PATIENCE)),
            Manner::Polling => (Flags::DONTWAIT, Some(Duration::ZERO)),
        };
        while Instant::now() < end {
            if let Some(timeout) = timeout {
                calls.fetch_add(1, Relaxed);
                if select([socket], NONE, NONE, timeout)?.0.is_empty() {
                    continue;
                }
            }
            calls.fetch_add(1, Relaxed);
            match receive_with(socket, &mut [0], flags)? {
                Transfer::Moved(_) => return Ok(()),
                Transfer::Closed => return Err(io::ErrorKind::UnexpectedEof.into()),
                Transfer::Pending => {}
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }
}

/// How long the message of a wait is put off.
const WAIT: Duration = Duration::from_millis(200);
/// A spinner makes more system calls than this in the wait, and a sleeper by far fewer.
const MANY: usize = 1000;

/// Waits for a message that comes after [`WAIT`]: the share of that time for which this thread kept a processor busy, and its system calls.
fn wait(manner: Manner) -> io::Result<(f64, usize)> {
    let (ours, theirs) = pair(|_, _| Ok(()))?;
    let calls = &AtomicUsize::new(0);
    let this_thread = fs::read_link("/proc/thread-self").map(|link| Path::new("/proc").join(link)).ok();
    thread::scope(move |scope| {
        let (start, before) = (Instant::now(), thread_time()?);
        scope.spawn(move || {
            pause(WAIT)?;
            // Where others want the processor, the receiver may not have begun.
            comes_true(|| Ok(calls.load(Relaxed) > MANY || this_thread.as_deref().is_none_or(sleeps)))?;
            send(&theirs, b"!")
        });
        manner.receive(&ours, calls)?;
        let used = thread_time()? - before;
        Ok((used.as_secs_f64() / start.elapsed().as_secs_f64(), calls.load(Relaxed)))
    })
}

/// Whether a thread sleeps, by its directory in /proc; yes where that does not tell.
fn sleeps(thread: &Path) -> bool {
    let stat = fs::read_to_string(thread.join("stat"));
    // The state stands behind the name, which ends with the last bracket: proc_pid_stat(5).
    stat.ok().and_then(|stat| stat.rsplit(") ").next().map(|rest| rest.starts_with('S'))).unwrap_or(true)
}

fn blocking_sleeps(trial: &mut Trial) -> Finding {
    takes_little(trial, trial.turn(Manner::Blocking, Manner::Spinning))
}

fn select_sleeps(trial: &mut Trial) -> Finding {
    takes_little(trial, trial.turn(Manner::Selecting, Manner::Polling))
}

fn takes_little(trial: &mut Trial, manner: Manner) -> Finding {
    let (share, calls) = wait(manner)?;
    trial.measure("processor time of the wait", share, Unit::Share);
    trial.measure("system calls", calls as f64, Unit::Count);
    Ok(Seen { found: format!("{share:.4} of the wait, {calls} system calls"), holds: share < 0.1 && calls < MANY })
}

fn spinning_asks_in_vain(trial: &mut Trial) -> Finding {
    let ways = [Manner::Blocking, Manner::Spinning, Manner::Selecting];
    let (mut shares, mut times, mut calls) = (Vec::new(), Vec::new(), Vec::new());
    for (at, manner) in (0..).map(f64::from).zip(ways) {
        let (share, made) = wait(manner)?;
        shares.push((at, share));
        times.push((at, round_trip(manner)?.as_secs_f64() * 1e6));
        calls.push(made);
    }
    let mut draw = |title: &str, label: &str, points| {
        let names = ways.map(|manner| format!("{manner:?}").to_lowercase());
        let series = vec![Series { name: label.into(), points }];
        let (x, y) = (Axis::names("way to wait", names), Axis::linear(label));
        trial.figure(Figure { title: title.into(), x, y, shape: Shape::Bars, series });
    };
    draw("While nothing comes", "share of a processor", shares);
    draw("A byte there and one back, both ends waiting alike", "median (µs)", times);
    let calls = trial.turn(calls[1], calls[0]);
    Ok(Seen { found: format!("receives: {calls}"), holds: calls > MANY })
}

/// The median of as many round trips as fit into a tenth of a second.
fn round_trip(manner: Manner) -> io::Result<Duration> {
    let (ours, theirs) = pair(|_, _| Ok(()))?;
    let calls = &AtomicUsize::new(0);
    thread::scope(move |scope| {
        scope.spawn(move || -> io::Result<()> {
            loop {
                manner.receive(&theirs, calls)?;
                send(&theirs, b"!")?;
            }
        });
        let (start, mut trips) = (Instant::now(), Vec::new());
        while trips.is_empty() || start.elapsed() < WAIT / 2 {
            let sent = Instant::now();
            send(&ours, b"?")?;
            manner.receive(&ours, calls)?;
            trips.push(sent.elapsed());
        }
        trips.sort();
        Ok(trips[trips.len() / 2])
    })
}
