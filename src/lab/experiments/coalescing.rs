//! coalescing: how many receives it takes for what several sends put in.

use std::io;

use socket2::Type;

use crate::lab::ground::{PATIENCE, any_port, bound, pair, udp};
use crate::lab::{Claim, Experiment, Finding, Obstacle, Seen, Trial, Unit};
use crate::socket::{Flags, Socket, Transfer, receive, receive_with, send_all};

pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "coalescing",
    question: "Does one receive give what one send put in?",
    claims: &[
        Claim {
            says: "A stream has no boundaries: what several sends put in, one receive takes out.",
            expected: "10 sends, 1 receive",
            control: "the sends are datagrams",
            check: |trial| takes(trial, [Type::STREAM, Type::DGRAM], 1),
        },
        Claim {
            says: "Datagrams are not merged.",
            expected: "10 sends, 10 receives",
            control: "the sends go into a stream",
            check: |trial| takes(trial, [Type::DGRAM, Type::STREAM], SENDS),
        },
        Claim {
            says: "What a short buffer leaves of a stream comes with the next receive.",
            expected: "all bytes",
            control: "the send is a datagram, whose rest is lost",
            check: loses_nothing,
        },
    ],
    explanation: "TCP carries a stream of bytes. Several small sends may travel in one segment, one large send in many, and the receiver's kernel \
        puts all of them into one queue from which a receive takes what is there, up to the size of its buffer. Programs that take one receive for one \
        message work on an idle machine and break under load, when the messages come stuck together or in pieces.\n\n\
        Say in the stream itself where a message ends: a length in front of it, or a delimiter behind it, and receive until it is whole. A datagram \
        is different. It arrives whole or not at all, each receive takes exactly one, and what does not fit into the buffer is thrown away.",
    sources: &["recv(2)", "udp(7)", "RFC 9293, section 3.7", "RFC 768"],
};

const SENDS: usize = 10;
const PIECE: [u8; 7] = *b"message";

fn takes(trial: &mut Trial, kinds: [Type; 2], expected: usize) -> Finding {
    let (client, server) = connected(trial.turn(kinds[0], kinds[1]))?;
    for _ in 0..SENDS {
        send_all(&client, &PIECE, PATIENCE)?;
    }
    let mut bytes = [0; SENDS * PIECE.len()];
    // Waits until all is there, and leaves it there. Of datagrams it sees the first.
    receive_with(&server, &mut bytes, Flags::PEEK | Flags::WAITALL)?;
    let (mut received, mut receives) = (0, 0);
    while received < bytes.len() {
        received += some(&server, &mut bytes)?;
        receives += 1;
    }
    trial.measure("receives", receives as f64, Unit::Count);
    Ok(Seen {
        found: format!("{SENDS} sends, {receives} {}", if receives == 1 { "receive" } else { "receives" }),
        holds: receives == expected,
    })
}

fn loses_nothing(trial: &mut Trial) -> Finding {
    let (client, server) = connected(trial.turn(Type::STREAM, Type::DGRAM))?;
    send_all(&client, &PIECE, PATIENCE)?;
    let mut bytes = [0; PIECE.len()];
    let first = some(&server, &mut bytes[..3])?;
    // What comes behind it: here the rest, there this.
    send_all(&client, b"next", PATIENCE)?;
    let second = some(&server, &mut bytes[first..])?;
    let found = String::from_utf8_lossy(&bytes[..first + second]).into_owned();
    Ok(Seen { holds: bytes == PIECE, found })
}

/// Two ends that are connected to each other.
fn connected(kind: Type) -> Result<(Socket, Socket), Obstacle> {
    if kind == Type::STREAM {
        return Ok(pair(|_, _| Ok(()))?);
    }
    let (client, server) = (udp()?, udp()?);
    server.bind(&any_port().into())?;
    client.connect(&bound(&server)?.into())?;
    Ok((client, server))
}

/// One receive that must bring something.
fn some(socket: &Socket, bytes: &mut [u8]) -> Result<usize, Obstacle> {
    match receive(socket, bytes)? {
        Transfer::Moved(n) => Ok(n),
        other => Err(io::Error::other(format!("a receive came to {other:?}")).into()),
    }
}
