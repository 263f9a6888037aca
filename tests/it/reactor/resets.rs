//! Peers that reset: their connection ends, the loop and the others go on.

use std::io::{Read, Write};

use selkey::{Flow, Out, Protocol, Reactor};

use super::support::{Echo, Log, Server, ask, connect, logged, narrow, pattern, reset, turning};
use crate::harness::{alone, await_that};

#[test]
fn a_peer_that_resets_ends_its_own_connection_alone() {
    const PEERS: usize = 50;
    let log = Log::default();
    let told = log.clone();
    let server = Server::start(move |_| logged(&told, Echo));
    let mut lasting = server.client();
    assert_eq!(ask(&mut lasting, b"before"), b"before");
    for number in 0..PEERS {
        let mut peer = server.client();
        assert_eq!(ask(&mut peer, b"x"), b"x");
        if number % 2 == 0 {
            // With bytes that it will never read.
            peer.write_all(b"answer this").unwrap();
        }
        reset(peer);
    }
    await_that("all are dropped", || log.count("drop") == PEERS);
    assert_eq!(log.count("failed ConnectionReset"), PEERS, "{:?}", log.lines());
    assert_eq!((log.count("failed"), log.count("end")), (PEERS, 0));
    assert_eq!(ask(&mut lasting, b"after"), b"after");
}

/// In order for one connection: `failed` once and last, then the drop.
#[test]
fn a_reset_is_told_once_and_last() {
    let log = Log::default();
    let told = log.clone();
    let server = Server::start(move |_| logged(&told, Echo));
    let mut peer = server.client();
    assert_eq!(ask(&mut peer, b"x"), b"x");
    reset(peer);
    await_that("it is dropped", || log.count("drop") == 1);
    let lines = log.lines();
    assert_eq!(lines[..2], ["open", "receive 1"]);
    assert!(lines[2].starts_with("failed ConnectionReset"), "{lines:?}");
    assert_eq!(lines[3..], ["drop"]);
}

/// Not read at that time, only waiting to write.
#[test]
fn a_reset_is_noticed_while_the_output_is_full() {
    let log = Log::default();
    let told = log.clone();
    let mut reactor = Reactor::new().unwrap();
    let make = move |socket: &selkey::socket::Socket| {
        narrow(socket);
        logged(&told, Flood)
    };
    let address = reactor.listen("127.0.0.1:0", make).unwrap();
    let mut reactor = turning(reactor);
    let mut peer = connect(address);
    peer.write_all(b"go").unwrap();
    reactor.until("it pours", || log.count("receive") > 0);
    reset(peer);
    reactor.until("it is dropped", || log.count("drop") == 1);
    assert_eq!((log.count("failed"), log.count("end")), (1, 0), "{:?}", log.lines());
}

/// Pours without end.
struct Flood;

impl Protocol for Flood {
    fn receive<'i>(&mut self, _input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
        while !out.is_full() {
            out.write(&[1; 5000]);
        }
        Flow::Later { used: 0 }
    }
}

/// The host program may be one in C, where the signal kills.
#[test]
fn a_send_after_a_reset_raises_no_sigpipe() {
    alone(concat!(module_path!(), "::a_send_after_a_reset_raises_no_sigpipe"), || {
        // SAFETY: no handler is set, so nothing of ours runs in the signal.
        assert_ne!(unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) }, libc::SIG_ERR);
        /// Answers in a way that lends, writes, and does both.
        struct Answers(usize);
        impl Protocol for Answers {
            fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
                self.0 += 1;
                out.lend(input);
                if self.0.is_multiple_of(2) {
                    out.write(b"written");
                    out.lend(&input[..1]);
                }
                Flow::used(input.len())
            }
        }
        let server = Server::start(|_| Answers(0));
        for number in 0..100 {
            let mut peer = server.client();
            peer.write_all(&pattern(100, number)).unwrap();
            if number % 3 == 0 {
                peer.read_exact(&mut [0; 100]).unwrap();
            }
            peer.write_all(&pattern(1000, number)).unwrap();
            reset(peer);
        }
        let mut lasting = server.client();
        assert_eq!(ask(&mut lasting, b"alive"), b"alive");
    });
}

/// The same, where it is certain that a send meets a broken pipe: the peer's reset was noticed by nobody yet, and poking sends.
#[test]
fn a_poke_after_a_reset_raises_no_sigpipe() {
    alone(concat!(module_path!(), "::a_poke_after_a_reset_raises_no_sigpipe"), || {
        // SAFETY: no handler is set, so nothing of ours runs in the signal.
        assert_ne!(unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) }, libc::SIG_ERR);
        let (ours, theirs) = crate::harness::tcp_pair();
        let log = Log::default();
        let mut reactor = Reactor::new().unwrap();
        let key = reactor.adopt(ours, logged(&log, Echo)).unwrap();
        reset(theirs);
        // The first send takes the reset's error, if it was not taken already; the second would be the signal.
        while reactor.poke(key, |_, out| {
            out.write(b"anybody?");
            out.lend(b"!");
            Flow::MORE
        }) {}
        assert_eq!(log.count("failed"), 1, "{:?}", log.lines());
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        drop(theirs);
        let key = reactor.adopt(ours, logged(&log, Echo)).unwrap();
        assert!(reactor.poke(key, |_, out| {
            out.write(b"anybody?");
            Flow::MORE
        }));
        assert_eq!(log.count("failed BrokenPipe"), 1, "{:?}", log.lines());
    });
}
