//! defer-accept: a listener that is woken by data.

use std::io;
use std::time::Duration;

use crate::lab::ground::{PATIENCE, any_port, bound, listener, tcp};
use crate::lab::{Claim, Experiment, Finding, Obstacle, Seen, Trial};
use crate::select::{NONE, select};
use crate::socket::{Flags, Socket, Transfer, receive_with, send_all};

pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "defer-accept",
    question: "When is a server with TCP_DEFER_ACCEPT woken?",
    claims: &[
        Claim {
            says: "With TCP_DEFER_ACCEPT a connect does not wake the server; the first byte does.",
            expected: "silent after the connect, ready after the byte",
            control: "TCP_DEFER_ACCEPT is off",
            check: wakes_for_data,
        },
        Claim {
            says: "When the server accepts, the first bytes are there.",
            expected: "the receive right after the accept has them",
            control: "TCP_DEFER_ACCEPT is off",
            check: has_data_at_once,
        },
    ],
    explanation: "Usually a connection is in the listener's queue when the handshake is complete, and a server that accepts it at once \
        has nothing to receive yet: it is woken twice. With TCP_DEFER_ACCEPT Linux passes over the handshake's last acknowledgement when it carries no data. \
        The client has connected and knows of nothing; the server's side stays in SYN_RECV, and the connection comes into the queue with the first bytes. \
        A client that connects and says nothing costs the program no descriptor.\n\n\
        The time is a limit, counted in retransmissions of the SYN-ACK, so the system grants 1, 3, 7, 15, 31 seconds and so on; when it is over, the \
        connection is accepted without data if the client answers once more. Use it only where the client speaks first, as in HTTP: a server that greets first would \
        greet nobody until then. It does not replace a deadline for the first message.",
    sources: &["tcp(7), TCP_DEFER_ACCEPT", "listen(2)"],
};

/// Far longer than a connection on loopback takes to reach the queue.
const QUIET: Duration = Duration::from_millis(200);

fn wakes_for_data(trial: &mut Trial) -> Finding {
    let (woken_before, _) = served(trial)?;
    let found = if woken_before { "ready after the connect" } else { "silent after the connect, ready after the byte" };
    Ok(Seen { found: found.into(), holds: !woken_before })
}

fn has_data_at_once(trial: &mut Trial) -> Finding {
    let (_, first) = served(trial)?;
    let holds = first == Transfer::Moved(1);
    let found = if holds { "the receive had them" } else { "the receive would have had to wait" };
    Ok(Seen { found: found.into(), holds })
}

/// Whether the server was woken before the client sent a byte, and what its first receive came to.
fn served(trial: &mut Trial) -> Result<(bool, Transfer), Obstacle> {
    let (server, client) = (tcp()?, tcp()?);
    let time = trial.turn(Duration::from_secs(30), Duration::ZERO);
    trial.set("listener", &server, "TCP_DEFER_ACCEPT", time)?;
    server.bind(&any_port().into())?;
    server.listen(1)?;
    client.connect(&bound(&server)?.into())?;
    trial.state("the client before it sends", &client);
    let woken_before = is_ready(&server, QUIET)? || is_ready_after_another(&server)?;
    if !woken_before {
        send_all(&client, b"!", PATIENCE)?;
        if !is_ready(&server, PATIENCE)? {
            return Err(io::Error::from(io::ErrorKind::TimedOut).into());
        }
    }
    let (connection, _) = server.accept()?;
    Ok((woken_before, receive_with(&connection, &mut [0], Flags::DONTWAIT)?))
}

fn is_ready(listener: &Socket, within: Duration) -> io::Result<bool> {
    Ok(!select([listener], NONE, NONE, within)?.0.is_empty())
}

/// The same, once a later connection has reached another listener, however busy the machine is.
fn is_ready_after_another(server: &Socket) -> io::Result<bool> {
    let (other, address) = listener(1)?;
    tcp()?.connect(&address.into())?;
    other.accept()?;
    is_ready(server, Duration::ZERO)
}
