//! More clients than descriptors: the loop lives, stays cheap, serves whom it has, and accepts again.

use std::fs::File;
use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use selkey::Reactor;

use super::quiet::busy;
use super::support::{Echo, Log, Logged, Turning, connect, logged, read, turning};
use crate::harness::{alone, lower_descriptor_limit};

const CLIENTS: usize = 200;

/// How many of them get a descriptor.
const ROOM: usize = 20;

/// A loop that has run out of descriptors, with clients in its queue, and some descriptors of the process that can be closed elsewhere.
struct Starving {
    reactor: Turning<Reactor<Logged<Echo>>>,
    clients: Vec<TcpStream>,
    spare: Vec<File>,
    log: Log,
}

/// The clients are there before the limit is lowered, so that only accepting meets it.
fn starving() -> Starving {
    let log = Log::default();
    let told = log.clone();
    let mut reactor = Reactor::new().unwrap();
    let address = reactor.listen("127.0.0.1:0", move |_| logged(&told, Echo)).unwrap();
    let mut reactor = turning(reactor);
    let spare: Vec<File> = (0..10).map(|_| File::open("/dev/null").unwrap()).collect();
    let clients: Vec<TcpStream> = (0..CLIENTS).map(|_| connect(address)).collect();
    let next_free = File::open("/dev/null").unwrap().as_raw_fd();
    lower_descriptor_limit(next_free as usize + ROOM);
    reactor.until("as many are accepted as there is room for", || log.count("open") == ROOM);
    reactor.turn_at_once();
    Starving { reactor, clients, spare, log }
}

impl Starving {
    fn accepted(&self) -> usize {
        self.log.count("open")
    }

    fn echoes(&mut self, number: usize) {
        let before = self.log.count("receive");
        self.clients[number].write_all(b"Hello").unwrap();
        self.reactor.until("an echo", || self.log.count("receive") > before);
        assert_eq!(read(&mut self.clients[number], 5), b"Hello");
    }
}

#[test]
fn more_clients_than_descriptors_end_no_loop_and_cost_little() {
    alone(concat!(module_path!(), "::more_clients_than_descriptors_end_no_loop_and_cost_little"), || {
        let mut starving = starving();
        let part = busy(&mut starving.reactor, Duration::from_secs(1));
        assert!(part < 0.05, "{part}");
        assert_eq!(starving.accepted(), ROOM);
        let stats = starving.reactor.stats();
        assert_eq!((stats.starved, stats.accepted), (1, ROOM as u64));
        for number in 0..ROOM {
            starving.echoes(number);
        }
        assert_eq!(starving.log.count("failed"), 0);
    });
}

#[test]
fn a_connection_of_our_own_that_closes_makes_room_at_once() {
    alone(concat!(module_path!(), "::a_connection_of_our_own_that_closes_makes_room_at_once"), || {
        let mut starving = starving();
        for number in 0..ROOM {
            // Its own descriptor stays, so that none is freed but ours.
            starving.clients[number].shutdown(Shutdown::Write).unwrap();
            let log = starving.log.clone();
            starving.reactor.until("it is dropped", || log.count("drop") == number + 1);
            starving.reactor.turn().unwrap();
            assert_eq!(starving.accepted(), ROOM + number + 1);
        }
        // On a machine that stood still for a second the first in the queue may have been turned away.
        if starving.reactor.stats().turned_away == 0 {
            for number in ROOM..2 * ROOM {
                starving.echoes(number);
            }
        }
    });
}

/// The loop is not told, so it looks now and then. The fastest of several, because other programs run too.
#[test]
fn a_descriptor_freed_elsewhere_is_found_soon() {
    alone(concat!(module_path!(), "::a_descriptor_freed_elsewhere_is_found_soon"), || {
        let mut starving = starving();
        let mut fastest = Duration::MAX;
        while let Some(file) = starving.spare.pop() {
            let before = starving.accepted();
            let start = Instant::now();
            drop(file);
            let log = starving.log.clone();
            starving.reactor.until("another is accepted", || log.count("open") == before + 1);
            fastest = fastest.min(start.elapsed());
        }
        assert!(fastest < Duration::from_millis(250), "{fastest:?}");
        assert_eq!(starving.accepted(), ROOM + 10);
    });
}

/// The whole queue, when the shortage is over.
#[test]
fn everybody_is_served_when_the_shortage_is_over() {
    alone(concat!(module_path!(), "::everybody_is_served_when_the_shortage_is_over"), || {
        let mut starving = starving();
        lower_descriptor_limit(2000);
        let log = starving.log.clone();
        starving.reactor.until("all are accepted", || log.count("open") == CLIENTS);
        for number in 0..CLIENTS {
            starving.echoes(number);
        }
        // Nobody rests any more: the wait has no timeout, so only the clock of `busy` ends it.
        let part = busy(&mut starving.reactor, Duration::from_millis(300));
        assert!(part < 0.05, "{part}");
    });
}
