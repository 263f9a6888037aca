//! reset: closes that destroy, and one that does not.

use std::thread;
use std::time::Duration;

use crate::lab::ground::{PATIENCE, comes_true, ending, pair, rest, stuffed};
use crate::lab::{Axis, Claim, Experiment, Figure, Finding, Obstacle, Seen, Series, Shape, Trial, Unit};
use crate::socket::{Flags, Socket, Transfer, close, receive_with, send};

pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "reset",
    question: "When is a close a reset, and what does it destroy?",
    claims: &[
        Claim {
            says: "A close with bytes unread is a reset: the peer gets ECONNRESET.",
            expected: "ECONNRESET",
            control: "the bytes are read before the close",
            check: unread_resets,
        },
        Claim {
            says: "The reset takes back what was sent before it and had not left: the peer gets less than was sent.",
            expected: "less than was sent, then ECONNRESET",
            control: "the unread bytes are read before the close",
            check: loses_what_was_sent,
        },
        Claim {
            says: "A close with SO_LINGER on and 0 is a reset, though nothing is unread.",
            expected: "ECONNRESET",
            control: "SO_LINGER off",
            check: linger_resets,
        },
        Claim {
            says: "shutdown(Write), then discarding until the peer's end, then a close: all that was sent arrives, though bytes were unread.",
            expected: "all that was sent, then the end",
            control: "a close at once",
            check: last_word_arrives,
        },
    ],
    explanation: "A close normally puts a FIN behind the bytes that still wait to be sent, and the kernel delivers them in the background. But if the \
        closing program has left bytes unread, the peer must not believe that they were used: the kernel then sends a RST instead and throws its send \
        buffer away. SO_LINGER with a time of 0 asks for the same.\n\n\
        A server that answers \"too large\" and closes while the client is still sending does just that, and the client, in place of the answer, gets \
        ECONNRESET. What had already reached the client's buffer can still be read on Linux; other systems drop that too.\n\n\
        So close in three steps: shutdown(Write), receive and discard until the peer's end (with a limit on bytes and time, for the peer may never end), \
        close. `selkey::socket::close` does it. Use SO_LINGER 0 only to get rid of a connection whose bytes nobody wants.",
    sources: &[
        "RFC 1122, 4.2.2.13 (closing with data unread)",
        "RFC 2525, 2.17 (failure to RST on close with data pending)",
        "RFC 9112, 9.6 (tear-down)",
        "socket(7), SO_LINGER",
        "close(2)",
    ],
};

fn unread_resets(trial: &mut Trial) -> Finding {
    let (client, server) = pair(|_, _| Ok(()))?;
    leave_unread(&client, &server)?;
    trial.state("the server before its close", &server);
    if trial.turn(false, true) {
        receive_with(&server, &mut [0; 16], Flags::NONE)?;
    }
    drop(server);
    Ok(is_reset(&client))
}

fn linger_resets(trial: &mut Trial) -> Finding {
    let (client, server) = pair(|_, _| Ok(()))?;
    trial.set("the server", &server, "SO_LINGER", trial.turn(Some(Duration::ZERO), None))?;
    drop(server);
    Ok(is_reset(&client))
}

fn is_reset(client: &Socket) -> Seen {
    let (_, errno) = rest(client);
    Seen { found: ending(errno), holds: errno == Some(libc::ECONNRESET) }
}

/// How a server closes whose client has not read yet, and has sent something itself.
#[derive(Clone, Copy)]
enum Close {
    Unread,
    Read,
    Lingering,
}

/// What pictures and numbers call them.
const WAYS: [(Close, &str); 3] =
    [(Close::Unread, "bytes unread"), (Close::Read, "all read first"), (Close::Lingering, "shutdown, discard")];

/// How many bytes a server sent before its close, how many the client received, and what ended them.
type Delivery = (usize, usize, Option<i32>);

fn loses_what_was_sent(trial: &mut Trial) -> Finding {
    let (sent, received, errno) = deliver(trial, trial.turn(WAYS[0], WAYS[1]))?;
    Ok(Seen { found: told(sent, received, errno), holds: received < sent && errno == Some(libc::ECONNRESET) })
}

fn last_word_arrives(trial: &mut Trial) -> Finding {
    let deliveries = [deliver(trial, WAYS[0])?, deliver(trial, WAYS[1])?, deliver(trial, WAYS[2])?];
    let points = |bytes: fn(&Delivery) -> usize| {
        (0..).map(f64::from).zip(deliveries.iter().map(|delivery| bytes(delivery) as f64)).collect()
    };
    trial.figure(Figure {
        title: "What arrives, by the way of closing".into(),
        x: Axis::names("", WAYS.map(|(_, name)| name)),
        y: Axis::linear("bytes"),
        shape: Shape::Bars,
        series: vec![
            Series { name: "sent".into(), points: points(|(sent, ..)| *sent) },
            Series { name: "received".into(), points: points(|(_, received, _)| *received) },
        ],
    });
    let (sent, received, errno) = trial.turn(deliveries[2], deliveries[0]);
    Ok(Seen { found: told(sent, received, errno), holds: received == sent && errno.is_none() })
}

fn deliver(trial: &mut Trial, (how, name): (Close, &str)) -> Result<Delivery, Obstacle> {
    let (server, client, sent) = stuffed(trial)?;
    leave_unread(&client, &server)?;
    if let Close::Read = how {
        receive_with(&server, &mut [0; 16], Flags::NONE)?;
    }
    trial.state(format!("the server before its close, {name}"), &server);
    let (received, errno) = if let Close::Lingering = how {
        // The client ends when it has read all.
        let reads = thread::spawn(move || rest(&client));
        close(server, PATIENCE);
        reads.join().unwrap_or_default()
    } else {
        drop(server);
        rest(&client)
    };
    trial.measure(format!("sent, {name}"), sent as f64, Unit::Bytes);
    trial.measure(format!("received, {name}"), received.len() as f64, Unit::Bytes);
    Ok((sent, received.len(), errno))
}

fn told(sent: usize, received: usize, errno: Option<i32>) -> String {
    format!("{received} of {sent} bytes, then {}", ending(errno))
}

/// Sends a few bytes that lie there unread when this is over.
fn leave_unread(from: &Socket, to: &Socket) -> Result<(), Obstacle> {
    send(from, b"request")?;
    let peek = Flags::PEEK | Flags::DONTWAIT;
    comes_true(|| Ok(receive_with(to, &mut [0; 16], peek)? == Transfer::Moved(7)))?;
    Ok(())
}
