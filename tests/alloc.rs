//! No message allocates, and no header makes its receiver allocate much: counted by thread, in a binary of its own.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;

use selkey::message::{Decoded, Decoder, Header, dumps};
use selkey::{Flow, Out, Protocol, Reactor};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    /// Bytes allocated here and not freed, now and at most. Less than none where they were another thread's.
    static HELD: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

fn count(bytes: usize) {
    // A thread that ends has no counter any more, and nobody asks.
    let _ = ALLOCATIONS.try_with(|allocations| allocations.set(allocations.get() + 1));
    hold(bytes as isize);
}

fn hold(bytes: isize) {
    let _ = HELD.try_with(|held| {
        let now = held.get().0 + bytes;
        held.set((now, held.get().1.max(now)));
    });
}

// SAFETY: every call goes on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller promises what the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both are there for a moment, at worst.
        count(size);
        hold(-(layout.size() as isize));
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        hold(-(layout.size() as isize));
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

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
        let handle = reactor.handle();
        let make = move |_: &_| {
            handle.drain();
            Echo { answer, seen: 0, before: 0, tell: tell.clone() }
        };
        tell_address.send(reactor.listen("127.0.0.1:0", make).unwrap()).unwrap();
        reactor.run().unwrap();
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

/// The counter counts: otherwise the tests above would prove nothing.
#[test]
fn an_allocation_is_counted() {
    let before = ALLOCATIONS.get();
    drop(std::hint::black_box(vec![1; 100]));
    assert!(ALLOCATIONS.get() > before);
}

/// A request is read and its reply written, ten thousand times, on a connection that is kept.
#[test]
fn ten_thousand_searches_allocate_nothing() {
    fn encode(members: &[(&str, &str)], out: &mut Vec<u8>) {
        let content = dumps(members);
        let header = Header::new("text/json", "utf-8", content.len()).with_keep_alive();
        header.encode(|bytes| out.extend_from_slice(bytes)).unwrap();
        write!(out, "{content}").unwrap();
    }
    let (mut request, mut reply) = (Vec::new(), Vec::with_capacity(1000));
    encode(&[("action", "search"), ("value", "morpheus")], &mut request);
    let mut decoder = Decoder::new();
    let before = ALLOCATIONS.get();
    for _ in 0..MESSAGES {
        assert!(matches!(decoder.decode(&request[..1]), Ok(Decoded::Need(2))));
        let Ok(Decoded::Need(needed)) = decoder.decode(&request[..request.len() - 1]) else { panic!() };
        assert_eq!(needed, request.len());
        let Ok(Decoded::Message { message, .. }) = decoder.decode(&request) else { panic!() };
        let content = message.object().unwrap();
        assert_eq!((&*content.string("action").unwrap(), message.header().keep_alive()), ("search", true));
        reply.clear();
        let value = content.string("value").unwrap();
        encode(&[("result", "Follow the white rabbit. 🐰"), ("value", &value)], &mut reply);
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
}

/// What a header says of lengths, counts and depth allocates nothing; only the bytes that came do, in measure.
#[test]
fn no_header_allocates_more_than_some_times_its_own_length() {
    const MOST: isize = 32 * selkey::message::MAX_HEADER as isize;
    let header = |length: &str, extra: &str| {
        format!(
            r#"{{"byteorder": "big", "content-type": "", "content-encoding": "", "content-length": {length}{extra}}}"#
        )
    };
    let extra = |open: &str, member: &str, close: &str| {
        format!(r#", "x": {open}{}{close}"#, vec![member; 65_000 / (member.len() + 1)].join(","))
    };
    let members: String = (0..7_000).map(|n| format!(r#","{n:x}":1"#)).collect();
    for header in [
        header("16777216", ""),
        header("1000000000000", ""),
        header("5", &extra("[", "1", "]")),
        header("5", &extra("[", "[]", "]")),
        header("5", &extra("[", r#"{"":1}"#, "]")),
        header("5", &members),
        "[".repeat(65_535),
        " ".repeat(65_535),
        header(&"9".repeat(65_000), ""),
        header("5", &format!(r#", "x": "{}""#, r"\u0041".repeat(10_000))),
    ] {
        let wire = [&u16::try_from(header.len()).unwrap().to_be_bytes(), header.as_bytes()].concat();
        HELD.set((0, 0));
        let whole = matches!(Decoder::new().decode(&wire), Ok(Decoded::Message { .. }));
        let most = HELD.get().1;
        assert!(!whole && most <= MOST, "{most} bytes for {}", &header[..header.len().min(150)]);
    }
}

#[test]
fn no_content_is_made_into_values_to_be_an_object() {
    let content = format!(r#"{{"x": [{}], "action": "search"}}"#, vec![r#"{"": [1.5, null]}"#; 10_000].join(","));
    let mut wire = Vec::new();
    selkey::message::encode("text/json", "utf-8", content.as_bytes(), &mut wire).unwrap();
    let Ok(Decoded::Message { message, .. }) = Decoder::new().decode(&wire) else { panic!() };
    let before = ALLOCATIONS.get();
    assert_eq!(message.object().unwrap().string("action").unwrap(), "search");
    assert_eq!(ALLOCATIONS.get() - before, 0);
}
