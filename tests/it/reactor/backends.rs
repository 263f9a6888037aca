//! The loop over every backend, mixed protocols, and events that come too late.

use std::cell::RefCell;
use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::rc::Rc;
use std::time::Duration;

use selkey::backend::{Backend, DefaultBackend, Poll, RawSource, Select, Waker};
use selkey::{Events, Flow, Out, Protocol, Reactor};

use super::support::{Echo, Log, assert_same, connect, logged, pattern, read, read_all, reset, turning};

/// Large and small, an end, a reset and a dial.
fn a_basic_exchange<B: Backend>() {
    let log = Log::default();
    let told = log.clone();
    let backend = B::new().unwrap();
    let mut reactor: Reactor<Box<dyn Protocol>, B> = Reactor::with_backend(backend).unwrap();
    let address = reactor.listen("127.0.0.1:0", move |_| Box::new(logged(&told, Echo)) as Box<dyn Protocol>).unwrap();
    let mut reactor = turning(reactor);
    let handle = reactor.handle();
    let bytes = pattern(1 << 20, 8);
    let clients = std::thread::spawn(move || {
        let mut lasting = connect(address);
        let client = connect(address);
        let mut reader = client.try_clone().unwrap();
        let back = std::thread::spawn(move || read_all(&mut reader));
        (&client).write_all(&bytes).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        assert_same(&back.join().unwrap(), &bytes);
        reset(connect(address));
        lasting.write_all(b"still here").unwrap();
        assert_eq!(read(&mut lasting, 10), b"still here");
        handle.drain();
    });
    let dialled = Log::default();
    reactor.dial(address, Box::new(logged(&dialled, Once))).unwrap();
    reactor.run_out();
    clients.join().unwrap();
    assert_eq!(dialled.lines(), ["open", "receive 2", "drop"]);
    assert_eq!((log.count("open"), log.count("drop")), (4, 4));
}

struct Once;

impl Protocol for Once {
    fn open(&mut self, out: &mut Out<'_, '_>) -> Flow {
        out.write(b"me");
        Flow::More { used: 0, need: 2 }
    }
    fn receive<'i>(&mut self, _input: &'i [u8], _out: &mut Out<'i, '_>) -> Flow {
        Flow::Close
    }
}

#[test]
fn the_loop_runs_over_the_best_backend() {
    a_basic_exchange::<DefaultBackend>();
}

#[test]
fn the_loop_runs_over_poll() {
    a_basic_exchange::<Poll>();
}

#[test]
fn the_loop_runs_over_select() {
    crate::harness::alone(concat!(module_path!(), "::the_loop_runs_over_select"), a_basic_exchange::<Select>);
}

/// One that is implemented outside the crate.
#[test]
fn the_loop_runs_over_a_backend_of_ones_own() {
    a_basic_exchange::<Repeating>();
}

/// Reports what it reported first once more, at the end of the list: an event for a registration that may have ended in between.
struct Repeating {
    inner: DefaultBackend,
    active: Rc<RefCell<bool>>,
}

impl Backend for Repeating {
    fn new() -> io::Result<Self> {
        Ok(Repeating { inner: DefaultBackend::new()?, active: Rc::default() })
    }
    #[allow(unsafe_code)]
    unsafe fn add(&mut self, fd: RawSource, token: u64, events: Events) -> io::Result<()> {
        // SAFETY: the caller promises what `inner` asks for.
        unsafe { self.inner.add(fd, token, events) }
    }
    fn modify(&mut self, fd: RawSource, token: u64, events: Events) -> io::Result<()> {
        self.inner.modify(fd, token, events)
    }
    fn remove(&mut self, fd: RawSource) -> io::Result<()> {
        self.inner.remove(fd)
    }
    fn wait(&mut self, timeout: Option<Duration>, max: usize, ready: &mut Vec<(u64, Events)>) -> io::Result<()> {
        self.inner.wait(timeout, max, ready)?;
        if *self.active.borrow() {
            // Connections before listeners, which were registered first; then all once more.
            ready.sort_by_key(|&(token, _)| std::cmp::Reverse(token));
            let again = ready.clone();
            ready.extend(again);
        }
        Ok(())
    }
    fn waker(&mut self) -> io::Result<Waker> {
        self.inner.waker()
    }
}

