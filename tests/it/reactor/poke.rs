//! Speaking unasked: to whom, in what order, and what it leaves as it was.

use std::cell::RefCell;
use std::io::Write;
use std::net::TcpStream;
use std::rc::Rc;

use selkey::{Flow, Key, Out, Protocol, Reactor};

use super::support::{Turning, ask, assert_same, connect, narrow, pattern, read, read_all, turning};

/// An echo of messages of four bytes that tells its key.
struct Keyed(Rc<RefCell<Vec<Key>>>);

impl Protocol for Keyed {
    fn open(&mut self, out: &mut Out<'_, '_>) -> Flow {
        self.0.borrow_mut().push(out.key());
        Flow::More { used: 0, need: 4 }
    }
    fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
        assert!(input.len() >= 4, "called with {} bytes", input.len());
        assert!(self.0.borrow().contains(&out.key()));
        out.lend(&input[..4]);
        Flow::More { used: 4, need: 4 }
    }
}

/// A loop with some connections, their peers and their keys.
fn keyed(connections: usize) -> (Turning<Reactor<Keyed>>, Vec<TcpStream>, Vec<Key>) {
    let keys = Rc::new(RefCell::new(Vec::new()));
    let told = keys.clone();
    let mut reactor = Reactor::new().unwrap();
    let make = move |socket: &selkey::socket::Socket| {
        narrow(socket);
        Keyed(told.clone())
    };
    let address = reactor.listen("127.0.0.1:0", make).unwrap();
    let mut reactor = turning(reactor);
    let mut clients = Vec::new();
    for number in 1..=connections {
        clients.push(connect(address));
        reactor.until("accepted", || keys.borrow().len() == number);
    }
    let keys = keys.borrow().clone();
    (reactor, clients, keys)
}

fn say<P: Protocol>(words: &'static [u8], flow: Flow) -> impl FnOnce(&mut P, &mut Out<'_, '_>) -> Flow {
    move |_, out| {
        out.write(words);
        flow
    }
}

#[test]
fn a_poke_sends_to_the_connection_of_that_key() {
    let (mut reactor, mut clients, keys) = keyed(3);
    for (key, words) in [(keys[2], b"third"), (keys[0], b"first"), (keys[1], b"2ond.")] {
        assert!(reactor.poke(key, say(words, Flow::MORE)));
    }
    for (client, words) in clients.iter_mut().zip([b"first", b"2ond.", b"third"]) {
        assert_eq!(read(client, 5), words);
    }
}

#[test]
fn a_poke_can_lend_what_lasts() {
    let (mut reactor, mut clients, keys) = keyed(1);
    assert!(reactor.poke(keys[0], |_, out| {
        out.lend(b"lasting");
        out.write(b", written");
        Flow::MORE
    }));
    assert_eq!(read(&mut clients[0], 16), b"lasting, written");
}

#[test]
fn a_poke_for_a_key_that_is_gone_is_false_and_speaks_to_nobody() {
    let (mut reactor, mut clients, keys) = keyed(2);
    assert!(reactor.poke(keys[0], |_, _| Flow::Abort));
    assert!(!reactor.poke(keys[0], |_, _| unreachable!()));
    // Its place may be taken by another.
    let mut other = connect(clients[1].peer_addr().unwrap());
    other.write_all(b"abcd").unwrap();
    for _ in 0..3 {
        reactor.turn_at_once();
    }
    assert!(!reactor.poke(keys[0], |_, _| unreachable!()));
    assert!(reactor.poke(keys[1], say(b"here", Flow::MORE)));
    assert_eq!(read(&mut clients[1], 4), b"here");
}

#[test]
fn a_poke_for_a_listener_is_false() {
    let mut reactor = Reactor::new().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let key = reactor.serve(selkey::socket::Socket::from(listener), |_| Keyed(Rc::default())).unwrap();
    assert!(!reactor.poke(key, |_, _| unreachable!()));
}

#[test]
fn a_close_through_a_poke_sends_the_last_word_first() {
    let (mut reactor, mut clients, keys) = keyed(1);
    assert!(reactor.poke(keys[0], say(b"goodbye", Flow::Close)));
    assert!(!reactor.poke(keys[0], |_, _| unreachable!()), "it is open no more");
    assert_eq!(read_all(&mut clients[0]), b"goodbye");
}

#[test]
fn an_abort_through_a_poke_resets() {
    let (mut reactor, mut clients, keys) = keyed(1);
    assert!(reactor.poke(keys[0], say(b"never sent", Flow::Abort)));
    let error = std::io::Read::read(&mut clients[0], &mut [0; 9]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn a_poke_leaves_how_much_is_needed_as_it_was() {
    let (mut reactor, mut clients, keys) = keyed(1);
    let client = &mut clients[0];
    for piece in ["ab", "c"] {
        client.write_all(piece.as_bytes()).unwrap();
        reactor.turn().unwrap();
        for flow in [Flow::MORE, Flow::used(7), Flow::More { used: 0, need: 100 }, Flow::Later { used: 0 }] {
            assert!(reactor.poke(keys[0], |_, _| flow));
        }
    }
    client.write_all(b"d").unwrap();
    reactor.turn().unwrap();
    assert_eq!(read(client, 4), b"abcd");
}

#[test]
fn pokes_and_answers_arrive_in_order_while_the_output_is_full() {
    let (mut reactor, mut clients, keys) = keyed(1);
    let mut client = clients.pop().unwrap();
    let mut expected = Vec::new();
    for seed in 0..40 {
        let bytes = pattern(20_000, seed);
        assert!(reactor.poke(keys[0], |_, out| {
            out.write(&bytes);
            Flow::MORE
        }));
        expected.extend(bytes);
    }
    client.write_all(b"last").unwrap();
    expected.extend_from_slice(b"last");
    let reader = std::thread::spawn(move || read(&mut client, 800_004));
    crate::harness::await_that("all is read", || {
        reactor.turn_at_once();
        reader.is_finished()
    });
    assert_same(&reader.join().unwrap(), &expected);
}

#[test]
fn an_idle_connection_is_as_before_after_a_poke() {
    let (mut reactor, mut clients, keys) = keyed(1);
    assert!(reactor.poke(keys[0], |_, _| Flow::MORE));
    let mut client = clients.pop().unwrap();
    let asker = std::thread::spawn(move || ask(&mut client, b"abcd"));
    reactor.turn().unwrap();
    assert_eq!(asker.join().unwrap(), b"abcd");
}
