//! dead-peer: how long until a connection notices that the other host is gone.

use std::time::{Duration, Instant};
use std::{io, thread};

use crate::lab::ground::{PATIENCE, ending, pair, rest, stuffed};
use crate::lab::{Axis, Claim, Experiment, Figure, Finding, Obstacle, Seen, Series, Shape, Trial, Unit};
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
            expected: "nothing for 2.2 s",
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
        FIN and no RST comes, and a receive waits for ever. Here the host is made to vanish by IP_MINTTL on the peer's socket, \
        which drops every packet with a TTL below 255, and so all that comes: its kernel neither acknowledges nor answers.\n\n\
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
        "RFC 5082 (what IP_MINTTL is for)",
    ],
};

/// Longer than any of the options takes here.
const BOUND: Duration = Duration::from_millis(2200);

const SECOND: Duration = Duration::from_secs(1);
const USER_TIMEOUT: Duration = Duration::from_millis(300);

/// One connection and what is done to it.
#[derive(Clone, Copy, Default)]
struct Case {
    name: &'static str,
    keepalive: bool,
    user_timeout: bool,
    /// Bytes are sent that wait for an acknowledgement.
    sends: bool,
    /// The peer's host goes.
    vanishes: bool,
}

impl Case {
    /// The end that waits, and its peer.
    fn make(self, trial: &mut Trial) -> Result<(Socket, Socket), Obstacle> {
        let (client, peer) = pair(|_, _| Ok(()))?;
        // The usual, and too little for a deaf peer.
        client.set_ttl_v4(64)?;
        if self.keepalive {
            trial.set(self.name, &client, "TCP_KEEPIDLE", SECOND)?;
            trial.set(self.name, &client, "TCP_KEEPINTVL", SECOND)?;
            trial.set(self.name, &client, "TCP_KEEPCNT", 1)?;
        }
        trial.set(self.name, &client, "SO_KEEPALIVE", self.keepalive)?;
        limit(trial, self.name, &client, self.user_timeout)?;
        if self.vanishes {
            // Nor does its kernel go on telling of its close.
            peer.set_linger(Some(Duration::ZERO))?;
            deafen(&peer)?;
        }
        if self.sends {
            send(&client, b"a question")?;
        }
        Ok((client, peer))
    }
}

/// What the picture compares, while the first claim waits.
const COMPARED: [Case; 4] = [
    Case { name: "no option", keepalive: false, user_timeout: false, sends: true, vanishes: true },
    Case { name: "keepalive", keepalive: true, user_timeout: false, sends: false, vanishes: true },
    Case { name: "user timeout", keepalive: false, user_timeout: true, sends: true, vanishes: true },
    Case { name: "frozen peer", keepalive: true, user_timeout: false, sends: false, vanishes: false },
];

fn keepalive_ends_it(trial: &mut Trial) -> Finding {
    let case = Case { name: "the client", vanishes: true, keepalive: trial.turn(true, false), ..Case::default() };
    let (client, _peer) = case.make(trial)?;
    let mut others = Vec::new();
    for case in COMPARED {
        others.push(case.make(trial)?);
    }
    let (seen, times) = thread::scope(|scope| {
        let others: Vec<_> = others.iter().map(|(ours, _)| scope.spawn(|| wait(ours, BOUND))).collect();
        let seen = ends(trial, &client, trial.turn(PATIENCE, BOUND), libc::ETIMEDOUT);
        let times =
            others.into_iter().map(|other| other.join().ok().and_then(Result::ok).map_or(0.0, |(_, took)| took));
        (seen, times.collect::<Vec<_>>())
    });
    trial.figure(Figure {
        title: format!("How long a receive waits ({} s: till it was ended)", BOUND.as_secs_f64()),
        x: Axis::names("", COMPARED.map(|case| case.name)),
        y: Axis::linear("wait (s)"),
        shape: Shape::Bars,
        series: vec![Series { name: "wait".into(), points: (0..).map(f64::from).zip(times).collect() }],
    });
    seen
}

fn user_timeout_ends_it(trial: &mut Trial) -> Finding {
    let user_timeout = trial.turn(true, false);
    let case = Case { name: "the client", vanishes: true, sends: true, user_timeout, ..Case::default() };
    let (client, _peer) = case.make(trial)?;
    ends(trial, &client, trial.turn(PATIENCE, BOUND), libc::ETIMEDOUT)
}

fn frozen_peer_is_alive(trial: &mut Trial) -> Finding {
    let case = Case { name: "the client", keepalive: true, vanishes: trial.turn(false, true), ..Case::default() };
    let (client, _peer) = case.make(trial)?;
    ends(trial, &client, trial.turn(BOUND, PATIENCE), libc::EAGAIN)
}

fn full_window_ends_it(trial: &mut Trial) -> Finding {
    let (sender, _frozen, _) = stuffed(trial)?;
    limit(trial, "the sender", &sender, trial.turn(true, false))?;
    ends(trial, &sender, trial.turn(PATIENCE, BOUND), libc::ETIMEDOUT)
}

fn limit(trial: &mut Trial, whose: &str, socket: &Socket, limited: bool) -> Result<(), Obstacle> {
    let time = if limited { USER_TIMEOUT } else { Duration::ZERO };
    trial.set(whose, socket, "TCP_USER_TIMEOUT", time).map(drop)
}

/// Waits in a receive, at most as long as is allowed: what ended it, EAGAIN where it had to be ended, and after how many seconds.
fn wait(socket: &Socket, allowed: Duration) -> io::Result<(Option<i32>, f64)> {
    socket.set_linger(Some(Duration::ZERO))?;
    socket.set_read_timeout(Some(allowed))?;
    let start = Instant::now();
    let (_, errno) = rest(socket);
    Ok((errno, start.elapsed().as_secs_f64()))
}

/// Whether the wait ends like this.
fn ends(trial: &mut Trial, socket: &Socket, allowed: Duration, like: i32) -> Finding {
    trial.state("before the wait", socket);
    let (errno, took) = wait(socket, allowed)?;
    trial.state("after the wait", socket);
    trial.measure("the wait took", took, Unit::Seconds);
    let how = match errno {
        Some(libc::EAGAIN) => "nothing for".into(),
        _ => format!("{} after", ending(errno)),
    };
    Ok(Seen { found: format!("{how} {took:.1} s"), holds: errno == Some(like) })
}
