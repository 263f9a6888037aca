//! Clients that misbehave or take their time, and servers that do.

use std::io::{Read, Write};
use std::iter;
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

#[cfg(target_os = "linux")]
use super::support::cpu;
use super::support::{Server, accept, client, dial, exchange, reset};
use super::transcripts::take_pieces;
use crate::harness::{PATIENCE, alone};

#[test]
fn a_reset_ends_one_connection_and_no_other() {
    for backend in ["epoll", "poll", "select"] {
        let mut server = Server::start(&["--backend", backend]);
        let (mut other, other_name) = server.meet();
        let (mut stream, name) = server.meet();
        exchange(&mut stream, b"x");
        assert_eq!(server.program.line(), format!("Echoing b'x' to {name}"));
        reset(stream);
        let failed = server.program.line();
        assert_eq!(
            failed,
            format!("Connection to {name} failed: Connection reset by peer (os error {})", libc::ECONNRESET)
        );
        assert_eq!(server.program.line(), format!("Closing connection to {name}"));
        exchange(&mut other, b"y");
        assert_eq!(server.program.line(), format!("Echoing b'y' to {other_name}"));
        server.program.interrupt();
    }
}

#[test]
fn a_reset_with_unread_answers_ends_one_connection_and_no_other() {
    let mut server = Server::start(&[]);
    let (mut other, _) = server.meet();
    let (mut stream, name) = server.meet();
    // Never read: the server ends up with bytes that it cannot send.
    stream.set_nonblocking(true).unwrap();
    let block = [b'x'; 64 << 10];
    while stream.write(&block).is_ok() {}
    reset(stream);
    let closing = format!("Closing connection to {name}");
    while server.program.line() != closing {}
    exchange(&mut other, b"y");
    server.program.interrupt();
}

#[test]
fn a_client_that_is_gone_before_it_is_accepted_is_told_of_and_does_no_harm() {
    // Alone, since whoever starts a process elsewhere has a copy of the connection for a moment, and the reset waits for it.
    alone(concat!(module_path!(), "::a_client_that_is_gone_before_it_is_accepted_is_told_of_and_does_no_harm"), || {
        let mut server = Server::start(&[]);
        server.program.freeze();
        reset(dial(server.address));
        server.program.signal(libc::SIGCONT);
        // Some systems do not hand out such a connection.
        let mut stream = dial(server.address);
        let accepted = format!("Accepted connection from {}", stream.local_addr().unwrap());
        let mut lines = Vec::new();
        while lines.last() != Some(&accepted) {
            lines.push(server.program.line());
        }
        exchange(&mut stream, b"x");
        lines.extend(server.program.interrupt());
        for line in &lines {
            assert!(!line.ends_with(' ') && !line.contains("  "), "{line:?} names nobody");
        }
    });
}

