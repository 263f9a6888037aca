//! A run takes no more memory for more messages.

use std::process::{Child, Command, Stdio};
use std::{io, mem};

use super::Server;
use crate::cli::support::selkey;
use crate::harness::again;

/// Runs it to its end and answers the most memory it had, in KiB.
fn most_memory(command: &mut Command) -> i64 {
    let child: Child = command.stdout(Stdio::null()).spawn().unwrap();
    let mut status = 0;
    // SAFETY: a usage of zeros is a valid one, which the call below fills in.
    let mut usage: libc::rusage = unsafe { mem::zeroed() };
    let wait = || {
        // SAFETY: both places live through the call. The child is waited for once, here.
        let waited = unsafe { libc::wait4(child.id() as libc::pid_t, &mut status, 0, &mut usage) };
        if waited < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    };
    again(wait).unwrap();
    assert_eq!(status, 0);
    usage.ru_maxrss
}

#[test]
fn memory_does_not_grow_with_the_number_of_messages() {
    let server = Server::start(&["--quiet"]);
    let port = server.address.port().to_string();
    let run = |messages| {
        let address = ["bench", "echo", "127.0.0.1", &port];
        most_memory(selkey().args(address).args(["-c", "4", "-p", "100", "-n", messages, "--interval", "0.05"]))
    };
    let (few, many) = (run("1000"), run("600000"));
    // A byte kept of each would be 600 KiB, eight 4.7 MiB. Intervals take some at once.
    assert!(many < few + 4096, "{few} KiB for a thousand, {many} KiB for 600 thousand");
}
