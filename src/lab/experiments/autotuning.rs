//! autotuning: buffers that the kernel sizes by itself, and those that it leaves as they were set.

use std::io;
use std::time::Instant;

use crate::lab::ground::{PATIENCE, listener, sysctl, tcp};
use crate::lab::{Axis, Claim, Experiment, Figure, Finding, Obstacle, Seen, Series, Shape, Trial, Unit};
use crate::socket::options::{self, Value};
use crate::socket::{Flags, Socket, Transfer, receive_with, send_with};

pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "autotuning",
    question: "Does a receive buffer grow by itself, and what stops it?",
    claims: &[Claim {
        says: "A receive buffer that is left alone grows while bytes come in.",
        expected: "SO_RCVBUF is larger within 100 MB",
        control: "SO_RCVBUF is set, to the size it has anyway",
        check: grows,
    }],
    explanation: "A sender can have no more on its way than the window that the receiver offers, and the window comes out of the receive buffer. \
        To keep a path busy the buffer must hold what fits on the path: its bandwidth times its round-trip time. Nobody knows that product when the \
        program is written, so the kernel measures it. Linux begins with the middle number of net.ipv4.tcp_rmem, looks once per round trip at how \
        much the program has taken out, and enlarges the buffer up to the last number. The send buffer follows the congestion window likewise, up to \
        the last number of net.ipv4.tcp_wmem.\n\n\
        Setting SO_RCVBUF or SO_SNDBUF ends that for this socket and this direction, also where the size that was set is the one it had. Leave both \
        alone unless memory is to be bounded. A fixed size that was generous on one path is what makes the next one slow.",
    sources: &[
        "tcp(7), tcp_moderate_rcvbuf and tcp_rmem",
        "kernel.org, Documentation/networking/ip-sysctl.rst, tcp_moderate_rcvbuf",
        "RFC 9293, section 3.8.6",
    ],
};

/// As far as a buffer is given time to grow, and as far as it is watched once it has.
const MOST: usize = 100_000_000;
const WATCHED: usize = 32_000_000;

fn grows(trial: &mut Trial) -> Finding {
    if sysctl("net.ipv4.tcp_moderate_rcvbuf")?.first() == Some(&0) {
        return Err(Obstacle::Lacking("net.ipv4.tcp_moderate_rcvbuf is off".into()));
    }
    let (first, last) = match sysctl("net.ipv4.tcp_rmem")?[..] {
        [_, first, last] if last > first => (first, last),
        _ => return Err(Obstacle::Lacking("net.ipv4.tcp_rmem leaves no room to grow".into())),
    };
    let alone = watch(trial, None)?;
    // Twice this is granted, so it begins like the other.
    let set = watch(trial, Some(first / 2))?;
    let sizes = trial.turn(&alone, &set);
    let ((_, before), (received, after)) = (sizes[0], sizes[sizes.len() - 1]);
    let found = format!("{before} B, {after} B after {received} B");
    trial.measure("SO_RCVBUF in the end", after, Unit::Bytes);
    trial.measure("its limit", last as f64, Unit::Bytes);
    trial.figure(Figure {
        title: "SO_RCVBUF while bytes come in".into(),
        x: Axis::linear("received (B)"),
        y: Axis::linear("SO_RCVBUF (B)"),
        shape: Shape::Lines,
        series: vec![Series { name: "left alone".into(), points: alone }, Series { name: "set".into(), points: set }],
    });
    Ok(Seen { found, holds: after > before })
}

/// Moves bytes over a new connection: how many were received, and the size of the receive buffer at that moment.
fn watch(trial: &mut Trial, asked: Option<usize>) -> Result<Vec<(f64, f64)>, Obstacle> {
    let ((listener, address), client) = (listener(1)?, tcp()?);
    if let Some(asked) = asked {
        trial.set("listener", &listener, "SO_RCVBUF", asked)?;
    }
    client.connect(&address.into())?;
    let (server, _) = listener.accept()?;
    let (start, mut received, mut bytes) = (Instant::now(), 0, [0; 65_536]);
    let before = size(&server)?;
    let (mut last, mut points) = (before, vec![(0.0, before)]);
    while received < (if last > before { WATCHED } else { MOST }) && start.elapsed() < PATIENCE {
        for _ in 0..16 {
            send_with(&client, &bytes, Flags::DONTWAIT)?;
        }
        while let Transfer::Moved(n) = receive_with(&server, &mut bytes, Flags::DONTWAIT)? {
            received += n;
            let now = size(&server)?;
            if now != last {
                points.extend([last, now].map(|size| (received as f64, size)));
                last = now;
            }
        }
    }
    points.push((received as f64, last));
    Ok(points)
}

fn size(socket: &Socket) -> io::Result<f64> {
    match options::get(socket, "SO_RCVBUF")? {
        Value::Number(bytes) => Ok(bytes as f64),
        other => Err(io::Error::other(format!("SO_RCVBUF is {other}"))),
    }
}
