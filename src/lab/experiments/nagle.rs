//! nagle: two small writes and an answer, with and without what holds the second one back.

use std::io::IoSlice;
use std::time::{Duration, Instant};

use crate::lab::ground::{PATIENCE, pair};
use crate::lab::{Axis, Claim, Experiment, Figure, Finding, Obstacle, Seen, Series, Shape, Trial, Unit};
use crate::socket::{Flags, Socket, options, receive_exact, send_all, send_slices, send_with, state};

pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "nagle",
    question: "What do two small writes cost before the answer comes, and what makes them cheap?",
    claims: &[
        Claim {
            says: "Write, write, read: the answer is late by a delayed acknowledgement.",
            expected: "20 ms or more, mostly 40",
            control: "TCP_NODELAY is on at the writer",
            check: is_late,
        },
        Claim {
            says: "TCP_QUICKACK at the reader, renewed before each receive, takes the delay away.",
            expected: "less than 20 ms",
            control: "TCP_QUICKACK is left alone",
            check: |trial| is_prompt(trial, Remedy::QuickAck),
        },
        Claim {
            says: "MSG_MORE on the first write joins both in one segment.",
            expected: "1 segment",
            control: "the flag is left out",
            check: |trial| is_joined(trial, Remedy::More),
        },
        Claim {
            says: "TCP_CORK on before the writes and off after them joins both in one segment.",
            expected: "1 segment",
            control: "TCP_CORK is left alone",
            check: |trial| is_joined(trial, Remedy::Cork),
        },
    ],
    explanation: "Nagle's algorithm sends a small segment at once only if nothing is unacknowledged; otherwise it waits until the acknowledgement \
        comes, or until a segment is full. So the first write leaves and the second one waits. The peer has got half a request, has nothing to answer, \
        and delays its acknowledgement in the hope that it can ride on an answer: about 40 ms on Linux, up to half a second by the RFC. Each side waits \
        for the other. At the start of a connection Linux acknowledges at once, so the delay does not show in the first few exchanges.\n\n\
        The remedy is to hand the kernel a whole request: build it in one buffer, or send its parts in one call (writev, sendmsg). MSG_MORE and TCP_CORK \
        say that more follows; the kernel holds a segment that is not full for 200 ms at most. TCP_NODELAY turns Nagle off, then each write may \
        be a segment of its own: quick, with more packets. TCP_QUICKACK is for a peer whose other end cannot be mended, and does not last.",
    sources: &[
        "tcp(7), TCP_NODELAY, TCP_CORK and TCP_QUICKACK",
        "send(2), MSG_MORE",
        "RFC 896",
        "RFC 9293, sections 3.7.4 and 3.8.6.3",
        "RFC 1122, section 4.2.3.2",
    ],
};

/// How the second write is kept from waiting.
#[derive(Clone, Copy, PartialEq)]
enum Remedy {
    Nothing,
    NoDelay,
    QuickAck,
    More,
    Cork,
    OneCall,
}

const REMEDIES: [(Remedy, &str); 6] = [
    (Remedy::Nothing, "nothing"),
    (Remedy::NoDelay, "TCP_NODELAY"),
    (Remedy::QuickAck, "TCP_QUICKACK"),
    (Remedy::More, "MSG_MORE"),
    (Remedy::Cork, "TCP_CORK"),
    (Remedy::OneCall, "one call"),
];

/// Between what a delayed acknowledgement costs and what loopback does.
const LATE: Duration = Duration::from_millis(20);
/// Exchanges, of which the median counts.
const MEASURED: usize = 5;
/// Plain exchanges before each of them. Linux delays acknowledgements on connections where answers follow requests.
const PLAIN: usize = 8;

const HEAD: [u8; 20] = [b'h'; 20];
const BODY: [u8; 30] = [b'b'; 30];
const ANSWER: [u8; 10] = [b'a'; 10];

