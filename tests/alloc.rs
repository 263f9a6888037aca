//! No message allocates, and no header makes its receiver allocate much: counted by thread, in a binary of its own.

#[path = "alloc/codec.rs"]
mod codec;
#[path = "alloc/counting.rs"]
mod counting;

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::sync::mpsc;
use std::thread;

use selkey::apps::app::{Search, Server};
use selkey::apps::{Transcript, udp};
use selkey::message::Header;
use selkey::socket::Socket;
use selkey::{Flow, Out, Protocol, Reactor};

use counting::{ALLOCATIONS, HELD};

const MESSAGES: usize = 10_000;

type Answer = for<'i> fn(&'i [u8], &mut Out<'i, '_>);

struct Echo(Answer);

impl Protocol for Echo {
    fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
        (self.0)(input, out);
        Flow::used(input.len())
    }
}

/// Counts what the messages after the first thousand allocate.
struct Counted<P> {
    protocol: P,
    seen: usize,
    before: usize,
    tell: mpsc::Sender<usize>,
}

impl<P: Protocol> Protocol for Counted<P> {
    fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
        self.seen += 1;
        let allocations = ALLOCATIONS.get();
        if self.seen == 1000 {
            self.before = allocations;
        } else if self.seen == 1000 + MESSAGES {
            self.tell.send(allocations - self.before).unwrap();
        }
        self.protocol.receive(input, out)
    }
}

fn allocations(answer: Answer) -> usize {
    allocations_of(move || move |_: &_| Echo(answer), &[b'm'; 100], 100)
}

/// What a server with the protocols that `prepare` makes on its thread allocates for messages like this one, answered with so many bytes.
fn allocations_of<P: Protocol + 'static, M: FnMut(&Socket) -> P + 'static>(
    prepare: impl FnOnce() -> M + Send + 'static,
    message: &[u8],
    answered: usize,
) -> usize {
    let (tell, told) = mpsc::channel();
    let (tell_address, address) = mpsc::channel();
    let server = thread::spawn(move || {
        let mut reactor = Reactor::new().unwrap();
        let mut protocol = prepare();
        let make = move |socket: &_| Counted { protocol: protocol(socket), seen: 0, before: 0, tell: tell.clone() };
        tell_address.send(reactor.listen("127.0.0.1:0", make).unwrap()).unwrap();
        while reactor.stats().accepted == 0 || reactor.stats().connections > 0 {
            reactor.turn().unwrap();
        }
    });
    let mut client = TcpStream::connect(address.recv().unwrap()).unwrap();
    client.set_nodelay(true).unwrap();
    let mut back = vec![0; answered];
    for _ in 0..1000 + MESSAGES {
        client.write_all(message).unwrap();
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

/// Requests of the application protocol: found, not found, refused, not JSON.
#[test]
fn ten_thousand_requests_allocate_nothing() {
    let first = (&b"First 10 bytes of request: "[..], "binary/custom-server-binary-type", "binary");
    for (kind, encoding, content, (start, answer_kind, answer_encoding)) in [
        (
            "text/json",
            "utf-8",
            r#"{"action": "search", "value": "ring"}"#,
            ("{\"result\": \"In the caves beneath the Misty Mountains. 💍\"}".as_bytes(), "text/json", "utf-8"),
        ),
        (
            "text/json",
            "utf-8",
            r#"{"action": "search", "value": "x"}"#,
            (br#"{"result": "No match for 'x'."}"#, "text/json", "utf-8"),
        ),
        (
            "text/json",
            "utf-8",
            r#"{"action": "find", "value": "x"}"#,
            (br#"{"result": "Error: invalid action 'find'."}"#, "text/json", "utf-8"),
        ),
        ("text/json", "utf-8", "{}", (br#"{"result": "Error: the content has no \"action\""}"#, "text/json", "utf-8")),
        ("image/png", "binary", "", first),
    ] {
        let mut request = Vec::new();
        Header::new(kind, encoding, content.len())
            .with_keep_alive()
            .encode(|bytes| request.extend_from_slice(bytes))
            .unwrap();
        request.extend_from_slice(content.as_bytes());
        let mut reply = 0;
        let header = Header::new(answer_kind, answer_encoding, start.len()).with_keep_alive();
        header.encode(|bytes| reply += bytes.len()).unwrap();
        let prepare = || {
            let search = Search::default();
            let server = Server::new(move |request: &_, reply: &mut _| search.answer(request, reply));
            move |socket: &Socket| server.accept(socket)
        };
        assert_eq!(allocations_of(prepare, &request, reply + start.len()), 0, "{content}");
    }
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
