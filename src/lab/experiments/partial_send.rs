//! partial-send: a send that takes less than it was offered, and what delivers the rest.

use std::io;
use std::net::Shutdown;
use std::thread;

use crate::lab::ground::{PATIENCE, sized_pair};
use crate::lab::{Claim, Experiment, Finding, Seen, Trial, Unit};
use crate::socket::{Flags, Socket, Transfer, receive_some, send_all, send_with};

pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "partial-send",
    question: "Does a send that succeeds take all that it was offered?",
    claims: &[
        Claim {
            says: "A send that does not block takes what fits into the buffers, and says how much that was.",
            expected: "some bytes, fewer than offered",
            control: "the send blocks, and a reader reads",
            check: is_partial,
        },
        Claim {
            says: "A loop over what was not taken, as in sendall, delivers everything.",
            expected: "all bytes arrive, in order",
            control: "one send, whose count is not looked at",
            check: is_delivered,
        },
    ],
    explanation: "A send copies bytes into the kernel's send buffer. A blocking send waits there until the last byte has been copied. One that does not \
        block copies what fits now and returns how much that was, which is a success and no error; only where nothing fits at all it \
        answers EAGAIN. A program that drops the count loses the rest silently, and mostly only with large messages, slow readers, full buffers: not in \
        its tests.\n\n\
        So keep what was not taken, wait until the socket is writable, and go on from there. Python's sendall and send_all here do that where the program may \
        wait; with a selector, keep a queue for each connection and ask for write readiness as long as it is not empty. A blocking send can be \
        partial too, when a signal or a timeout ends it in the middle.",
    sources: &["send(2)", "POSIX.1-2017, send()", "socket(7), SO_SNDTIMEO"],
};

/// More than both buffers hold together.
const OFFERED: usize = 4 << 20;
const BUFFER: usize = 64 << 10;

fn offered() -> Vec<u8> {
    (0..OFFERED).map(|at| (at % 251) as u8).collect()
}

fn is_partial(trial: &mut Trial) -> Finding {
    let (client, server) = sized_pair(trial, BUFFER)?;
    let (bytes, blocks) = (offered(), trial.turn(false, true));
    let taken = thread::scope(|scope| {
        // It ends with the stream; what it read is of no interest.
        let _reader = blocks.then(|| scope.spawn(|| read(&server)));
        let taken = send_with(&client, &bytes, if blocks { Flags::NONE } else { Flags::DONTWAIT });
        client.shutdown(Shutdown::Write)?;
        taken
    })?;
    let Transfer::Moved(taken) = taken else { return Ok(Seen { found: format!("{taken:?}"), holds: false }) };
    trial.measure("offered", OFFERED as f64, Unit::Bytes);
    trial.measure("taken", taken as f64, Unit::Bytes);
    trial.state("after the send", &client);
    Ok(Seen { found: format!("{taken} of {OFFERED} bytes"), holds: taken < OFFERED })
}

fn is_delivered(trial: &mut Trial) -> Finding {
    let (client, server) = sized_pair(trial, BUFFER)?;
    let (bytes, loops) = (offered(), trial.turn(true, false));
    let Transfer::Moved(taken) = send_with(&client, &bytes, Flags::DONTWAIT)? else {
        return Ok(Seen { found: "nothing was taken".into(), holds: false });
    };
    let arrived = thread::scope(|scope| {
        let reader = scope.spawn(|| read(&server));
        if loops {
            send_all(&client, &bytes[taken..], PATIENCE)?;
        }
        client.shutdown(Shutdown::Write)?;
        reader.join().unwrap_or_else(|_| Err(io::Error::other("the reader broke off")))
    })?;
    trial.measure("taken by the first send", taken as f64, Unit::Bytes);
    trial.measure("arrived", arrived.len() as f64, Unit::Bytes);
    Ok(Seen { found: format!("{} of {OFFERED} bytes arrived", arrived.len()), holds: arrived == bytes })
}

/// Everything up to the end.
fn read(socket: &Socket) -> io::Result<Vec<u8>> {
    let (mut all, mut bytes) = (Vec::new(), [0; 65_536]);
    loop {
        match receive_some(socket, &mut bytes, PATIENCE)? {
            0 => return Ok(all),
            n => all.extend_from_slice(&bytes[..n]),
        }
    }
}
