//! notsent-lowat: writable only while little waits unsent.

use std::time::{Duration, Instant};

use crate::lab::ground::{PATIENCE, SETTLED, fill, is_writable, sized_pair};
use crate::lab::{Axis, Claim, Experiment, Figure, Finding, Obstacle, Seen, Series, Shape, Trial, Unit};
use crate::socket::{Flags, Socket, Transfer, send_with, state};

pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "notsent-lowat",
    question: "How much waits in the kernel, unsent, while a program writes as long as the socket is writable?",
    claims: &[
        Claim {
            says: "With TCP_NOTSENT_LOWAT about so much waits unsent; without it, what the send buffer holds.",
            expected: "at most the mark and one write, 9216 B",
            control: "the mark lies above all that the buffer holds",
            check: stays_low,
        },
        Claim {
            says: "Above the mark a socket is not writable although its send buffer has room.",
            expected: "not writable",
            control: "the mark lies above all that the buffer holds",
            check: is_not_writable,
        },
    ],
    explanation: "A socket is writable while its send buffer has room, and a send buffer may grow to megabytes. What waits there has left the \
        program but not the machine: it can no longer be taken back, reordered or replaced by something newer, and whatever is written next queues \
        behind it. On a slow path that is seconds.\n\n\
        TCP_NOTSENT_LOWAT leaves the buffer as large as it is, for what is on its way and may have to be sent again, and bounds the bytes that have \
        not been sent yet: only below the mark, in recent kernels below half of it, the socket is writable. So the program decides late what to send, \
        and holds less kernel memory, at the price of being woken more often. Set it where a program multiplexes (HTTP/2, live video) and writes by \
        readiness. net.ipv4.tcp_notsent_lowat is the default for all sockets.",
    sources: &[
        "kernel.org, Documentation/networking/ip-sysctl.rst, tcp_notsent_lowat",
        "socket(7), SO_SNDBUF",
        "RFC 9293, section 3.8.6",
    ],
};

const MARK: usize = 8 << 10;
/// Above all that there is.
const NO_MARK: usize = i32::MAX as usize;
const WRITE: usize = 1 << 10;
/// Of each buffer. Both hold several times the mark.
const BUFFER: usize = 64 << 10;

fn stays_low(trial: &mut Trial) -> Finding {
    let marked = fill_while_writable(trial, MARK)?;
    let unmarked = fill_while_writable(trial, NO_MARK)?;
    let unsent = trial.turn(&marked, &unmarked).iter().fold(0.0_f64, |most, (_, unsent)| most.max(*unsent));
    trial.measure("most unsent", unsent, Unit::Bytes);
    trial.figure(Figure {
        title: "Writing while the socket is writable and the reader stalls".into(),
        x: Axis::linear("written (B)"),
        y: Axis::linear("unsent (B)"),
        shape: Shape::Lines,
        series: vec![
            Series { name: "with a mark at 8 KiB".into(), points: marked },
            Series { name: "without".into(), points: unmarked },
        ],
    });
    Ok(Seen { found: format!("{unsent} B unsent"), holds: unsent <= (MARK + WRITE) as f64 })
}

/// Writes to a stalled reader as a program with a selector does. After each write: how much was written, and how much of it is unsent.
fn fill_while_writable(trial: &mut Trial, mark: usize) -> Result<Vec<(f64, f64)>, Obstacle> {
    let (client, _server) = sized_pair(trial, BUFFER)?;
    client.set_tcp_nodelay(true)?;
    trial.set("client", &client, "TCP_NOTSENT_LOWAT", mark)?;
    let (start, mut written, mut points) = (Instant::now(), 0, Vec::new());
    while is_writable(&client, SETTLED)? && start.elapsed() < PATIENCE {
        if let Transfer::Moved(n) = send_with(&client, &[0; WRITE], Flags::DONTWAIT)? {
            written += n;
            points.push((written as f64, unsent(&client)? as f64));
        }
    }
    trial.state("when it is no longer writable", &client);
    Ok(points)
}

fn is_not_writable(trial: &mut Trial) -> Finding {
    let (client, _server) = sized_pair(trial, BUFFER)?;
    fill(&client, usize::MAX, SETTLED)?;
    // The buffer is full; now there is room, and nobody has taken anything out.
    trial.set("client", &client, "SO_SNDBUF", 3 * BUFFER)?;
    trial.set("client", &client, "TCP_NOTSENT_LOWAT", trial.turn(MARK, NO_MARK))?;
    trial.state("when there is room", &client);
    let writable = is_writable(&client, Duration::ZERO)?;
    let found = format!("{} B unsent, {}", unsent(&client)?, if writable { "writable" } else { "not writable" });
    Ok(Seen { found, holds: !writable })
}

fn unsent(socket: &Socket) -> Result<u64, Obstacle> {
    state(socket)?.unsent.ok_or_else(|| Obstacle::Lacking("this kernel does not tell what is unsent".into()))
}
