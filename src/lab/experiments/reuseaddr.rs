//! reuseaddr: a port that is still taken after its server ended.

use std::fs;
use std::net::{Shutdown, SocketAddr};

use crate::lab::ground::{PATIENCE, answer, any_port, bound, patient, tcp};
use crate::lab::{Claim, Experiment, Finding, Obstacle, Trial};
use crate::socket::receive_some;

pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "reuseaddr",
    question: "Why can a server that was stopped not be started again at once, and what does SO_REUSEADDR change?",
    claims: &[
        Claim {
            says: "After a server closed its connection first, its port cannot be bound again without SO_REUSEADDR.",
            expected: "EADDRINUSE",
            control: "both listeners have it on",
            check: is_taken,
        },
        Claim {
            says: "With SO_REUSEADDR on both listeners it can, though the connection is in TIME_WAIT.",
            expected: "bound and listening",
            control: "the new listener has it off",
            check: is_bound_again,
        },
        Claim {
            says: "On Linux the new listener's SO_REUSEADDR does not help where the earlier one had it off.",
            expected: "EADDRINUSE",
            control: "the earlier listener has it on, too",
            check: takes_both,
        },
        Claim {
            says: "SO_REUSEADDR does not let a second listener onto the port of one that lives.",
            expected: "EADDRINUSE",
            control: "both have SO_REUSEPORT on instead",
            check: is_no_second_listener,
        },
    ],
    explanation: "The end of a connection that says first that it sends no more (the active close) stays in TIME_WAIT for a while after \
        both have closed: it must be able to repeat its last acknowledgement, and segments that are late must not reach a later connection of \
        the same two addresses. Linux keeps it for 60 seconds. No process has a descriptor of it, but the local port is taken, and bind answers \
        EADDRINUSE. Where the client closes first the wait is on the client's side, at a port that nobody misses.\n\n\
        SO_REUSEADDR, set before bind, says that connections which are left over do not matter. On Linux both sockets must have it, the earlier \
        listener (whose connections inherited it) and the new one. So a server sets it always. It does not let two servers share a \
        port: while a listener is there, a second one is refused, which is SO_REUSEPORT's matter. On Windows the option of the same name means something else.",
    sources: &["socket(7), SO_REUSEADDR", "bind(2), EADDRINUSE", "RFC 9293, 3.6.1"],
};

fn is_taken(trial: &mut Trial) -> Finding {
    let on = trial.turn(false, true);
    bind_again(trial, on, on, Some(libc::EADDRINUSE))
}

fn is_bound_again(trial: &mut Trial) -> Finding {
    let new = trial.turn(true, false);
    bind_again(trial, true, new, None)
}

fn takes_both(trial: &mut Trial) -> Finding {
    let earlier = trial.turn(false, true);
    bind_again(trial, earlier, true, Some(libc::EADDRINUSE))
}

fn is_no_second_listener(trial: &mut Trial) -> Finding {
    let option = trial.turn("SO_REUSEADDR", "SO_REUSEPORT");
    let (first, second) = (tcp()?, tcp()?);
    trial.set("first listener", &first, option, true)?;
    trial.set("second listener", &second, option, true)?;
    first.bind(&any_port().into())?;
    first.listen(1)?;
    let again = second.bind(&first.local_addr()?).and_then(|()| second.listen(1));
    Ok(answer(again, Some(libc::EADDRINUSE), "bound and listening"))
}

/// A server serves one connection and ends; then another is to listen on its port. With SO_REUSEADDR or without, the earlier and the new one.
fn bind_again(trial: &mut Trial, earlier: bool, new: bool, expected: Option<i32>) -> Finding {
    let before = time_waits_refused();
    let address = serve_one(trial, earlier)?;
    if time_waits_refused() != before {
        return Err(Obstacle::Lacking("net.ipv4.tcp_max_tw_buckets connections are in TIME_WAIT, no more fit".into()));
    }
    let listener = tcp()?;
    trial.set("new listener", &listener, "SO_REUSEADDR", new)?;
    let again = listener.bind(&address.into()).and_then(|()| listener.listen(1));
    Ok(answer(again, expected, "bound and listening"))
}

/// Where a server was that served one connection and closed first.
fn serve_one(trial: &mut Trial, reuse: bool) -> Result<SocketAddr, Obstacle> {
    let (listener, client) = (tcp()?, tcp()?);
    trial.set("earlier listener", &listener, "SO_REUSEADDR", reuse)?;
    listener.bind(&any_port().into())?;
    listener.listen(1)?;
    let address = bound(&listener)?;
    client.connect(&address.into())?;
    let server = patient(listener.accept()?.0)?;
    server.shutdown(Shutdown::Write)?;
    receive_some(&client, &mut [0], PATIENCE)?;
    trial.state("the server's end, before the client closes", &server);
    // Its close waits until the last acknowledgement is there: what is left of the connection is then on the server's side.
    client.set_linger(Some(PATIENCE))?;
    drop(client);
    Ok(address)
}

/// How many connections the kernel closed without a TIME_WAIT because it had no room for one more (TCPTimeWaitOverflow); `None` where it does not
/// tell.
fn time_waits_refused() -> Option<String> {
    let text = fs::read_to_string("/proc/net/netstat").ok()?;
    let mut lines = text.lines().filter(|line| line.starts_with("TcpExt:")).map(str::split_whitespace);
    let (names, values) = (lines.next()?, lines.next()?);
    names.zip(values).find(|(name, _)| *name == "TCPTimeWaitOverflow").map(|(_, value)| value.to_owned())
}
