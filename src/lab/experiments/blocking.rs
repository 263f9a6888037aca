//! blocking: what three ways to wait for a message cost.

use std::io;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::lab::ground::{PATIENCE, pair};
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
            expected: "less than 0.02 of the wait",
            control: "a non-blocking receive, again and again",
            check: blocking_sleeps,
        },
        Claim {
            says: "select sleeps, too.",
            expected: "less than 0.02 of the wait",
            control: "a timeout of 0, again and again",
            check: select_sleeps,
        },
        Claim {
            says: "A spinning receiver asks in vain hundreds of times for one message.",
            expected: "more than 100 receives",
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
    /// Receives one byte, and tells how many system calls it took. No byte is an error: `UnexpectedEof`, `TimedOut`.
    fn receive(self, socket: &Socket) -> io::Result<usize> {
        let end = Instant::now() + PATIENCE;
        let (flags, timeout) = match self {
            Manner::Blocking => (Flags::NONE, None),
            Manner::Spinning => (Flags::DONTWAIT, None),
            Manner::Selecting => (Flags::DONTWAIT, Some(PATIENCE)),
            Manner::Polling => (Flags::DONTWAIT, Some(Duration::ZERO)),
        };
        let mut calls = 0;
        while Instant::now() < end {
            if let Some(timeout) = timeout {
                calls += 1;
                if select([socket], NONE, NONE, timeout)?.0.is_empty() {
                    continue;
                }
            }
            calls += 1;
            match receive_with(socket, &mut [0], flags)? {
                Transfer::Moved(_) => return Ok(calls),
                Transfer::Closed => return Err(io::ErrorKind::UnexpectedEof.into()),
                Transfer::Pending => {}
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }
}

/// How long the message of a wait is put off.
const WAIT: Duration = Duration::from_millis(200);

/// Waits for a message that comes after [`WAIT`]: the share of that time for which this thread kept a processor busy, and its system calls.
fn wait(manner: Manner) -> io::Result<(f64, usize)> {
    let (ours, theirs) = pair(|_, _| Ok(()))?;
    let (begin, begun) = mpsc::channel();
    thread::scope(move |scope| {
        scope.spawn(move || {
            let _ = begun.recv();
            pause(WAIT)?;
            send(&theirs, b"!")
        });
        let (start, before) = (Instant::now(), thread_time()?);
        let _ = begin.send(());
        let calls = manner.receive(&ours)?;
        let used = thread_time()? - before;
        Ok((used.as_secs_f64() / start.elapsed().as_secs_f64(), calls))
    })
}

fn blocking_sleeps(trial: &mut Trial) -> Finding {
    sleeps(trial, trial.turn(Manner::Blocking, Manner::Spinning))
}

fn select_sleeps(trial: &mut Trial) -> Finding {
    sleeps(trial, trial.turn(Manner::Selecting, Manner::Polling))
}

/// A sleeper takes a thousandth of this, and a spinner this much also where many others want the processor.
const SLEEPING: f64 = 0.02;

fn sleeps(trial: &mut Trial, manner: Manner) -> Finding {
    let (share, calls) = wait(manner)?;
    trial.measure("processor time of the wait", share, Unit::Share);
    trial.measure("system calls", calls as f64, Unit::Count);
    Ok(Seen { found: format!("{share:.4} of the wait, {calls} system calls"), holds: share < SLEEPING })
}

fn spinning_asks_in_vain(trial: &mut Trial) -> Finding {
    let ways = [Manner::Blocking, Manner::Spinning, Manner::Selecting];
    let (mut shares, mut times) = (Vec::new(), Vec::new());
    for (at, manner) in ways.into_iter().enumerate() {
        shares.push((at as f64, wait(manner)?.0));
        times.push((at as f64, round_trip(manner)?.as_secs_f64() * 1e6));
    }
    let mut draw = |title: &str, label: &str, points| {
        let names = ways.map(|manner| format!("{manner:?}").to_lowercase());
        let series = vec![Series { name: label.into(), points }];
        let (x, y) = (Axis::names("way to wait", names), Axis::linear(label));
        trial.figure(Figure { title: title.into(), x, y, shape: Shape::Bars, series });
    };
    draw("While nothing comes", "share of a processor", shares);
    draw("A byte there and one back, both ends waiting alike", "median (µs)", times);
    let (_, calls) = wait(trial.turn(Manner::Spinning, Manner::Blocking))?;
    Ok(Seen { found: format!("receives: {calls}"), holds: calls > 100 })
}

/// The median of as many round trips as fit into a tenth of a second.
fn round_trip(manner: Manner) -> io::Result<Duration> {
    let (ours, theirs) = pair(|_, _| Ok(()))?;
    thread::scope(move |scope| {
        scope.spawn(move || -> io::Result<()> {
            loop {
                manner.receive(&theirs)?;
                send(&theirs, b"!")?;
            }
        });
        let (start, mut trips) = (Instant::now(), Vec::new());
        while trips.is_empty() || start.elapsed() < WAIT / 2 {
            let sent = Instant::now();
            send(&ours, b"?")?;
            manner.receive(&ours)?;
            trips.push(sent.elapsed());
        }
        trips.sort();
        Ok(trips[trips.len() / 2])
    })
}
