//! No message allocates, and no header makes its receiver allocate much: counted by thread, in a binary of its own.

#[path = "alloc/codec.rs"]
mod codec;
#[path = "alloc/counting.rs"]
mod counting;

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::sync::mpsc;
use std::thread;

use selkey::apps::{Transcript, udp};
use selkey::{Flow, Out, Protocol, Reactor};

use counting::{ALLOCATIONS, HELD};

const MESSAGES: usize = 10_000;

type Answer = for<'i> fn(&'i [u8], &mut Out<'i, '_>);

/// Answers as it is told, and counts what the messages after the first thousand allocate.
struct Echo {
    answer: Answer,
    seen: usize,
    before: usize,
    tell: mpsc::Sender<usize>,
}

impl Protocol for Echo {
    fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
        self.seen += 1;
        let allocations = ALLOCATIONS.get();
        if self.seen == 1000 {
            self.before = allocations;
        } else if self.seen == 1000 + MESSAGES {
            self.tell.send(allocations - self.before).unwrap();
        }
        (self.answer)(input, out);
        Flow::used(input.len())
    }
}

fn allocations(answer: Answer) -> usize {
    let (tell, told) = mpsc::channel();
    let (tell_address, address) = mpsc::channel();
    let server = thread::spawn(move || {
        let mut reactor = Reactor::new().unwrap();
        let make = move |_: &_| Echo { answer, seen: 0, before: 0, tell: tell.clone() };
        tell_address.send(reactor.listen("127.0.0.1:0", make).unwrap()).unwrap();
        while reactor.stats().accepted == 0 || reactor.stats().connections > 0 {
            reactor.turn().unwrap();
        }
    });
    let mut client = TcpStream::connect(address.recv().unwrap()).unwrap();
    client.set_nodelay(true).unwrap();
    let mut back = [0; 100];
    for _ in 0..1000 + MESSAGES {
        client.write_all(&[b'm'; 100]).unwrap();
        client.read_exact(&mut back).unwrap();
    }
    drop(client);
    server.join().unwrap();
    told.recv().unwrap()
}

#[test]
fn ten_thousand_lent_messages_allocate_nothing() {
    assert_eq!(allocations(|input, out| out.lend(input)), 0);
}

#[test]
fn ten_thousand_written_messages_allocate_nothing() {
    assert_eq!(allocations(|input, out| out.write(input)), 0);
}

#[test]
fn ten_thousand_messages_of_both_kinds_allocate_nothing() {
    assert_eq!(
        allocations(|input, out| {
            for pair in input.chunks(10) {
                out.lend(&pair[..5]);
                out.write(&pair[5..]);
            }
        }),
        0
    );
}

#[test]
fn ten_thousand_datagrams_allocate_nothing() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (client, address) = (UdpSocket::bind("127.0.0.1:0").unwrap(), socket.local_addr().unwrap());
    let mut server = udp::Server::new(socket.into(), &Transcript::silent()).unwrap();
    let mut before = 0;
    for n in 0..1000 + MESSAGES as u64 {
        if n == 1000 {
            before = ALLOCATIONS.get();
        }
        client.send_to(&[b'm'; 100], address).unwrap();
        while server.tally().echoed == n {
            server.turn(None).unwrap();
        }
        client.recv(&mut [0; 100]).unwrap();
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
}

/// The counter counts: otherwise the tests above would prove nothing.
#[test]
fn an_allocation_is_counted() {
    let before = ALLOCATIONS.get();
    drop(std::hint::black_box(vec![1; 100]));
    assert!(ALLOCATIONS.get() > before);
}
