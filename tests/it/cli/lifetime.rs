//! How a server ends, and begins again.

use std::io::{self, BufRead, BufReader, Read, pipe};
use std::net::{SocketAddr, TcpListener};
use std::process::Stdio;
#[cfg(target_os = "linux")]
use std::{
    fs::File,
    io::Write,
    os::fd::{FromRawFd, OwnedFd},
    os::unix::process::CommandExt,
    ptr,
};

use selkey::socket::Socket;
use socket2::{Domain, Type};

use super::support::{Program, Server, accept, client, dial, exchange, selkey};
use super::transcripts::is_servers;
#[cfg(target_os = "linux")]
use crate::harness::check;
use crate::harness::{again, alone};

#[test]
fn an_interrupt_ends_the_server_with_a_word_and_success() {
    let server = Server::start(&[]);
    assert_eq!(server.program.interrupt(), ["Caught keyboard interrupt, exiting"]);
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_in_a_terminal_is_on_a_line_of_its_own() {
    // Alone, since the terminal must not be open anywhere else.
    alone(concat!(module_path!(), "::ctrl_c_in_a_terminal_is_on_a_line_of_its_own"), || {
        let (mut keyboard, terminal) = terminal();
        let mut command = selkey();
        command.args(["multiconn-server", "127.0.0.1", "0"]).stdout(terminal).stderr(Stdio::piped());
        // SAFETY: both calls are allowed between fork and exec.
        unsafe {
            command.pre_exec(|| {
                check(libc::setsid());
                check(libc::ioctl(libc::STDOUT_FILENO, libc::TIOCSCTTY, 0));
                Ok(())
            });
        }
        let program = Program::of(&mut command);
        drop(command);
        let mut screen = BufReader::new(keyboard.try_clone().unwrap());
        let mut shown = String::new();
        screen.read_line(&mut shown).unwrap();
        keyboard.write_all(b"\x03").unwrap();
        program.succeed();
        // The end of a terminal is an error on Linux.
        while screen.read_line(&mut shown).is_ok_and(|n| n > 0) {}
        // The system sends the signal before it shows `^C`, so that may even come last.
        assert!(shown.contains("Caught keyboard interrupt, exiting"), "{shown:?}");
        assert!(!shown.contains("^CCaught"), "{shown:?}");
    });
}

/// What a user types into and sees, and what a program writes to.
#[cfg(target_os = "linux")]
pub fn terminal() -> (File, OwnedFd) {
    let (mut master, mut slave) = (-1, -1);
    // SAFETY: the call fills in two descriptors, which nobody else has; the other pointers may be null.
    unsafe {
        check(libc::openpty(&mut master, &mut slave, ptr::null_mut(), ptr::null(), ptr::null()));
        for fd in [master, slave] {
            check(libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC));
        }
        (File::from_raw_fd(master), OwnedFd::from_raw_fd(slave))
    }
}

#[test]
fn a_termination_signal_ends_the_server_with_a_word_and_success() {
    let server = Server::start(&[]);
    server.program.signal(libc::SIGTERM);
    assert_eq!(server.program.succeed(), ["Caught termination signal, exiting"]);
}

#[test]
fn a_signal_ends_a_server_with_connections_on_every_backend() {
    for (backend, signal) in
        ["epoll", "poll", "select"].into_iter().flat_map(|name| [(name, libc::SIGINT), (name, libc::SIGTERM)])
    {
        let mut server = Server::start(&["--backend", backend]);
        let (mut idle, idle_name) = server.meet();
        let (mut busy, busy_name) = server.meet();
        exchange(&mut busy, b"x");
        assert_eq!(server.program.line(), format!("Echoing b'x' to {busy_name}"));
        server.program.signal(signal);
        let lines = server.program.succeed();
        assert!(lines[0].starts_with("Caught ") && lines[0].ends_with(", exiting"), "{lines:?}");
        for name in [idle_name, busy_name] {
            assert!(lines[1..].contains(&format!("Closing connection to {name}")), "{lines:?}");
        }
        assert_eq!(lines.len(), 3);
        for stream in [&mut idle, &mut busy] {
            assert_eq!(again(|| stream.read(&mut [0])).unwrap(), 0);
        }
    }
}

