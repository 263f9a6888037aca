//! buffers: what SO_SNDBUF and SO_RCVBUF are granted, and what they hold.

use std::time::{Duration, Instant};

use crate::lab::ground::{PATIENCE, SETTLED, drain, fill, listener, pair, sized_pair, sysctl, tcp};
use crate::lab::{Axis, Claim, Experiment, Figure, Finding, Obstacle, Seen, Series, Shape, Trial, Unit};
use crate::socket::options::{self, Value};
use crate::socket::{Socket, state};

pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "buffers",
    question: "How large are the buffers that one gets for the sizes one asks for, and what do they hold?",
    claims: &[
        Claim {
            says: "A buffer size that is asked for is granted twofold.",
            expected: "200000 for 100000",
            control: "the sizes are left alone",
            check: is_doubled,
        },
        Claim {
            says: "A size above net.core.rmem_max or wmem_max is cut to it, without an error.",
            expected: "twice the limit",
            control: "half the limit is asked for",
            check: is_clamped,
        },
        Claim {
            says: "A receive buffer that is set before connect shapes the window scale of the connection.",
            expected: "a smaller scale than where the buffer is left alone",
            control: "the buffer is set after connect",
            check: shapes_the_scale,
        },
        Claim {
            says: "While the reader stalls, both buffers together bound what a sender can put away.",
            expected: "0.5 to 4 times what was asked for",
            control: "the reader reads along",
            check: bounds_the_sender,
        },
    ],
    explanation: "Linux doubles the size that is asked for, because a buffer's memory also pays for the kernel's own bookkeeping of each \
        packet, and the doubled size is what getsockopt answers. A size above the system's limit is no error, it is cut. So read back what was \
        granted, and raise net.core.rmem_max and net.core.wmem_max first where more is needed.\n\n\
        The window in a TCP header has 16 bits. How far it is to be shifted is said once, in the SYN, and Linux derives it from how large the \
        receive buffer may become. Set SO_RCVBUF before connect, and on the listener before listen: accepted sockets inherit it.\n\n\
        A send that returns has handed its bytes to the kernel and to nobody else. As long as the reader stalls, first its receive buffer fills, \
        then the sender's send buffer, and then a send blocks, or says that it would. That is TCP's back pressure: larger buffers only put it off. \
        How many bytes fit depends on the bookkeeping, so the sizes are no exact count.",
    sources: &[
        "socket(7), SO_RCVBUF and SO_SNDBUF",
        "tcp(7), tcp_rmem and tcp_wmem",
        "RFC 7323, section 2",
        "RFC 9293, section 3.8.6",
    ],
};

const BOTH: [(&str, &str); 2] = [("SO_SNDBUF", "net.core.wmem_max"), ("SO_RCVBUF", "net.core.rmem_max")];

fn is_doubled(trial: &mut Trial) -> Finding {
    const ASKED: usize = 100_000;
    granted(trial, |limit, trial| {
        if limit < ASKED {
            return Err(Obstacle::Lacking(format!("the limit is {limit} here")));
        }
        Ok((trial.turn(Some(ASKED), None), 2 * ASKED))
    })
}

fn is_clamped(trial: &mut Trial) -> Finding {
    // The kernel takes no more than this, whatever the limit is.
    const MOST: usize = i32::MAX as usize / 2;
    granted(trial, |limit, trial| {
        let limit = limit.min(MOST);
        Ok((Some(trial.turn(4_096_000.max(4 * limit).min(i32::MAX as usize), limit / 2)), 2 * limit))
    })
}

/// Asks for both sizes; `wanted` says from the system's limit what is asked for and what is expected to be read back.
fn granted(trial: &mut Trial, wanted: impl Fn(usize, &Trial) -> Result<(Option<usize>, usize), Obstacle>) -> Finding {
    let socket = tcp()?;
    let (mut found, mut holds) = (Vec::new(), true);
    for (option, limit) in BOTH {
        let limit = sysctl(limit)?.first().copied().unwrap_or_default();
        let (asked, expected) = wanted(limit, trial)?;
        let granted = match asked {
            Some(asked) => trial.set("client", &socket, option, asked)?.granted,
            None => options::get(&socket, option)?,
        };
        holds &= granted == Value::from(expected);
        let asked = asked.map_or("nothing".into(), |asked| asked.to_string());
        found.push(format!("{option} {granted} for {asked}"));
    }
    Ok(Seen { found: found.join(", "), holds })
}

fn shapes_the_scale(trial: &mut Trial) -> Finding {
    const SMALL: usize = 32 << 10;
    let (alone, _) = pair(|_, _| Ok(()))?;
    let system = scale(&alone)?;
    if system == 0 {
        return Err(Obstacle::Lacking("windows are not scaled on this system".into()));
    }
    let ((_listener, address), client) = (listener(1)?, tcp()?);
    let before = trial.turn(true, false);
    if before {
        trial.set("client", &client, "SO_RCVBUF", SMALL)?;
    }
    client.connect(&address.into())?;
    if !before {
        trial.set("client", &client, "SO_RCVBUF", SMALL)?;
    }
    trial.state("after connect", &client);
    let scale = scale(&client)?;
    Ok(Seen { found: format!("scale {scale}, left alone {system}"), holds: scale < system })
}

fn scale(socket: &Socket) -> Result<u8, Obstacle> {
    state(socket)?.window_scale.ok_or_else(|| Obstacle::Lacking("this kernel does not tell the window scale".into()))
}

fn bounds_the_sender(trial: &mut Trial) -> Finding {
    const SIZES: [usize; 4] = [16 << 10, 32 << 10, 64 << 10, 128 << 10];
    let (mut points, mut holds) = (Vec::new(), true);
    for size in SIZES {
        let asked = 2 * size;
        let (client, server) = sized_pair(trial, size)?;
        let mut taken = fill(&client, 5 * asked, trial.turn(SETTLED, Duration::ZERO))?;
        let start = Instant::now();
        while trial.turn(false, true) && taken < 5 * asked && start.elapsed() < PATIENCE {
            drain(&server)?;
            taken += fill(&client, 5 * asked - taken, Duration::ZERO)?;
        }
        trial.measure(format!("taken where {asked} were asked for"), taken as f64, Unit::Bytes);
        trial.state(format!("the sender where {asked} were asked for"), &client);
        holds &= (asked / 2..=4 * asked).contains(&taken);
        points.push((asked as f64, taken as f64));
    }
    let shares = points.iter().map(|(asked, taken)| format!("{:.1}", taken / asked)).collect::<Vec<_>>();
    let found = format!("{} times what was asked for", shares.join(", "));
    let asked = points.iter().map(|(asked, _)| (*asked, *asked)).collect();
    trial.figure(Figure {
        title: "What a sender can put away before it would block".into(),
        x: Axis::linear("SO_SNDBUF + SO_RCVBUF asked for (B)"),
        y: Axis::linear("bytes (B)"),
        shape: Shape::Lines,
        series: vec![Series { name: "taken".into(), points }, Series { name: "asked for".into(), points: asked }],
    });
    Ok(Seen { found, holds })
}
