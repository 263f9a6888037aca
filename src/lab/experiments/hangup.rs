//! hangup: whom a hang-up wakes under each backend.

use std::io;

use crate::events::{EVENT_READ, EVENT_WRITE, Events};
use crate::lab::ground::{PATIENCE, QUIET, stuffed, wakes};
use crate::lab::{Claim, Experiment, Finding, Seen, Trial};
use crate::select::{NONE, select};
use crate::selector::{AsSource, DefaultBackend, DefaultSelector, Poll, Select};
use crate::socket::half_close;

pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "hangup",
    question: "Whom does a hang-up wake under epoll, poll and select?",
    claims: &[
        Claim {
            says: "epoll(7) and poll(2) report a hang-up to a registration for EVENT_WRITE alone.",
            expected: "woken: default backend, poll",
            control: "select(2), which reports it to EVENT_READ alone",
            check: wakes_a_writer,
        },
        Claim {
            says: "A hang-up wakes a registration for EVENT_READ under every backend.",
            expected: "woken: default backend, poll, select",
            control: "the other end stays open",
            check: wakes_a_reader,
        },
        Claim {
            says: "Every further call reports the hang-up again, until the registration ends or is paused.",
            expected: "reported by 10 of 10 calls",
            control: "the registration is paused: modify to the empty mask",
            check: is_reported_again,
        },
        Claim {
            says: "A reset wakes a writer that waits for room, under every backend.",
            expected: "woken: default backend, poll, select",
            control: "the peer only half-closes",
            check: reset_wakes_a_writer,
        },
    ],
    explanation: "POLLHUP and POLLERR are reported by poll and epoll whether asked for or not: a registration that waits for room to write is woken \
        when there is nobody left to write to. A selector here counts both as whatever was registered, as Python's does, so that the program makes \
        its next call and learns from that what happened. select has no bit for them: Linux counts a hang-up as readable and an error as readable and \
        writable.\n\n\
        The first three claims are tried on a pipe whose writing end was closed, because its reading end has a hang-up and nothing else. A TCP socket \
        hangs up when both directions are over. A peer's FIN alone is no hang-up: it is the end that a receive sees, and a writer with a full buffer \
        sleeps on. A reset is an error and a hang-up, and wakes it.\n\n\
        A hang-up never goes away, so in a level-triggered loop close the connection or pause its registration when it was reported, or the loop \
        spins. A program that waits for room alone does not see the peer's end: keep a deadline on the wait.",
    sources: &[
        "poll(2), POLLHUP and POLLERR",
        "epoll_ctl(2), EPOLLHUP",
        "select(2), correspondence with poll",
        "pipe(7)",
    ],
};

type Wakes<F> = fn(&F, Events) -> io::Result<bool>;

fn backends<F: AsSource>() -> [(&'static str, Wakes<F>); 3] {
    [("default backend", wakes::<DefaultBackend, F>), ("poll", wakes::<Poll, F>), ("select", wakes::<Select, F>)]
}

/// Which of the backends are woken, and whether all are.
fn woken<F: AsSource>(by: &[(&str, Wakes<F>)], source: &F, events: Events) -> Finding {
    let mut names = Vec::new();
    for (name, wakes) in by {
        if wakes(source, events)? {
            names.push(*name);
        }
    }
    let found = if names.is_empty() { "nobody woken".into() } else { format!("woken: {}", names.join(", ")) };
    Ok(Seen { found, holds: names.len() == by.len() })
}

fn wakes_a_writer(trial: &mut Trial) -> Finding {
    let (reader, writer) = io::pipe()?;
    drop(writer);
    let backends = backends();
    woken(trial.turn(&backends[..2], &backends[2..]), &reader, EVENT_WRITE)
}

fn wakes_a_reader(trial: &mut Trial) -> Finding {
    let (reader, writer) = io::pipe()?;
    let _open = trial.turn(None, Some(writer));
    woken(&backends(), &reader, EVENT_READ)
}

fn is_reported_again(trial: &mut Trial) -> Finding {
    const CALLS: usize = 10;
    let (reader, writer) = io::pipe()?;
    drop(writer);
    let mut selector = DefaultSelector::new()?;
    let key = selector.register(reader, EVENT_READ, ()).map_err(io::Error::from)?;
    selector.modify(key, trial.turn(EVENT_READ, Events::default())).map_err(io::Error::from)?;
    let mut reports = 0;
    for _ in 0..CALLS {
        reports += selector.select(QUIET / 10)?.len();
    }
    Ok(Seen { found: format!("reported by {reports} of {CALLS} calls"), holds: reports == CALLS })
}

fn reset_wakes_a_writer(trial: &mut Trial) -> Finding {
    let (sender, reader, _) = stuffed(trial)?;
    // Closed with bytes unread.
    let stays = trial.turn(None, Some(reader));
    stays.as_ref().map(half_close).transpose()?;
    // Either way there is something to receive.
    select([&sender], NONE, NONE, PATIENCE)?;
    trial.state("the sender", &sender);
    woken(&backends(), &sender, EVENT_WRITE)
}
