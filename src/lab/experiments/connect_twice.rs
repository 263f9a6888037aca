//! connect-twice: a second connect on a connected socket.

use crate::lab::ground::{answer, listener, tcp};
use crate::lab::{Claim, Experiment, Finding, Trial};

pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "connect-twice",
    question: "What does a second connect on a connected socket answer?",
    claims: &[Claim {
        says: "A second connect on a connected TCP socket is EISCONN.",
        expected: "EISCONN",
        control: "the second connect is made by a new socket",
        check: is_refused,
    }],
    explanation: "A TCP connection is the pair of its two addresses, so a socket that has a peer cannot be given another one: the address \
        of a connected socket is what the connection is.\n\n\
        The answer stays the same while the connection ends; to connect again, make a new socket. A datagram socket is another matter: there connect \
        only sets where datagrams go, and may be called as often as one likes.",
    sources: &["connect(2)", "POSIX.1-2017, connect()"],
};

fn is_refused(trial: &mut Trial) -> Finding {
    let (listener, address) = listener(2)?;
    let client = tcp()?;
    client.connect(&address.into())?;
    let _server = listener.accept()?;
    trial.state("after the first connect", &client);
    let other = tcp()?;
    let again = trial.turn(&client, &other).connect(&address.into());
    Ok(answer(again, Some(libc::EISCONN), "connected"))
}
