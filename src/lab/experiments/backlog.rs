//! backlog: more connections than the queue holds.

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use crate::lab::ground::{comes_true, listener};
use crate::lab::{Claim, Experiment, Finding, Obstacle, Seen, Trial, Unit};
use crate::socket::{Dial, Options, Socket, dial, progress, state};
use crate::sys::probe::drops;

pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "backlog",
    question: "What happens to a connect when the listener's queue is full?",
    claims: &[
        Claim {
            says: "On Linux listen(1) completes two connections that nobody accepts; the next connect stays pending.",
            expected: "2 connected, the next one pending",
            control: "the backlog is 8",
            check: fills_up,
        },
        Claim {
            says: "The one that was left out is not refused: after an accept it connects, when its SYN is sent again.",
            expected: "connected about 1 s after the accept",
            control: "nobody accepts",
            check: comes_in_late,
        },
    ],
    explanation: "The kernel completes handshakes by itself and puts the connections into the listener's queue; accept only takes them out. \
        The second argument of listen is how many may wait there, cut down to net.core.somaxconn; Linux lets in one more than asked. While the queue is \
        full Linux drops SYNs and says nothing. The client's system takes that for a lost packet and sends the SYN again after 1 second, and so on, \
        so a non-blocking connect stays pending and a blocking one hangs: for a minute or two if nobody accepts (net.ipv4.tcp_syn_retries).\n\n\
        So a queue that was full for a moment shows as connects that take a second or a few. Whether it happens: on the listener itself the drops that \
        ss -lm shows, for the whole machine ListenOverflows of nstat -az. Against it: a generous backlog (4096 is usual now; it costs nothing \
        while it is empty), and a loop that accepts until the queue is empty before it does other work.",
    sources: &["listen(2)", "tcp(7), tcp_syn_retries", "RFC 6298, 2.1", "ss(8), skmem"],
};

/// How many are dialled where none is left out.
const ENOUGH: usize = 4;

fn fills_up(trial: &mut Trial) -> Finding {
    let (listener, address) = listener(trial.turn(1, 8))?;
    let (connected, left_out) = crowd(&listener, address)?;
    trial.state("the listener", &listener);
    trial.measure("connected", connected.len() as f64, Unit::Count);
    trial.measure("SYNs dropped", drops(&listener)?.into(), Unit::Count);
    let Some(left_out) = left_out else {
        return Ok(Seen { found: format!("{} connected, none pending", connected.len()), holds: false });
    };
    trial.state("the client that was left out", &left_out);
    let answer = progress(&left_out)?;
    let found = format!("{} connected, the next one {}", connected.len(), format!("{answer:?}").to_lowercase());
    Ok(Seen { found, holds: connected.len() == 2 && answer == Dial::Pending })
}

fn comes_in_late(trial: &mut Trial) -> Finding {
    let (listener, address) = listener(1)?;
    let (_connected, Some(left_out)) = crowd(&listener, address)? else {
        return Ok(Seen { found: "none was left out".into(), holds: false });
    };
    let accepted = trial.turn(true, false).then(|| listener.accept()).transpose()?;
    let start = Instant::now();
    let sent_again = || Ok::<_, io::Error>(state(&left_out)?.total_retransmits.unwrap_or(0));
    let is_connected = || Ok::<_, io::Error>(progress(&left_out)? == Dial::Connected);
    comes_true(|| Ok(is_connected()? || accepted.is_none() && sent_again()? > 0))?;
    let seconds = start.elapsed().as_secs_f64();
    trial.state("the client that was left out", &left_out);
    trial.measure("waited", seconds, Unit::Seconds);
    trial.measure("SYNs sent again", sent_again()?.into(), Unit::Count);
    let holds = is_connected()?;
    let state = if holds { "connected" } else { "still pending" };
    Ok(Seen { found: format!("{state} after {seconds:.2} s, SYNs sent again: {}", sent_again()?), holds })
}

/// Dials, each when the one before has reached the queue, until one is left out: those that are in, and that one.
fn crowd(listener: &Socket, address: SocketAddr) -> Result<(Vec<Socket>, Option<Socket>), Obstacle> {
    let mut connected = Vec::new();
    while connected.len() < ENOUGH {
        let (client, _) = dial(&address.into(), &Options::default())?;
        let is_in = || Ok::<_, io::Error>(state(listener)?.queued.unwrap_or(0) as usize > connected.len());
        // Not the machine's counter, which counts for others too.
        if !comes_true(|| Ok(is_in()? || drops(listener)? > 0))? {
            return Err(io::Error::from(io::ErrorKind::TimedOut).into());
        }
        if !is_in()? {
            return Ok((connected, Some(client)));
        }
        connected.push(client);
    }
    Ok((connected, None))
}