/// In one turn: a connection aborts, its descriptor and place go to one that was just accepted, and another event for the old one comes.
#[test]
fn an_event_for_an_earlier_connection_reaches_nobody() {
    struct Aborts(Log);
    impl Protocol for Aborts {
        fn receive<'i>(&mut self, input: &'i [u8], _out: &mut Out<'i, '_>) -> Flow {
            self.0.add(format!("heard {}", String::from_utf8_lossy(input)));
            Flow::Abort
        }
    }
    let log = Log::default();
    let told = log.clone();
    let backend = Repeating::new().unwrap();
    let active = backend.active.clone();
    let mut reactor = Reactor::with_backend(backend).unwrap();
    let address = reactor.listen("127.0.0.1:0", move |_| logged(&told, Aborts(told.clone()))).unwrap();
    let mut reactor = turning(reactor);
    let mut first = connect(address);
    reactor.until("accepted", || log.count("open") == 1);
    *active.borrow_mut() = true;
    first.write_all(b"first").unwrap();
    let mut second: TcpStream = connect(address);
    second.write_all(b"second").unwrap();
    reactor.until("both are heard", || log.count("heard second") == 1);
    assert_eq!((log.count("heard first"), log.count("open"), log.count("drop")), (1, 2, 2), "{:?}", log.lines());
    assert_eq!(log.count("failed"), 0, "{:?}", log.lines());
}

/// Connections removed between two turns, while events for them lie in the kernel.
#[test]
fn a_poke_that_aborts_leaves_no_event_behind() {
    let log = Log::default();
    let keys = Rc::new(RefCell::new(Vec::new()));
    struct Keyed(Rc<RefCell<Vec<selkey::Key>>>);
    impl Protocol for Keyed {
        fn open(&mut self, out: &mut Out<'_, '_>) -> Flow {
            self.0.borrow_mut().push(out.key());
            Flow::MORE
        }
        fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
            out.lend(input);
            Flow::used(input.len())
        }
    }
    let (told, shared) = (log.clone(), keys.clone());
    let mut reactor = Reactor::new().unwrap();
    let address = reactor.listen("127.0.0.1:0", move |_| logged(&told, Keyed(shared.clone()))).unwrap();
    let mut reactor = turning(reactor);
    for round in 1..=20 {
        let mut clients = [connect(address), connect(address)];
        reactor.until("accepted", || log.count("open") == 2 * round);
        clients.iter_mut().for_each(|client| client.write_all(b"x").unwrap());
        let old = keys.borrow()[2 * round - 2];
        assert!(reactor.poke(old, |_, _| Flow::Abort));
        reactor.until("the other is heard", || log.count("receive 1") == round);
        assert_eq!(read(&mut clients[1], 1), b"x");
        drop(clients);
        reactor.until("both are gone", || log.count("drop") == 2 * round);
    }
    assert_eq!((log.count("receive"), log.count("failed")), (20, 0));
}

#[test]
fn mixed_protocols_share_a_loop() {
    struct Upper;
    impl Protocol for Upper {
        fn open(&mut self, out: &mut Out<'_, '_>) -> Flow {
            out.write(b">");
            Flow::MORE
        }
        fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
            out.write(&input.to_ascii_uppercase());
            Flow::used(input.len())
        }
        fn end(&mut self, _rest: &[u8], out: &mut Out<'_, '_>) -> Flow {
            out.write(b".");
            Flow::Close
        }
    }
    let log = Log::default();
    let told = log.clone();
    let mut number = 0;
    let server = super::support::Server::start(move |_| -> Box<dyn Protocol> {
        number += 1;
        if number % 2 == 1 { Box::new(logged(&told, Upper)) } else { Box::new(Echo) }
    });
    let (mut upper, mut echo) = (server.client(), server.client());
    for client in [&mut upper, &mut echo] {
        client.write_all(b"Hello").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
    }
    assert_eq!(read_all(&mut upper), b">HELLO.");
    assert_eq!(read_all(&mut echo), b"Hello");
    // `failed` goes through the box too.
    let failing = server.client();
    reset(failing);
    crate::harness::await_that("it is dropped", || log.count("drop") == 2);
    assert_eq!(log.count("failed"), 1, "{:?}", log.lines());
}
