//! reuseport-connect: one local port, two connections.

use crate::lab::ground::{answer, any_port, listener, tcp};
use crate::lab::{Claim, Experiment, Finding, Obstacle, Seen, Trial};
use crate::socket::Socket;

pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "reuseport-connect",
    question: "Can one local port be connected to two servers?",
    claims: &[
        Claim {
            says: "Two sockets with SO_REUSEPORT, bound to the same address, connect to two servers.",
            expected: "both servers see the same client address",
            control: "SO_REUSEPORT is off",
            check: connects_to_two,
        },
        Claim {
            says: "The same two addresses cannot be connected twice.",
            expected: "EADDRNOTAVAIL",
            control: "the second connects to another server",
            check: is_no_second_connection,
        },
    ],
    explanation: "A connection is named by both of its addresses: local address and port, remote address and port. So one local port can have \
        as many connections as there are remote addresses, as a server's port has. For sockets that are bound before they connect, bind is in the way: it \
        does not know yet whom they will connect to, and refuses the second one with EADDRINUSE unless both have SO_REUSEPORT on (or, on Linux, \
        SO_REUSEADDR while none of them listens).\n\n\
        What must be unique is the pair. A second connect between the same two addresses is refused; Linux answers EADDRNOTAVAIL. In a program leave \
        the local port to the system where you can: connect without bind picks one, and on Linux may pick the same for different servers. The \
        deliberate use of one port for several peers is hole punching through address translators.",
    sources: &["socket(7), SO_REUSEPORT", "connect(2), EADDRNOTAVAIL", "RFC 9293, 3.4.1", "RFC 5128, 3.4"],
};

fn connects_to_two(trial: &mut Trial) -> Finding {
    let ((one, here), (other, there)) = (listener(1)?, listener(1)?);
    let on = trial.turn(true, false);
    let (first, second) = clients(trial, on)?;
    first.bind(&any_port().into())?;
    first.connect(&here.into())?;
    let again = second.bind(&first.local_addr()?).and_then(|()| second.connect(&there.into()));
    if again.is_err() {
        return Ok(answer(again, None, ""));
    }
    let ((_, seen_here), (_, seen_there)) = (one.accept()?, other.accept()?);
    let names = [seen_here, seen_there].map(|seen| seen.as_socket().map_or_else(String::new, |seen| seen.to_string()));
    Ok(Seen { found: format!("the servers see {} and {}", names[0], names[1]), holds: names[0] == names[1] })
}

fn is_no_second_connection(trial: &mut Trial) -> Finding {
    let ((_one, here), (_other, there)) = (listener(2)?, listener(2)?);
    let (first, second) = clients(trial, true)?;
    first.bind(&any_port().into())?;
    second.bind(&first.local_addr()?)?;
    first.connect(&here.into())?;
    let again = second.connect(&trial.turn(here, there).into());
    Ok(answer(again, Some(libc::EADDRNOTAVAIL), "connected"))
}

fn clients(trial: &mut Trial, on: bool) -> Result<(Socket, Socket), Obstacle> {
    let (first, second) = (tcp()?, tcp()?);
    trial.set("first client", &first, "SO_REUSEPORT", on)?;
    trial.set("second client", &second, "SO_REUSEPORT", on)?;
    Ok((first, second))
}
