//! Dials that are tried again: a server that comes later is reached, one that never comes is given up.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use selkey::socket::{Options, listen};
use selkey::{Flow, Out, Protocol, Reactor, Retry};

use super::support::{Echo, Log, logged, turning};
use crate::harness::Spot;

const LONG: Duration = Duration::from_secs(1000);

/// The server, or a client that asks and hangs up when it is answered.
enum Either {
    Server,
    Client,
}

impl Protocol for Either {
    fn open(&mut self, out: &mut Out<'_, '_>) -> Flow {
        if let Either::Client = self {
            out.write(b"?");
        }
        Flow::MORE
    }
    fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
        match self {
            Either::Server => Echo.receive(input, out),
            Either::Client => Flow::Close,
        }
    }
}

fn quick(within: Duration) -> Retry {
    let mut retry = Retry::within(within);
    retry.first = Duration::from_millis(1);
    retry
}

#[test]
fn a_server_that_comes_later_is_reached() {
    let (spot, log) = (Spot::new(), Log::default());
    let mut reactor = turning(Reactor::new().unwrap());
    let client = logged(&log, Either::Client);
    reactor.dial_retrying(spot.address(), &Options::default(), quick(LONG), client).unwrap();
    let (address, server, handle) = (spot.address(), log.clone(), reactor.handle());
    reactor.after(Duration::from_millis(20), move |reactor| {
        assert_eq!(server.lines(), [""; 0], "nobody was there yet");
        let listener = listen(&address, &Options::default()).unwrap();
        let told = Log::default();
        reactor.serve(listener, move |_| logged(&told, Either::Server)).unwrap();
    });
    reactor.until("an answer", || log.count("drop") == 1);
    handle.drain();
    reactor.run_out();
    assert_eq!(log.lines(), ["open", "receive 1", "drop"]);
}

#[test]
fn a_server_that_never_comes_is_given_up_by_name() {
    let (spot, log) = (Spot::new(), Log::default());
    let mut reactor = turning(Reactor::new().unwrap());
    let start = Instant::now();
    let within = Duration::from_millis(100);
    let client = logged(&log, Either::Client);
    reactor.dial_retrying(spot.address(), &Options::default(), quick(within), client).unwrap();
    reactor.run_out();
    // The next attempt would have been the first after the time: pauses of 1, 2, 4, ... 64 ms.
    assert!(start.elapsed() >= Duration::from_millis(63));
    let lines = log.lines();
    assert!(lines[0].starts_with("failed NotFound: ") && lines[0].contains(&spot.address().to_string()), "{lines:?}");
    assert_eq!((lines.len(), reactor.stats().failed), (2, 1));
}

#[test]
fn a_loop_that_drains_gives_up_what_it_would_try_again() {
    let (spot, log) = (Spot::new(), Log::default());
    let mut reactor = turning(Reactor::new().unwrap());
    let mut retry = Retry::within(LONG);
    (retry.first, retry.most) = (LONG / 2, LONG);
    reactor.dial_retrying(spot.address(), &Options::default(), retry, logged(&log, Either::Client)).unwrap();
    reactor.turn_at_once();
    assert_eq!(log.lines(), [""; 0]);
    reactor.handle().drain();
    reactor.run_out();
    assert_eq!((log.count("failed"), log.count("drop")), (1, 1));
}

/// It rests, and does not turn the loop round and round.
#[test]
fn a_pause_costs_nothing() {
    let spot = Spot::new();
    let mut reactor = turning(Reactor::new().unwrap());
    let mut retry = Retry::within(LONG);
    retry.first = LONG / 2;
    reactor.dial_retrying(spot.address(), &Options::default(), retry, Either::Client).unwrap();
    let (turns, over) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(false)));
    let (count, end) = (turns.clone(), over.clone());
    reactor.on_turn(move |_| count.set(count.get() + 1));
    reactor.after(Duration::from_millis(200), move |_| end.set(true));
    reactor.until("some time has passed", || over.get());
    assert!(turns.get() < 20, "{}", turns.get());
}
