//! What costs no processor time: a connection that is idle, one that is paused, one urgent byte.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use selkey::backend::{Backend, DefaultBackend, Poll, Select};
use selkey::{Protocol, Reactor};
use socket2::SockRef;

use super::support::{Echo, Log, Logged, Turning, connect, logged, read, turning};
use crate::harness::{alone, poll_fd, thread_cpu};

/// Turns for that long; answers the part of the time that it spent on the processor.
pub fn busy<P: Protocol, B: Backend>(reactor: &mut Turning<Reactor<P, B>>, time: Duration) -> f64 {
    let handle = reactor.handle();
    // Before the clock starts: its wake must not come too early.
    let start = Instant::now();
    let clock = thread::spawn(move || {
        thread::sleep(time);
        handle.wake();
    });
    let cpu = thread_cpu();
    while start.elapsed() < time {
        assert!(reactor.turn().unwrap());
    }
    let part = (thread_cpu() - cpu).as_secs_f64() / start.elapsed().as_secs_f64();
    clock.join().unwrap();
    part
}

fn one<B: Backend>() -> (Turning<Reactor<Logged<Echo>, B>>, std::net::TcpStream, Log) {
    let log = Log::default();
    let told = log.clone();
    let mut reactor = Reactor::with_backend(B::new().unwrap()).unwrap();
    let address = reactor.listen("127.0.0.1:0", move |_| logged(&told, Echo)).unwrap();
    let mut reactor = turning(reactor);
    let client = connect(address);
    reactor.until("accepted", || log.count("open") == 1);
    (reactor, client, log)
}

/// A multi-connection server with one idle connection, always registered for writing, took 100 %.
#[test]
fn an_idle_connection_costs_nothing() {
    let (mut reactor, mut client, log) = one::<DefaultBackend>();
    client.write_all(b"once").unwrap();
    reactor.until("an echo", || log.count("receive") == 1);
    let part = busy(&mut reactor, Duration::from_secs(1));
    assert!(part < 0.01, "{part}");
    assert_eq!(read(&mut client, 4), b"once");
}

/// A remote must not burn a processor with one packet.
fn one_urgent_byte<B: Backend>() {
    let (mut reactor, mut client, log) = one::<B>();
    assert_eq!(SockRef::from(&client).send_out_of_band(b"!").unwrap(), 1);
    let part = busy(&mut reactor, Duration::from_secs(2));
    assert!(part < 0.05, "{part}");
    client.write_all(b"later").unwrap();
    reactor.until("an echo", || log.count("receive 5") == 1);
    assert_eq!(read(&mut client, 5), b"later");
}

#[test]
fn one_urgent_byte_neither_wakes_nor_spins_the_loop() {
    one_urgent_byte::<DefaultBackend>();
}

#[test]
fn one_urgent_byte_neither_wakes_nor_spins_the_loop_over_poll() {
    one_urgent_byte::<Poll>();
}

#[test]
fn one_urgent_byte_neither_wakes_nor_spins_the_loop_over_select() {
    let path = concat!(module_path!(), "::one_urgent_byte_neither_wakes_nor_spins_the_loop_over_select");
    alone(path, one_urgent_byte::<Select>);
}

/// Its end was heard and it may still be spoken to: there is nothing to wait for.
#[test]
fn a_half_closed_connection_that_is_kept_costs_nothing() {
    use selkey::{Flow, Out};
    struct Kept(Log);
    impl Protocol for Kept {
        fn receive<'i>(&mut self, input: &'i [u8], _out: &mut Out<'i, '_>) -> Flow {
            Flow::used(input.len())
        }
        fn end(&mut self, _rest: &[u8], _out: &mut Out<'_, '_>) -> Flow {
            self.0.add("end");
            Flow::MORE
        }
    }
    let log = Log::default();
    let told = log.clone();
    let mut reactor = Reactor::new().unwrap();
    let address = reactor.listen("127.0.0.1:0", move |_| Kept(told.clone())).unwrap();
    let mut reactor = turning(reactor);
    let client = connect(address);
    client.shutdown(std::net::Shutdown::Write).unwrap();
    reactor.until("its end", || log.count("end") == 1);
    // Now it hangs up altogether.
    drop(client);
    let part = busy(&mut reactor, Duration::from_millis(500));
    assert!(part < 0.02, "{part}");
    assert_eq!(log.count("end"), 1);
}

/// The last word is sent, and the peer neither sends nor closes.
#[test]
fn a_connection_that_waits_for_its_peers_end_costs_nothing() {
    use std::os::fd::AsRawFd;
    let server = std::rc::Rc::new(std::cell::Cell::new(0));
    let counted = server.clone();
    let mut reactor = Reactor::new().unwrap();
    let address = reactor
        .listen("127.0.0.1:0", move |_| {
            counted.set(counted.get() + 1);
            selkey::from_fn(|_, _| selkey::Flow::Close)
        })
        .unwrap();
    let mut reactor = turning(reactor);
    let mut client = connect(address);
    client.write_all(b"x").unwrap();
    reactor.until("it has closed", || poll_fd(client.as_raw_fd(), libc::POLLIN, Duration::ZERO) != 0);
    let part = busy(&mut reactor, Duration::from_millis(500));
    assert!(part < 0.02, "{part}");
    assert_eq!(server.get(), 1);
}
