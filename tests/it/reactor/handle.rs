//! Ending a loop from outside and from inside.

use std::cell::RefCell;
use std::io::Write;
use std::rc::Rc;
use std::thread;

use selkey::{Flow, Handle, Out, Protocol, Reactor};

use super::support::{Echo, Log, Server, ask, connect, logged, turning};
use crate::harness::Sleeper;

#[test]
fn stop_ends_a_loop_that_waits() {
    let mut reactor = Reactor::new().unwrap();
    let address = reactor.listen("127.0.0.1:0", |_| Echo).unwrap();
    let (handle, sleeper) = (reactor.handle(), Sleeper::this_thread());
    let stopper = thread::spawn(move || {
        let mut client = connect(address);
        assert_eq!(ask(&mut client, b"x"), b"x");
        sleeper.await_asleep();
        handle.stop();
        client
    });
    reactor.run().unwrap();
    let _client = stopper.join().unwrap();
    assert!(!reactor.turn().unwrap(), "stopped stays stopped");
}

#[test]
fn stop_outdoes_drain() {
    let mut reactor = Reactor::new().unwrap();
    let address = reactor.listen("127.0.0.1:0", |_| Echo).unwrap();
    let handle = reactor.handle();
    let client = thread::spawn(move || {
        let mut client = connect(address);
        assert_eq!(ask(&mut client, b"x"), b"x");
        handle.stop();
        handle.drain();
        client
    });
    // The connection stays, so a drain alone would wait for it.
    reactor.run().unwrap();
    client.join().unwrap();
}

#[test]
fn stop_before_the_first_turn_is_not_lost() {
    let mut reactor: Reactor<Echo> = Reactor::new().unwrap();
    reactor.listen("127.0.0.1:0", |_| Echo).unwrap();
    reactor.handle().stop();
    reactor.run().unwrap();
}

#[test]
fn wake_ends_a_wait_and_no_more() {
    let log = Log::default();
    let told = log.clone();
    let mut reactor = Reactor::new().unwrap();
    let address = reactor.listen("127.0.0.1:0", move |_| logged(&told, Echo)).unwrap();
    let mut reactor = turning(reactor);
    let (handle, sleeper) = (reactor.handle(), Sleeper::this_thread());
    let waker = thread::spawn(move || {
        sleeper.await_asleep();
        handle.wake();
    });
    assert!(reactor.turn().unwrap());
    waker.join().unwrap();
    // Several before a wait are one.
    let handle = reactor.handle();
    (0..1000).for_each(|_| handle.wake());
    assert!(reactor.turn().unwrap());
    let mut client = connect(address);
    client.write_all(b"x").unwrap();
    reactor.until("it is served", || log.count("receive") == 1);
}

#[test]
fn a_handle_does_nothing_after_the_reactor_is_gone() {
    let reactor: Reactor<Echo> = Reactor::new().unwrap();
    let handle = reactor.handle();
    drop(reactor);
    for _ in 0..1000 {
        handle.wake();
    }
    handle.clone().drain();
    handle.stop();
    thread::spawn(move || handle.stop()).join().unwrap();
}

#[test]
fn a_protocol_can_stop_its_own_loop() {
    struct Last(Handle);
    impl Protocol for Last {
        fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
            out.lend(input);
            if input == b"stop" {
                self.0.stop();
            }
            Flow::used(input.len())
        }
    }
    let mut reactor = Reactor::new().unwrap();
    let handle = reactor.handle();
    let address = reactor.listen("127.0.0.1:0", move |_| Last(handle.clone())).unwrap();
    let client = thread::spawn(move || {
        let mut client = connect(address);
        assert_eq!(ask(&mut client, b"go on"), b"go on");
        assert_eq!(ask(&mut client, b"stop"), b"stop");
        client
    });
    reactor.run().unwrap();
    client.join().unwrap();
}

#[test]
fn a_stopped_loop_keeps_its_connections_until_it_is_dropped() {
    let log = Log::default();
    let told = log.clone();
    let mut reactor = Reactor::new().unwrap();
    let address = reactor.listen("127.0.0.1:0", move |_| logged(&told, Echo)).unwrap();
    let mut reactor = turning(reactor);
    let clients: Vec<_> = (0..3).map(|_| connect(address)).collect();
    reactor.until("accepted", || log.count("open") == 3);
    reactor.handle().stop();
    reactor.run_out();
    assert_eq!(log.count("drop"), 0);
    drop(reactor);
    assert_eq!((log.count("drop"), log.count("failed"), log.count("end")), (3, 0, 0));
    drop(clients);
}

#[test]
fn a_loop_with_nothing_in_it_ends_at_once() {
    let mut reactor: Reactor<Echo> = Reactor::new().unwrap();
    reactor.run().unwrap();
    reactor.run().unwrap();
    // It can be filled again.
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    reactor.adopt(ours, Echo).unwrap();
    drop(theirs);
    reactor.run().unwrap();
}

/// The last thing in it is a protocol that is kept from outside too.
#[test]
fn a_loop_ends_with_its_last_connection() {
    struct Shared(Rc<RefCell<usize>>);
    impl Protocol for Shared {
        fn open(&mut self, out: &mut Out<'_, '_>) -> Flow {
            out.write(b"question");
            Flow::MORE
        }
        fn receive<'i>(&mut self, input: &'i [u8], _out: &mut Out<'i, '_>) -> Flow {
            *self.0.borrow_mut() += input.len();
            if *self.0.borrow() == 3 * 8 { Flow::Abort } else { Flow::Close }
        }
    }
    let server = Server::start(|_| Echo);
    let heard = Rc::new(RefCell::new(0));
    let mut reactor = turning(Reactor::new().unwrap());
    for _ in 0..3 {
        reactor.dial(server.address, Shared(heard.clone())).unwrap();
    }
    reactor.run_out();
    assert_eq!((*heard.borrow(), Rc::strong_count(&heard)), (24, 1));
}
