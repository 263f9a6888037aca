//! How much a protocol needs: it is called when that lies there, and not before.

use std::io::Write;
use std::net::TcpStream;

use selkey::{Flow, Out, Protocol, Reactor};

use super::support::{Log, Logged, Turning, connect, logged, pattern, read, turning};

/// Messages with their length in front, in four bytes. Keeps nothing between calls; answers each length.
struct Framed;

impl Protocol for Framed {
    fn open(&mut self, _out: &mut Out<'_, '_>) -> Flow {
        Flow::More { used: 0, need: 4 }
    }
    fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
        let Some((header, body)) = input.split_first_chunk() else { return Flow::More { used: 0, need: 4 } };
        let len = u32::from_be_bytes(*header) as usize;
        if body.len() < len {
            return Flow::More { used: 0, need: 4 + len };
        }
        out.lend(header);
        Flow::More { used: 4 + len, need: 4 }
    }
}

fn message(len: usize) -> Vec<u8> {
    [&(len as u32).to_be_bytes()[..], &pattern(len, 3)].concat()
}

/// A loop with one connection, which is accepted already, and what is written down about it.
fn one<P: Protocol + 'static>(mut make: impl FnMut() -> P + 'static) -> (Turning<Reactor<Logged<P>>>, TcpStream, Log) {
    let log = Log::default();
    let told = log.clone();
    let mut reactor = Reactor::new().unwrap();
    let address = reactor.listen("127.0.0.1:0", move |_| logged(&told, make())).unwrap();
    let mut reactor = turning(reactor);
    let client = connect(address);
    reactor.until("accepted", || log.count("open") == 1);
    (reactor, client, log)
}

/// Sends in pieces, each received in a turn of its own.
fn send_in_pieces(reactor: &mut Reactor<impl Protocol>, client: &mut TcpStream, bytes: &[u8], size: usize) {
    for piece in bytes.chunks(size) {
        client.write_all(piece).unwrap();
        reactor.turn().unwrap();
    }
}

#[test]
fn a_message_of_100_kb_in_pieces_of_1_kb_is_looked_at_twice() {
    let (mut reactor, mut client, log) = one(|| Framed);
    let bytes = message(100_000);
    send_in_pieces(&mut reactor, &mut client, &bytes, 1000);
    assert_eq!(log.lines(), ["open", "receive 1000", "receive 100004"]);
    assert_eq!(read(&mut client, 4), bytes[..4]);
}

#[test]
fn a_message_in_single_bytes_is_looked_at_twice() {
    let (mut reactor, mut client, log) = one(|| Framed);
    for _ in 0..2 {
        send_in_pieces(&mut reactor, &mut client, &message(50), 1);
    }
    assert_eq!(log.lines(), ["open", "receive 4", "receive 54", "receive 4", "receive 54"]);
    assert_eq!(read(&mut client, 8).len(), 8);
}

/// A long message, the start of the next one behind it.
#[test]
fn what_lies_behind_a_message_is_offered_at_once_when_it_is_enough() {
    let (mut reactor, mut client, log) = one(|| Framed);
    let bytes = [message(10), message(0), message(20)[..7].to_vec()].concat();
    send_in_pieces(&mut reactor, &mut client, &bytes, 1000);
    assert_eq!(log.lines()[1..], ["receive 25", "receive 11", "receive 7"]);
    send_in_pieces(&mut reactor, &mut client, &message(20)[7..], 16);
    assert_eq!(log.lines()[4..], ["receive 24"]);
    assert_eq!(read(&mut client, 12).len(), 12);
}

/// It cannot have more than there is, so it is asked again when there is more.
#[test]
fn nothing_used_and_no_more_needed_than_there_is_does_not_spin() {
    struct Vague;
    impl Protocol for Vague {
        fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
            if input.len() < 12 {
                return Flow::More { used: 0, need: input.len() / 2 };
            }
            out.lend(input);
            Flow::More { used: input.len(), need: 0 }
        }
    }
    let (mut reactor, mut client, log) = one(|| Vague);
    for piece in ["0123456789", "a", "b", "Z"] {
        send_in_pieces(&mut reactor, &mut client, piece.as_bytes(), 10);
    }
    assert_eq!(log.lines(), ["open", "receive 10", "receive 11", "receive 12", "receive 1"]);
    assert_eq!(read(&mut client, 12), b"0123456789ab");
}

#[test]
fn more_used_than_there_was_counts_as_all() {
    struct Greedy;
    impl Protocol for Greedy {
        fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
            out.lend(input);
            Flow::used(usize::MAX)
        }
    }
    let (mut reactor, mut client, log) = one(|| Greedy);
    send_in_pieces(&mut reactor, &mut client, b"abcdef", 3);
    assert_eq!(log.lines(), ["open", "receive 3", "receive 3"]);
    assert_eq!(read(&mut client, 6), b"abcdef");
}

/// Two requests in one segment, the second dropped: not here.
#[test]
fn pipelined_messages_are_answered_in_order_one_for_each_call() {
    struct Lines;
    impl Protocol for Lines {
        fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
            let Some(end) = input.iter().position(|&byte| byte == b'\n') else {
                return Flow::More { used: 0, need: input.len() + 1 };
            };
            out.write(b"<");
            out.lend(&input[..end]);
            out.write(b">");
            Flow::used(end + 1)
        }
    }
    let (mut reactor, mut client, log) = one(|| Lines);
    let requests: String = (0..100).map(|number| format!("{number}\n")).collect();
    let answers: String = (0..100).map(|number| format!("<{number}>")).collect();
    client.write_all(requests.as_bytes()).unwrap();
    reactor.turn().unwrap();
    assert_eq!(log.count("receive"), 100);
    assert_eq!(read(&mut client, answers.len()), answers.as_bytes());
}

/// One receive for each wake and connection, however much lies there.
#[test]
fn one_connection_does_not_keep_the_others_waiting() {
    let log = Log::default();
    let told = log.clone();
    let mut reactor = Reactor::new().unwrap();
    let mut number = 0;
    let address = reactor
        .listen("127.0.0.1:0", move |_| {
            number += 1;
            Counted { number, log: told.clone() }
        })
        .unwrap();
    let mut reactor = turning(reactor);
    let (mut greedy, mut modest) = (connect(address), connect(address));
    reactor.until("both accepted", || log.count("open") == 2);
    greedy.write_all(&vec![0; 300_000]).unwrap();
    modest.write_all(b"x").unwrap();
    reactor.until("the modest one was heard", || log.count("2 receives") == 1);
    assert!(log.count("1 receives") <= 2, "{:?}", log.lines());
}

struct Counted {
    number: usize,
    log: Log,
}

impl Protocol for Counted {
    fn open(&mut self, _out: &mut Out<'_, '_>) -> Flow {
        self.log.add("open");
        Flow::MORE
    }
    fn receive<'i>(&mut self, input: &'i [u8], _out: &mut Out<'i, '_>) -> Flow {
        self.log.add(format!("{} receives {}", self.number, input.len()));
        Flow::used(input.len())
    }
}
