//! No message allocates, and no header makes its receiver allocate much: counted by thread, in a binary of its own.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;

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

#[path = "alloc/codec.rs"]
mod codec;

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
