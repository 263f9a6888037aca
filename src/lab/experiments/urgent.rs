//! urgent: the byte of MSG_OOB, and who sees it.

use crate::events::EVENT_READ;
use crate::lab::ground::{PATIENCE, comes_true, ending, pair, rest, wakes};
use crate::lab::{Claim, Experiment, Finding, Obstacle, Seen, Trial};
use crate::select::{NONE, select};
use crate::selector::DefaultBackend;
use crate::socket::{Flags, Socket, TcpState, Transfer, half_close, receive_with, send, send_with, state};

pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "urgent",
    question: "Who sees a byte that was sent with MSG_OOB?",
    claims: &[
        Claim {
            says: "An urgent byte does not make a socket ready for EVENT_READ; select's exceptional list has it.",
            expected: "exceptional, not readable",
            control: "SO_OOBINLINE on",
            check: wakes_no_reader,
        },
        Claim {
            says: "A receive passes over the urgent byte, and one with MSG_OOB fetches it.",
            expected: "\"abcd\", and \"!\" with MSG_OOB",
            control: "SO_OOBINLINE on",
            check: is_passed_over,
        },
        Claim {
            says: "A receive stops before the urgent byte, however much there is behind it.",
            expected: "\"ab\"",
            control: "the byte is sent without MSG_OOB",
            check: stops_a_receive,
        },
    ],
    explanation: "TCP has one stream and no second channel. MSG_OOB sends its last byte in the stream as any other and sets the urgent pointer of the \
        header to it. The receiving kernel takes that byte out of the stream, keeps it aside (one only: the next urgent byte replaces it) and reports it \
        apart: POLLPRI in poll and epoll, the third list of select. A receive stops where it was, the mark; the next one goes on behind it, and then the \
        byte is gone. SO_OOBINLINE leaves the byte where it is.\n\n\
        A level-triggered loop that asks for POLLPRI together with POLLIN, and then only receives, is woken for ever by a byte that it never takes: any \
        peer can burn a processor that way. A selector here asks for POLLIN alone.\n\n\
        In a program: do not use it. The pointer's meaning differed between systems, middleboxes clear it, and RFC 6093 advises against it. A second \
        connection, or a message type, does what it promised. What a peer sends as urgent is then lost from the stream, or is data with SO_OOBINLINE.",
    sources: &["tcp(7)", "recv(2), MSG_OOB", "select(2)", "poll(2), POLLPRI", "RFC 6093", "RFC 9293, 3.8.5"],
};

fn wakes_no_reader(trial: &mut Trial) -> Finding {
    let (client, server) = pair(|_, _| Ok(()))?;
    trial.set("the receiver", &server, "SO_OOBINLINE", trial.turn(false, true))?;
    send_with(&client, b"!", Flags::OOB)?;
    let exceptional = !select(NONE, NONE, [&server], PATIENCE)?.2.is_empty();
    let readable = wakes::<DefaultBackend, _>(&server, EVENT_READ)?;
    let not = |so| if so { "" } else { "not " };
    let found = format!("{}exceptional, {}readable", not(exceptional), not(readable));
    Ok(Seen { found, holds: exceptional && !readable })
}

fn is_passed_over(trial: &mut Trial) -> Finding {
    let (client, server) = pair(|_, _| Ok(()))?;
    trial.set("the receiver", &server, "SO_OOBINLINE", trial.turn(false, true))?;
    send_with(&client, b"ab!", Flags::OOB)?;
    send(&client, b"cd")?;
    all_arrived(&client, &server)?;
    // Before the receive that goes past it.
    let mut byte = [0];
    let fetched = match receive_with(&server, &mut byte, Flags::OOB) {
        Ok(Transfer::Moved(1)) => format!("{:?}", char::from(byte[0])),
        Ok(_) => "nothing".into(),
        Err(error) => ending(error.raw_os_error()),
    };
    let received = String::from_utf8_lossy(&rest(&server).0).into_owned();
    Ok(Seen { found: format!("{received:?}, and {fetched} with MSG_OOB"), holds: received == "abcd" && byte == *b"!" })
}

fn stops_a_receive(trial: &mut Trial) -> Finding {
    let (client, server) = pair(|_, _| Ok(()))?;
    send_with(&client, b"ab!", trial.turn(Flags::OOB, Flags::NONE))?;
    send(&client, b"cd")?;
    all_arrived(&client, &server)?;
    let mut bytes = [0; 16];
    let Transfer::Moved(n) = receive_with(&server, &mut bytes, Flags::NONE)? else {
        return Ok(Seen { found: "nothing".into(), holds: false });
    };
    Ok(Seen { found: format!("{:?}", String::from_utf8_lossy(&bytes[..n])), holds: bytes[..n] == *b"ab" })
}

/// Ends `from`, and waits until `to` has the end, and so all before it.
fn all_arrived(from: &Socket, to: &Socket) -> Result<(), Obstacle> {
    half_close(from)?;
    comes_true(|| Ok(state(to)?.state == TcpState::CloseWait))?;
    Ok(())
}
