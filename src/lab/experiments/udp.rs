//! udp: what becomes of datagrams that do not fit, find nobody, or find no room.

use crate::lab::ground::{PATIENCE, QUIET, any_port, ending, pair, udp};
use crate::lab::{Axis, Claim, Experiment, Figure, Finding, Obstacle, Seen, Series, Shape, Trial, Unit};
use crate::select::{NONE, select};
use crate::socket::{Datagram, Flags, Socket, Transfer, receive, receive_from, receive_with, send};

pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "udp",
    question: "What becomes of a datagram that does not fit, that finds nobody, or that finds no room?",
    claims: &[
        Claim {
            says: "Of a datagram that is longer than the buffer the rest is gone: the next receive has the next datagram.",
            expected: "\"much\", then \"next\"",
            control: "the same over TCP, a stream",
            check: rest_is_gone,
        },
        Claim {
            says: "MSG_TRUNC tells how long the datagram was.",
            expected: "4 bytes stored, 13 told",
            control: "a receive without it",
            check: length_is_told,
        },
        Claim {
            says: "On a connected socket a datagram to a port where nobody listens comes back as ECONNREFUSED.",
            expected: "ECONNREFUSED",
            control: "sendto on a socket that is not connected",
            check: is_refused,
        },
        Claim {
            says: "What finds no room in the receive buffer is dropped, though every send succeeded.",
            expected: "fewer than the 64 that were sent",
            control: "a buffer with room for all",
            check: is_dropped,
        },
    ],
    explanation: "A datagram arrives whole or not at all. One receive takes one datagram; what does not fit into the program's buffer is thrown away, \
        and the count returned is what fitted. With MSG_TRUNC it is the whole length, which shows the loss. A buffer of 65535 bytes always fits.\n\n\
        A send succeeds when the datagram left; nobody says that it arrived. When nobody has the port, the other kernel answers with an ICMP \
        message, port unreachable. A connected socket has one peer, so the kernel knows whose error it is and reports it with the next call; on an \
        unconnected one it is dropped in silence (Linux has IP_RECVERR to ask for it). A firewall that drops sends no ICMP at all: keep a deadline on \
        every answer.\n\n\
        Between network and program lies the receive buffer. Linux charges each datagram with its bookkeeping, often twice its bytes or more, and drops \
        what comes when the buffer is full: no error, no slower sender. A larger SO_RCVBUF takes a longer burst, up to net.core.rmem_max; only \
        receiving faster than they come, or a protocol that acknowledges, loses none.",
    sources: &[
        "udp(7)",
        "recv(2), MSG_TRUNC",
        "connect(2)",
        "ip(7), IP_RECVERR",
        "socket(7), SO_RCVBUF",
        "RFC 1122, 4.1.3.3 (ICMP messages)",
    ],
};

/// Two datagram sockets, each connected to the other.
fn connected() -> Result<(Socket, Socket), Obstacle> {
    let (one, other) = (open()?, open()?);
    one.connect(&other.local_addr()?)?;
    other.connect(&one.local_addr()?)?;
    Ok((one, other))
}

/// A datagram socket on a port of its own.
fn open() -> Result<Socket, Obstacle> {
    let socket = udp()?;
    socket.bind(&any_port().into())?;
    Ok(socket)
}

fn rest_is_gone(trial: &mut Trial) -> Finding {
    let (from, to) = trial.turn(connected as fn() -> _, || Ok(pair(|_, _| Ok(()))?))()?;
    send(&from, b"much too long")?;
    send(&from, b"next")?;
    let mut texts = Vec::new();
    for _ in 0..2 {
        let mut bytes = [0; 4];
        receive(&to, &mut bytes)?;
        texts.push(format!("{:?}", String::from_utf8_lossy(&bytes)));
    }
    let found = texts.join(", then ");
    Ok(Seen { holds: found == r#""much", then "next""#, found })
}

fn length_is_told(trial: &mut Trial) -> Finding {
    let (from, to) = connected()?;
    send(&from, b"much too long")?;
    let mut bytes = [0; 4];
    let told = if trial.turn(true, false) {
        match receive_from(&to, &mut bytes)? {
            Datagram::Received { length, .. } => length,
            Datagram::Pending => 0,
        }
    } else {
        match receive(&to, &mut bytes)? {
            Transfer::Moved(n) => n,
            Transfer::Pending | Transfer::Closed => 0,
        }
    };
    Ok(Seen { found: format!("{} bytes stored, {told} told", bytes.len()), holds: told == 13 })
}

fn is_refused(trial: &mut Trial) -> Finding {
    // It has its port, so that nobody else gets it, and takes datagrams from itself alone.
    let nobody = open()?;
    nobody.connect(&nobody.local_addr()?)?;
    let (asks, witness) = (open()?, open()?);
    let address = nobody.local_addr()?;
    witness.connect(&address)?;
    if trial.turn(true, false) {
        asks.connect(&address)?;
        send(&asks, b"anybody?")?;
    } else {
        asks.send_to(b"anybody?", &address)?;
    }
    // When a later one has come back, the first has, too.
    send(&witness, b"anybody?")?;
    select([&witness], NONE, NONE, PATIENCE)?;
    select([&asks], NONE, NONE, QUIET)?;
    let answer = receive_with(&asks, &mut [0; 16], Flags::DONTWAIT);
    let errno = answer.map_or_else(|error| error.raw_os_error(), |_| Some(libc::EAGAIN));
    Ok(Seen { found: ending(errno), holds: errno == Some(libc::ECONNREFUSED) })
}

/// How many are sent at once, and how long each is.
const BURST: usize = 64;
const LENGTH: usize = 1000;

fn is_dropped(trial: &mut Trial) -> Finding {
    let mut points = Vec::new();
    for size in [4, 8, 16, 32, 64, 128].map(|kilobytes: i32| kilobytes << 10) {
        let (arrived, granted) = burst(trial, size)?;
        points.push((granted, arrived as f64));
    }
    trial.figure(Figure {
        title: format!("Datagrams kept, of {BURST} with {LENGTH} bytes each"),
        x: Axis::logarithmic("receive buffer granted (bytes)"),
        y: Axis::linear("datagrams"),
        shape: Shape::Lines,
        series: vec![Series { name: "kept".into(), points }],
    });
    let (arrived, _) = burst(trial, trial.turn(4 << 10, 200 << 10))?;
    trial.measure("datagrams kept", arrived as f64, Unit::Count);
    Ok(Seen { found: format!("{arrived} of {BURST}"), holds: arrived < BURST })
}

/// Sends a burst to a socket that does not read meanwhile. How many it has then, and how large its buffer is.
fn burst(trial: &mut Trial, size: i32) -> Result<(usize, f64), Obstacle> {
    let (from, to) = connected()?;
    trial.set("the receiver", &to, "SO_RCVBUF", size)?;
    for _ in 0..BURST {
        send(&from, &[b'x'; LENGTH])?;
    }
    // When a later one has arrived elsewhere, these have, too.
    let (last, witness) = connected()?;
    send(&last, b"last")?;
    select([&witness], NONE, NONE, PATIENCE)?;
    let mut arrived = 0;
    while arrived < BURST && !select([&to], NONE, NONE, QUIET / 5)?.0.is_empty() {
        receive(&to, &mut [0; LENGTH])?;
        arrived += 1;
    }
    Ok((arrived, to.recv_buffer_size()? as f64))
}
