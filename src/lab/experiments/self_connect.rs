//! self-connect: a socket that is its own peer.

use std::io;

use crate::lab::ground::{PATIENCE, any_port, bound, errno_name, listener, pair, tcp};
use crate::lab::{Claim, Experiment, Finding, Seen, Trial, Unit};
use crate::socket::{Dial, options, progress, receive_exact, send_all};

pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "self-connect",
    question: "Can a socket be connected to itself?",
    claims: &[
        Claim {
            says: "A socket that connects to the port it is bound to is connected, and what it sends comes back to it.",
            expected: "its peer is itself, and hello came back",
            control: "another socket connects to that port",
            check: meets_itself,
        },
        Claim {
            says: "It happens by chance: a connect to a closed port is given that same port as its local one, sooner or later.",
            expected: "connected to itself after some tries",
            control: "the port is not among those that a connect is given",
            check: meets_itself_by_chance,
        },
        Claim {
            says: "socket::progress, by which dial and connect decide, counts it as refused.",
            expected: "ECONNREFUSED",
            control: "the peer is a server",
            check: is_told,
        },
    ],
    explanation: "TCP lets both sides connect at once (simultaneous open): each sends a SYN, and each answers the other's. A socket that \
        connects to its own address is both sides of that: its SYN arrives at itself, the answer too, and the connection is established, without a \
        listener anywhere.\n\n\
        A connect without bind is given a local port from the ephemeral range (Linux: 32768 to 60999). A server's port in that range which is \
        closed just now can be that one. So a client that tries again and again until its server is up meets itself now and then: it seems \
        connected, an echo works, and the server cannot start because its port is taken. Give servers ports outside the range, and after a \
        connect on the same machine compare both addresses: equal means that nobody is there. The experiment narrows the range to a few ports \
        (IP_LOCAL_PORT_RANGE, Linux 6.3), so that it takes a moment instead of thousands of tries.",
    sources: &["RFC 9293, 3.5 (figure 7)", "ip(7), IP_LOCAL_PORT_RANGE and ip_local_port_range"],
};

fn meets_itself(trial: &mut Trial) -> Finding {
    let (socket, other) = (tcp()?, tcp()?);
    socket.bind(&any_port().into())?;
    let address = bound(&socket)?;
    let client = trial.turn(&socket, &other);
    if let Err(error) = client.connect(&address.into()) {
        return Ok(Seen { found: errno_name(&error), holds: false });
    }
    trial.state("connected", client);
    send_all(client, b"hello", PATIENCE)?;
    let mut back = [0; 5];
    receive_exact(client, &mut back, PATIENCE)?;
    let peer = client.peer_addr()?.as_socket();
    let found = format!("bound to {}, peer {address}, {} came back", bound(client)?, back.escape_ascii());
    Ok(Seen { found, holds: peer == Some(bound(client)?) && back == *b"hello" })
}

/// How many local ports a connect is given one of.
const WIDTH: u16 = 8;
/// How often one closed port is tried, and how many of them: a bind to the same port at another address keeps connects from it.
const TRIES: u32 = 50;
const PORTS: u32 = 8;

fn meets_itself_by_chance(trial: &mut Trial) -> Finding {
    trial.measure("local ports to choose from", WIDTH.into(), Unit::Count);
    let mut tries = 0;
    for _ in 0..PORTS {
        // Nobody listens on the local port of a client, and while the client is there nobody can.
        let (client, _server) = pair(|_, _| Ok(()))?;
        let closed = bound(&client)?;
        let first = closed.port().saturating_add(trial.turn(0, 1));
        for _ in 0..TRIES {
            let client = tcp()?;
            options::local_ports(&client, first..=first.saturating_add(WIDTH - 1))?;
            tries += 1;
            match client.connect(&closed.into()) {
                Ok(()) => {
                    trial.measure("tries", tries.into(), Unit::Count);
                    let holds = bound(&client)? == closed;
                    return Ok(Seen { found: format!("connected to itself, try {tries}"), holds });
                }
                // Others may have all of those ports for the moment.
                Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(Seen { found: format!("refused {tries} times"), holds: false })
}

fn is_told(trial: &mut Trial) -> Finding {
    let (_listener, server) = listener(1)?;
    let client = tcp()?;
    client.bind(&any_port().into())?;
    client.connect(&trial.turn(bound(&client)?, server).into())?;
    Ok(match progress(&client)? {
        Dial::Failed(errno) => {
            Seen { found: errno_name(&io::Error::from_raw_os_error(errno)), holds: errno == libc::ECONNREFUSED }
        }
        state => Seen { found: format!("{state:?}").to_lowercase(), holds: false },
    })
}