fn is_late(trial: &mut Trial) -> Finding {
    let (tried, mut tried_latency) = (trial.turn(Remedy::Nothing, Remedy::NoDelay), Duration::ZERO);
    let mut points = Vec::new();
    for (place, (remedy, _)) in REMEDIES.into_iter().enumerate() {
        let latency = match median(trial, remedy) {
            Ok((latency, _)) => latency,
            // A bar less.
            Err(Obstacle::Lacking(_)) => continue,
            Err(failed) => return Err(failed),
        };
        if remedy == tried {
            tried_latency = latency;
        }
        points.push((place as f64, latency.as_secs_f64() * 1e3));
    }
    trial.figure(Figure {
        title: "Two small writes, then the answer".into(),
        x: Axis::names("what is done about it", REMEDIES.map(|(_, name)| name)),
        y: Axis::linear("latency (ms)"),
        shape: Shape::Bars,
        series: vec![Series { name: "median latency".into(), points }],
    });
    Ok(Seen { found: format!("{tried_latency:.1?}"), holds: tried_latency >= LATE })
}

fn is_prompt(trial: &mut Trial, remedy: Remedy) -> Finding {
    let (latency, _) = median(trial, trial.turn(remedy, Remedy::Nothing))?;
    Ok(Seen { found: format!("{latency:.1?}"), holds: latency < LATE })
}

fn is_joined(trial: &mut Trial, remedy: Remedy) -> Finding {
    let (latency, segments) = median(trial, trial.turn(remedy, Remedy::Nothing))?;
    Ok(Seen {
        found: format!("{segments} {}, {latency:.1?}", if segments == 1 { "segment" } else { "segments" }),
        holds: segments == 1,
    })
}

/// How long the answer took, and in how many segments the request left: the median of each.
fn median(trial: &mut Trial, remedy: Remedy) -> Result<(Duration, u32), Obstacle> {
    if remedy == Remedy::More && Flags::MORE == Flags::NONE {
        return Err(Obstacle::Lacking("this system has no MSG_MORE".into()));
    }
    let (client, server) = pair(|_, _| Ok(()))?;
    if remedy == Remedy::NoDelay {
        trial.set("client", &client, "TCP_NODELAY", true)?;
    }
    let (mut latencies, mut segments) = ([Duration::ZERO; MEASURED], [0; MEASURED]);
    for (latency, segments) in latencies.iter_mut().zip(&mut segments) {
        for _ in 0..PLAIN {
            send_all(&client, &HEAD, PATIENCE)?;
            answer(&client, &server, HEAD.len())?;
        }
        let (before, start) = (sent(&client)?, Instant::now());
        write_twice(&client, &server, remedy)?;
        answer(&client, &server, HEAD.len() + BODY.len())?;
        (*latency, *segments) = (start.elapsed(), sent(&client)? - before);
    }
    latencies.sort();
    segments.sort();
    let (latency, segments) = (latencies[MEASURED / 2], segments[MEASURED / 2]);
    let name = REMEDIES.iter().find(|(known, _)| *known == remedy).map_or("", |(_, name)| name);
    trial.measure(format!("latency with {name}"), latency.as_secs_f64(), Unit::Seconds);
    trial.measure(format!("segments with {name}"), segments.into(), Unit::Count);
    trial.state(format!("the client with {name}"), &client);
    Ok((latency, segments))
}

fn write_twice(client: &Socket, server: &Socket, remedy: Remedy) -> Result<(), Obstacle> {
    if remedy == Remedy::OneCall {
        send_slices(client, &[IoSlice::new(&HEAD), IoSlice::new(&BODY)], Flags::NONE)?;
        return Ok(());
    }
    if remedy == Remedy::Cork {
        options::set(client, "TCP_CORK", true)?;
    }
    send_with(client, &HEAD, if remedy == Remedy::More { Flags::MORE } else { Flags::NONE })?;
    send_all(client, &BODY, PATIENCE)?;
    match remedy {
        Remedy::Cork => drop(options::set(client, "TCP_CORK", false)?),
        Remedy::QuickAck => drop(options::set(server, "TCP_QUICKACK", true)?),
        _ => {}
    }
    Ok(())
}

/// Receives a request of this length at the server, answers, and receives the answer at the client.
fn answer(client: &Socket, server: &Socket, request: usize) -> Result<(), Obstacle> {
    receive_exact(server, &mut vec![0; request], PATIENCE)?;
    send_all(server, &ANSWER, PATIENCE)?;
    Ok(receive_exact(client, &mut [0; ANSWER.len()], PATIENCE)?)
}

/// Segments with data that this end has sent.
fn sent(socket: &Socket) -> Result<u32, Obstacle> {
    let lacking = || Obstacle::Lacking("this kernel does not count segments".into());
    state(socket)?.segments_sent.ok_or_else(lacking)
}
