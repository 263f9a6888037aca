//! dead-peer: how long until a connection notices that the other host is gone.

use std::time::{Duration, Instant};

use crate::lab::ground::{PATIENCE, ending, pair, rest, stuffed};
use crate::lab::{Claim, Experiment, Finding, Obstacle, Seen, Trial, Unit};
use crate::socket::{Socket, send};
use crate::sys::probe::deafen;

pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "dead-peer",
    question: "How does a connection notice that the other host is gone?",
    claims: &[
        Claim {
            says: "Keepalive ends an idle connection whose peer's host is gone, with ETIMEDOUT, after KEEPIDLE + KEEPCNT × KEEPINTVL.",
            expected: "ETIMEDOUT after about 2 s",
            control: "SO_KEEPALIVE off: a receive waits on",
            check: keepalive_ends_it,
        },
        Claim {
            says: "TCP_USER_TIMEOUT ends a connection whose bytes nobody acknowledges, with ETIMEDOUT.",
            expected: "ETIMEDOUT after 0.3 s and what the timer rounds it up to",
            control: "TCP_USER_TIMEOUT 0, the default: retransmissions go on",
            check: user_timeout_ends_it,
        },
        Claim {
            says: "Keepalive does not find a peer that is frozen: its kernel answers in its place.",
            expected: "nothing for 2.5 s",
            control: "a peer whose host is gone",
            check: frozen_peer_is_alive,
        },
        Claim {
            says: "TCP_USER_TIMEOUT ends a connection to a frozen peer when its window stays full.",
            expected: "ETIMEDOUT after 0.3 s and what the timer rounds it up to",
            control: "TCP_USER_TIMEOUT 0, the default: the window is probed on",
            check: full_window_ends_it,
        },
    ],
    explanation: "A connection is an agreement between two kernels, kept by nothing that runs along the wire. When the other host loses its power, no \
        FIN and no RST comes, and a receive waits for ever. Here the host is made to vanish by a packet filter on the peer's socket that \
        drops all that comes: its kernel neither acknowledges nor answers.\n\n\
        Keepalive asks on an idle connection: after KEEPIDLE seconds it sends a probe that must be acknowledged, then another every KEEPINTVL, and after \
        KEEPCNT without an answer the connection ends with ETIMEDOUT. The defaults are two hours, 75 seconds and 9. While sent bytes wait for their \
        acknowledgement keepalive rests; then retransmissions decide (about 15 minutes on Linux), or TCP_USER_TIMEOUT, which also limits how long bytes \
        wait before a closed window.\n\n\
        Both ask the kernel of the peer, and a kernel answers though its program hangs. Whether the program lives only the program can say: \
        put a deadline on every answer or a heartbeat into the protocol, and use the options for what they find, hosts and networks that are gone.",
    sources: &[
        "tcp(7), TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT, TCP_USER_TIMEOUT, tcp_retries2",
        "socket(7), SO_KEEPALIVE",
        "RFC 1122, 4.2.3.6 (keep-alives)",
        "RFC 9293, 3.8.4",
        "RFC 5482 (user timeout)",
    ],
};

/// Longer than any of the options takes here.
const BOUND: Duration = Duration::from_millis(2500);

const SECOND: Duration = Duration::from_secs(1);
const USER_TIMEOUT: Duration = Duration::from_millis(300);

fn keepalive_ends_it(trial: &mut Trial) -> Finding {
    let (client, peer) = pair(|_, _| Ok(()))?;
    keepalive(trial, &client, trial.turn(true, false))?;
    vanish(&peer)?;
    ends(trial, &client, trial.turn(PATIENCE, BOUND), libc::ETIMEDOUT)
}

fn user_timeout_ends_it(trial: &mut Trial) -> Finding {
    let (client, peer) = pair(|_, _| Ok(()))?;
    trial.set("the client", &client, "TCP_USER_TIMEOUT", trial.turn(USER_TIMEOUT, Duration::ZERO))?;
    vanish(&peer)?;
    send(&client, b"nobody acknowledges this")?;
    ends(trial, &client, trial.turn(PATIENCE, BOUND), libc::ETIMEDOUT)
}

fn frozen_peer_is_alive(trial: &mut Trial) -> Finding {
    let (client, peer) = pair(|_, _| Ok(()))?;
    keepalive(trial, &client, true)?;
    if trial.turn(false, true) {
        vanish(&peer)?;
    }
    ends(trial, &client, trial.turn(BOUND, PATIENCE), libc::EAGAIN)
}

fn full_window_ends_it(trial: &mut Trial) -> Finding {
    let (sender, _frozen, _) = stuffed(trial)?;
    trial.set("the sender", &sender, "TCP_USER_TIMEOUT", trial.turn(USER_TIMEOUT, Duration::ZERO))?;
    ends(trial, &sender, trial.turn(PATIENCE, BOUND), libc::ETIMEDOUT)
}

fn keepalive(trial: &mut Trial, client: &Socket, on: bool) -> Result<(), Obstacle> {
    trial.set("the client", client, "TCP_KEEPIDLE", SECOND)?;
    trial.set("the client", client, "TCP_KEEPINTVL", SECOND)?;
    trial.set("the client", client, "TCP_KEEPCNT", 1)?;
    trial.set("the client", client, "SO_KEEPALIVE", on)?;
    Ok(())
}

/// From now on nothing reaches this end; nor does it go on telling of its close.
fn vanish(peer: &Socket) -> Result<(), Obstacle> {
    peer.set_linger(Some(Duration::ZERO))?;
    Ok(deafen(peer)?)
}

/// Waits in a receive, at most as long as is allowed, and tells whether it ended like this; EAGAIN is that it had to be ended.
fn ends(trial: &mut Trial, socket: &Socket, allowed: Duration, like: i32) -> Finding {
    socket.set_linger(Some(Duration::ZERO))?;
    socket.set_read_timeout(Some(allowed))?;
    trial.state("before the wait", socket);
    let start = Instant::now();
    let (_, errno) = rest(socket);
    let took = start.elapsed().as_secs_f64();
    trial.state("after the wait", socket);
    trial.measure("the wait took", took, Unit::Seconds);
    let how = match errno {
        Some(libc::EAGAIN) => "nothing for".into(),
        _ => format!("{} after", ending(errno)),
    };
    Ok(Seen { found: format!("{how} {took:.1} s"), holds: errno == Some(like) })
}