#[test]
fn a_client_that_sends_no_more_still_gets_every_byte() {
    let mut server = Server::start(&["--once", "1"]);
    let (mut stream, name) = server.meet();
    let sent: Vec<u8> = (0..3u32 << 20).map(|n| (n ^ (n >> 8) ^ (n >> 16)) as u8).collect();
    let (mut writer, bytes) = (stream.try_clone().unwrap(), sent.clone());
    let writing = thread::spawn(move || {
        writer.write_all(&bytes).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut back = Vec::new();
    stream.read_to_end(&mut back).unwrap();
    writing.join().unwrap();
    assert!(back == sent, "{} of {} bytes came back, or others", back.len(), sent.len());

    let lines = server.program.succeed();
    let (last, echoes) = lines.split_last().unwrap();
    assert_eq!(*last, format!("Closing connection to {name}"));
    // Long pieces name their length, short ones are not worth adding up here.
    let told: usize = echoes.iter().filter_map(|line| length_told(line, name)).sum();
    assert!(told <= sent.len() && told > sent.len() / 2, "{told} bytes told");
}

fn length_told(line: &str, name: SocketAddr) -> Option<usize> {
    let line = line.strip_prefix("Echoing b").unwrap().strip_suffix(&format!(" to {name}")).unwrap();
    line.strip_suffix(" bytes)")?.rsplit_once("... (")?.1.parse().ok()
}

#[test]
fn a_client_that_says_nothing_and_leaves_is_told_of() {
    let mut server = Server::start(&["--once", "2"]);
    let (stream, name) = server.meet();
    drop(stream);
    assert_eq!(server.program.line(), format!("Closing connection to {name}"));
    let (mut stream, name) = server.meet();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    assert_eq!(server.program.succeed(), [format!("Closing connection to {name}")]);
}

#[test]
fn two_clients_are_served_at_once_while_a_third_is_idle() {
    let mut server = Server::start(&["--once", "3"]);
    let (mut idle, idle_name) = server.meet();
    let (mut one, one_name) = server.meet();
    let (mut two, two_name) = server.meet();
    for n in 0..20 {
        for (stream, name) in [(&mut one, one_name), (&mut two, two_name)] {
            let text = format!("{n} {name}");
            exchange(stream, text.as_bytes());
            let mut lines = iter::from_fn(|| server.program.next_line());
            take_pieces(&mut lines, "Echoing ", text.as_bytes(), &format!(" to {name}"));
        }
    }
    exchange(&mut idle, b"!");
    assert_eq!(server.program.line(), format!("Echoing b'!' to {idle_name}"));
    drop((idle, one, two));
    server.program.succeed();
}

#[cfg(target_os = "linux")]
#[test]
fn idle_connections_cost_no_processor_time() {
    for backend in ["epoll", "poll", "select"] {
        let mut server = Server::start(&["--backend", backend]);
        let silent = server.meet();
        // One that spoke, and one that sends no more but holds its end open.
        let (mut spoke, spoke_name) = server.meet();
        exchange(&mut spoke, b"x");
        assert_eq!(server.program.line(), format!("Echoing b'x' to {spoke_name}"));
        let (mut half, half_name) = server.meet();
        half.shutdown(Shutdown::Write).unwrap();
        assert_eq!(half.read(&mut [0]).unwrap(), 0);
        assert_eq!(server.program.line(), format!("Closing connection to {half_name}"));
        let before = cpu(server.program.pid());
        server.program.is_silent_for(Duration::from_secs(1));
        let used = cpu(server.program.pid()) - before;
        assert!(used < Duration::from_millis(10), "{backend}: {used:?} of a second");
        drop((silent, spoke, half));
    }
}

/// What our client says about a server that answers `answer` to 44 bytes, and closes.
fn client_says(answer: &[u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let program = client(listener.local_addr().unwrap(), 1, &[]);
    let mut stream = accept(&listener);
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.read_exact(&mut [0; 44]).unwrap();
    stream.write_all(answer).unwrap();
    drop(stream);
    let ended = program.end();
    assert_eq!((ended.status, ended.errors.len()), (Some(1), 1), "{ended:?}");
    assert!(!ended.lines.iter().any(|line| line.starts_with("Closing")), "{ended:?}");
    ended.errors.concat()
}

#[test]
fn a_client_says_what_is_wrong_with_an_answer() {
    let different = "error: connection 1: what came back differs from what was sent";
    assert_eq!(client_says(b"Message 1 from client.Message 3"), different);
    assert_eq!(client_says(b"message 1 from client.Message 2 from client."), different);
    assert_eq!(client_says(b""), "error: connection 1: closed after 0 of 44 bytes");
    assert_eq!(client_says(b"Message 1 from client.Mess"), "error: connection 1: closed after 26 of 44 bytes");
}

#[test]
fn a_client_says_how_many_of_its_connections_failed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let program = client(listener.local_addr().unwrap(), 3, &["--quiet"]);
    let streams: Vec<_> = (0..3).map(|_| accept(&listener)).collect();
    for (n, mut stream) in streams.into_iter().enumerate() {
        let mut message = [0; 44];
        stream.read_exact(&mut message).unwrap();
        stream.write_all(&message[..if n == 1 { 7 } else { 44 }]).unwrap();
    }
    let ended = program.end();
    assert_eq!((ended.status, ended.lines.len(), ended.errors.len()), (Some(1), 0, 1), "{ended:?}");
    let error = &ended.errors[0];
    let (start, end) = ("error: 1 of 3 connections failed, the first: connection ", ": closed after 7 of 44 bytes");
    assert!(error.starts_with(start) && error.ends_with(end), "{error}");
}
