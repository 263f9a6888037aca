//! reuseport-spread: several listeners on one port.

use std::io;
use std::net::SocketAddr;

use crate::events::EVENT_READ;
use crate::lab::ground::{PATIENCE, answer, any_port, bound, comes_true, sysctl, tcp};
use crate::lab::{Axis, Claim, Experiment, Figure, Finding, Obstacle, Seen, Series, Shape, Trial, Unit};
use crate::selector::DefaultSelector;
use crate::socket::{Socket, receive_some, send_all, state};

pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "reuseport-spread",
    question: "How are connections spread over several listeners on one port, and what is lost when one of them closes?",
    claims: &[
        Claim {
            says: "Each of four listeners that share a port with SO_REUSEPORT gets some of 128 connections.",
            expected: "four shares, none of them empty",
            control: "SO_REUSEPORT is off",
            check: is_spread,
        },
        Claim {
            says: "Connections that wait in the queue of a listener are reset when it closes, though another one shares the port.",
            expected: "all that the other one does not serve are reset",
            control: "what waits is accepted before",
            check: loses_its_queue,
        },
    ],
    explanation: "Each listener with SO_REUSEPORT has a queue of its own. When a SYN arrives, Linux computes a hash of both addresses and \
        chooses the queue by it: nobody looks who has time, so the shares are about equal for many clients and may be uneven for few, and a \
        listener whose process hangs keeps its share. The gain is that threads do not fight for one queue; each has its own listener and its own \
        loop. Other systems differ: FreeBSD calls it SO_REUSEPORT_LB, and elsewhere the last listener may get everything.\n\n\
        A connection that was completed by the kernel and not yet accepted belongs to its listener and dies with it: the client has connected, perhaps \
        sent, and gets a reset. So a server that gives up one of several listeners first accepts until the queue is empty, or keeps new \
        connections away from it before, or has net.ipv4.tcp_migrate_req on, with which Linux (5.14) hands them to another listener.",
    sources: &["socket(7), SO_REUSEPORT", "ip-sysctl.rst, tcp_migrate_req", "listen(2)"],
};

const LISTENERS: usize = 4;
const CONNECTIONS: usize = 128;

fn is_spread(trial: &mut Trial) -> Finding {
    let on = trial.turn(true, false);
    let mut selector = DefaultSelector::new()?;
    let mut address = any_port();
    for number in 1..=LISTENERS {
        let listener = tcp()?;
        trial.set(&format!("listener {number}"), &listener, "SO_REUSEPORT", on)?;
        let outcome = listener.bind(&address.into());
        if outcome.is_err() {
            return Ok(answer(outcome, None, ""));
        }
        listener.listen(CONNECTIONS as i32)?;
        address = bound(&listener)?;
        selector.register(listener, EVENT_READ, 0).map_err(io::Error::from)?;
    }
    let _clients = connected(address)?;
    for _ in 0..CONNECTIONS {
        let Some((key, _)) = selector.select(PATIENCE)?.into_iter().next() else {
            return Err(timed_out());
        };
        if let Some((listener, count)) = selector.get_mut(key) {
            listener.accept()?;
            *count += 1;
        }
    }
    let counts: Vec<i32> = selector.into_iter().map(|entry| *entry.data()).collect();
    let points = counts.iter().enumerate().map(|(at, count)| (at as f64, f64::from(*count))).collect();
    for (at, count) in counts.iter().enumerate() {
        trial.measure(format!("listener {}", at + 1), f64::from(*count) / CONNECTIONS as f64, Unit::Share);
    }
    trial.figure(Figure {
        title: format!("{CONNECTIONS} connections to one port"),
        x: Axis::names("listener", (1..=LISTENERS).map(|number| number.to_string())),
        y: Axis::linear("connections"),
        shape: Shape::Bars,
        series: vec![Series { name: "accepted".into(), points }],
    });
    Ok(Seen { found: format!("{counts:?}"), holds: counts.iter().all(|count| *count > 0) })
}

fn loses_its_queue(trial: &mut Trial) -> Finding {
    if sysctl("net.ipv4.tcp_migrate_req").is_ok_and(|migrates| migrates == [1]) {
        return Err(Obstacle::Lacking("net.ipv4.tcp_migrate_req is on".into()));
    }
    let (closing, staying) = (tcp()?, tcp()?);
    trial.set("listener that closes", &closing, "SO_REUSEPORT", true)?;
    trial.set("listener that stays", &staying, "SO_REUSEPORT", true)?;
    closing.bind(&any_port().into())?;
    staying.bind(&closing.local_addr()?)?;
    closing.listen(CONNECTIONS as i32)?;
    staying.listen(CONNECTIONS as i32)?;
    let clients = connected(bound(&closing)?)?;
    let waiting = |listener: &Socket| Ok::<_, io::Error>(state(listener)?.queued.unwrap_or(0));
    if !comes_true(|| Ok(waiting(&closing)? + waiting(&staying)? >= CONNECTIONS as u32))? {
        let there = format!("{} and {} in the queues", waiting(&closing)?, waiting(&staying)?);
        return Err(io::Error::new(io::ErrorKind::TimedOut, there).into());
    }
    trial.state("the listener that closes", &closing);
    let mut accepted = Vec::new();
    for _ in 0..trial.turn(0, waiting(&closing)?) {
        accepted.push(closing.accept()?.0);
    }
    drop(closing);
    for _ in 0..waiting(&staying)? {
        accepted.push(staying.accept()?.0);
    }
    for server in &accepted {
        // Where it fails that client is none of these.
        let _ = send_all(server, b"!", PATIENCE);
    }
    let (mut served, mut reset) = (0, 0);
    for client in &clients {
        match receive_some(client, &mut [0], PATIENCE) {
            Err(error) if error.raw_os_error() == Some(libc::ECONNRESET) => reset += 1,
            outcome => served += outcome?,
        }
    }
    trial.measure("lost", reset as f64 / CONNECTIONS as f64, Unit::Share);
    let holds = reset > 0 && reset + served == CONNECTIONS;
    Ok(Seen { found: format!("{served} served, {reset} reset"), holds })
}

fn connected(address: SocketAddr) -> io::Result<Vec<Socket>> {
    let connect = |_| {
        let client = tcp()?;
        client.connect(&address.into())?;
        Ok(client)
    };
    (0..CONNECTIONS).map(connect).collect()
}

fn timed_out() -> Obstacle {
    io::Error::from(io::ErrorKind::TimedOut).into()
}
