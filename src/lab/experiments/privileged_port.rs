//! privileged-port: ports that are not for everybody.

use std::net::SocketAddr;
use std::panic::resume_unwind;
use std::thread;

use crate::lab::ground::{answer, sysctl, tcp};
use crate::lab::{Claim, Experiment, Finding, Obstacle, Trial, Unit};
use crate::sys::probe::give_up_port_privilege;

pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "privileged-port",
    question: "Who may bind a port below 1024?",
    claims: &[Claim {
        says: "A thread without the privilege is refused the last port below the border: 1024, unless the system was told otherwise.",
        expected: "EACCES",
        control: "the port is the first one from the border on",
        check: is_refused,
    }],
    explanation: "Ports below 1024 are where the well-known services are. On Unix only a privileged process may bind them, so that a user's \
        program cannot pose as the machine's own server. On Linux the privilege is the capability CAP_NET_BIND_SERVICE, which root has, and the border is \
        net.ipv4.ip_unprivileged_port_start; container engines often set that to 0. The check comes first: the answer is EACCES also for a port that is \
        in use. Here the bind is tried on a thread that has given the capability up for itself, so root sees the same as any user.\n\n\
        A program does not need to be root for it. Give it the one capability (setcap, or AmbientCapabilities= of systemd), let systemd bind the port \
        and hand the socket over, or bind a higher port behind a proxy. A server that starts as root binds first, and gives up all rights before it \
        accepts.",
    sources: &[
        "ip(7), EACCES and ip_unprivileged_port_start",
        "bind(2), EACCES",
        "capabilities(7), CAP_NET_BIND_SERVICE",
        "RFC 6335, 6",
    ],
};

fn is_refused(trial: &mut Trial) -> Finding {
    let told = sysctl("net.ipv4.ip_unprivileged_port_start").ok().and_then(|told| told.first().copied());
    let border = told.and_then(|port| u16::try_from(port).ok()).unwrap_or(1024);
    trial.measure("first port for everybody", border.into(), Unit::Count);
    let Some(last) = border.checked_sub(1).filter(|port| *port > 0) else {
        return Err(Obstacle::Lacking(format!(
            "net.ipv4.ip_unprivileged_port_start is {border}: every port is for everybody"
        )));
    };
    let port = trial.turn(last, border);
    let socket = tcp()?;
    let work = || socket.bind(&SocketAddr::from(([127, 0, 0, 1], port)).into());
    let bound = thread::scope(|scope| scope.spawn(|| give_up_port_privilege().map(|()| work())).join())
        .unwrap_or_else(|panic| resume_unwind(panic))
        .map_err(|error| Obstacle::Lacking(format!("no thread can give up the privilege: {error}")))?;
    if bound.is_ok() && port == last {
        return Err(Obstacle::Lacking(format!("this process may bind port {port}, and cannot give that up")));
    }
    Ok(answer(bound, Some(libc::EACCES), "bound"))
}