#[test]
fn many_signals_at_once_are_no_more_than_one() {
    let server = Server::start(&[]);
    server.program.freeze();
    for _ in 0..100 {
        server.program.signal(libc::SIGINT);
    }
    server.program.signal(libc::SIGCONT);
    assert_eq!(server.program.succeed(), ["Caught keyboard interrupt, exiting"]);
}

#[test]
fn a_server_for_n_connections_ends_after_the_nth_has_ended() {
    let mut server = Server::start(&["--once", "3"]);
    let (mut first, _) = server.meet();
    for _ in 0..2 {
        let (mut next, name) = server.meet();
        exchange(&mut next, b"x");
        drop(next);
        assert_eq!(server.program.line(), format!("Echoing b'x' to {name}"));
        assert_eq!(server.program.line(), format!("Closing connection to {name}"));
    }
    // Two have ended, the first is still served.
    exchange(&mut first, b"y");
    drop(first);
    assert_eq!(server.program.succeed().len(), 2);
}

#[test]
fn a_server_starts_again_at_once_on_the_port_it_had() {
    let mut server = Server::start(&[]);
    let address = server.address;
    for _ in 0..3 {
        let (mut stream, _) = server.meet();
        exchange(&mut stream, b"x");
        // The server closes first, so the connection's TIME_WAIT is on its side.
        server.program.interrupt();
        assert_eq!(again(|| stream.read(&mut [0])).unwrap(), 0);
        drop(stream);
        if bind_without_reuse(address).is_ok() {
            println!("skipped: the system has too many connections in TIME_WAIT to keep another");
        }
        server = Server::on("127.0.0.1", address.port(), &[]);
        assert_eq!(server.address, address);
    }
    client(address, 2, &[]).succeed();
    let mut lines = server.program.interrupt();
    assert_eq!(lines.pop().unwrap(), "Caught keyboard interrupt, exiting");
    is_servers(&lines, 2);
}

#[test]
fn a_server_starts_on_a_port_where_a_connection_of_an_earlier_one_is_still_open() {
    // Alone, since whoever starts a process elsewhere has a copy of the earlier listener for a moment.
    alone(
        concat!(module_path!(), "::a_server_starts_on_a_port_where_a_connection_of_an_earlier_one_is_still_open"),
        || {
            let earlier = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = earlier.local_addr().unwrap();
            let left = (dial(address), accept(&earlier));
            drop(earlier);
            assert_eq!(bind_without_reuse(address).unwrap_err().raw_os_error(), Some(libc::EADDRINUSE));
            let server = Server::on("127.0.0.1", address.port(), &["--once", "2"]);
            assert_eq!(server.address, address);
            client(address, 2, &[]).succeed();
            is_servers(&server.program.succeed(), 2);
            drop(left);
        },
    );
}

fn bind_without_reuse(address: SocketAddr) -> io::Result<()> {
    Socket::new(Domain::IPV4, Type::STREAM, None)?.bind(&address.into())
}

#[test]
fn a_reader_that_goes_away_ends_no_server() {
    // Alone, since whoever starts a process elsewhere has a copy of the reading end for a moment.
    alone(concat!(module_path!(), "::a_reader_that_goes_away_ends_no_server"), || {
        let (reader, writer) = pipe().unwrap();
        let mut command = selkey();
        command.args(["multiconn-server", "127.0.0.1", "0"]).stdout(writer).stderr(Stdio::piped());
        let program = Program::of(&mut command);
        // It holds our copy of the writing end.
        drop(command);
        let mut reader = BufReader::new(reader);
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        drop(reader);
        let address = line.trim().strip_prefix("Listening on ").unwrap().parse().unwrap();
        for _ in 0..3 {
            exchange(&mut dial(address), b"is anybody there?");
        }
        assert!(program.interrupt().is_empty());
    });
}

#[test]
fn a_reader_of_errors_that_goes_away_changes_no_status() {
    alone(concat!(module_path!(), "::a_reader_of_errors_that_goes_away_changes_no_status"), || {
        for (status, args) in [
            (1, &["multiconn-server", "192.0.2.1", "0"][..]),
            (2, &["multiconn-server", "127.0.0.1", "65536"]),
            (2, &[]),
        ] {
            let (reader, writer) = pipe().unwrap();
            drop(reader);
            let ended = Program::of(selkey().args(args).stdout(Stdio::piped()).stderr(writer)).end();
            assert_eq!(ended.status, Some(status), "{args:?}");
        }
    });
}
