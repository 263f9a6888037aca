//! Peers that are slow on purpose: they are gone at their deadline, and the others do not notice.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use selkey::backend::DefaultBackend;
use selkey::{Deadline, Flow, Out, Protocol, Reactor};

use super::support::{Framed, beside_a_sleeper, in_time, limits, ms, scene};
use crate::harness::{again, alone, raise_descriptor_limit, thread_cpu};
use crate::reactor::support::{connect, narrow};

/// What the loop of a slowloris test tells.
#[derive(Default)]
struct Seen {
    /// How long each connection that was given up had been open.
    lived: Vec<Duration>,
    /// The processor time from the end of a turn to the end of the next.
    turns: Vec<Duration>,
}

type Shared = Arc<Mutex<Seen>>;

/// Wants a header of 8 KiB, but answers a `?` at once.
struct Header {
    opened: Instant,
    seen: Shared,
}

impl Protocol for Header {
    fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
        if input == b"?" {
            out.lend(input);
            return Flow::used(1);
        }
        Flow::More { used: 0, need: 8192 }
    }
    fn expired(&mut self, what: Deadline, _out: &mut Out<'_, '_>) -> Flow {
        // On a slow machine not even the first byte is there.
        assert!(matches!(what, Deadline::Message | Deadline::Open));
        self.seen.lock().unwrap().lived.push(self.opened.elapsed());
        Flow::Abort
    }
}

const HEADER: Duration = ms(1500);

/// One byte every few seconds for ever (slowloris).
#[test]
fn slowloris_is_dropped_at_the_header_deadline_and_the_others_do_not_notice() {
    alone(
        concat!(module_path!(), "::slowloris_is_dropped_at_the_header_deadline_and_the_others_do_not_notice"),
        || {
            let clients = 2000.min((raise_descriptor_limit() - 100) / 2);
            println!("{clients} clients at one byte a second");
            let mut best = (Duration::MAX, Duration::MAX, Duration::MAX);
            for _ in 0..3 {
                let ((quiet, meanwhile, latest), machine) = beside_a_sleeper(|| slowloris(clients));
                println!("turns p99 {quiet:?} quiet, {meanwhile:?} meanwhile; the last dropped after {latest:?}");
                let bound = (quiet * 2).max(quiet + ms(1));
                if meanwhile < bound && latest <= HEADER + ms(500) + machine {
                    return;
                }
                best = best.min((quiet, meanwhile, latest));
            }
            panic!("p99 quiet, meanwhile, latest: {best:?}");
        },
    );
}

/// Answers the p99 of a turn before and meanwhile, and how long the last was there.
fn slowloris(clients: usize) -> (Duration, Duration, Duration) {
    let seen = Shared::default();
    let (tell, told) = mpsc::channel();
    let (make_seen, turn_seen) = (seen.clone(), seen.clone());
    let server = thread::spawn(move || {
        let mut reactor = Reactor::new().unwrap();
        reactor.set_limits(limits(|limits| limits.header_timeout = HEADER));
        // In the thread's own time: on a busy machine a turn that is interrupted is no longer for it.
        let mut before = thread_cpu();
        reactor.on_turn(move |_| {
            let now = thread_cpu();
            turn_seen.lock().unwrap().turns.push(now - before);
            before = now;
        });
        let make = move |_: &_| Header { opened: Instant::now(), seen: make_seen.clone() };
        let address = reactor.listen("127.0.0.1:0", make).unwrap();
        tell.send((address, reactor.handle())).unwrap();
        reactor.run().unwrap();
    });
    let (address, handle) = told.recv().unwrap();
    // One of the others asks all the time.
    let over = Arc::new(AtomicBool::new(false));
    let asks = over.clone();
    let other = thread::spawn(move || {
        let mut client = connect(address);
        while !asks.load(Ordering::Relaxed) {
            client.write_all(b"?").unwrap();
            client.read_exact(&mut [0]).unwrap();
            thread::sleep(ms(1));
        }
    });
    thread::sleep(ms(700));
    let quiet = p99(&mut seen.lock().unwrap().turns);

    let mut slow: Vec<TcpStream> = (0..clients)
        .map(|_| {
            let mut client = connect(address);
            client.write_all(b"x").unwrap();
            client
        })
        .collect();
    seen.lock().unwrap().turns.clear();
    let start = Instant::now();
    let mut next = start + ms(1000);
    while seen.lock().unwrap().lived.len() < clients {
        assert!(start.elapsed() < crate::harness::PATIENCE, "they are not dropped");
        if Instant::now() >= next {
            next += ms(1000);
            // Some may be gone.
            slow.iter_mut().for_each(|client| drop(client.write(b"x")));
        }
        thread::sleep(ms(10));
    }
    let mut seen = seen.lock().unwrap();
    let meanwhile = p99(&mut seen.turns);
    let (earliest, latest) = (*seen.lived.iter().min().unwrap(), *seen.lived.iter().max().unwrap());
    drop(seen);
    assert!(earliest >= HEADER, "early: {earliest:?}");
    over.store(true, Ordering::Relaxed);
    other.join().unwrap();
    handle.stop();
    server.join().unwrap();
    (quiet, meanwhile, latest)
}

fn p99(turns: &mut Vec<Duration>) -> Duration {
    turns.sort();
    let p99 = turns[turns.len() * 99 / 100];
    turns.clear();
    p99
}

/// Header announces 16 MiB, body trickles or never comes: memory and slot are held until the deadline, and memory grows with what came.
#[test]
fn a_header_that_announces_16_mib_with_a_body_that_trickles_is_given_up_at_its_deadline() {
    const BODY: usize = 16 << 20;
    let time = ms(300) + Duration::from_secs(1);
    in_time(time, || {
        let limits = limits(|limits| (limits.message_timeout, limits.min_rate) = (ms(300), BODY));
        let framed = Framed { header: 4, ..Framed::of(4 + BODY) };
        let passed = framed.passed.clone();
        let mut scene = scene::<_, DefaultBackend>(limits, move || framed.clone());
        let mut client = scene.client();
        let before = Instant::now();
        client.write_all(b"head").unwrap();
        scene.until("the header", |stats| stats.received == 4);
        let after = Instant::now();
        let mut dripping = client.try_clone().unwrap();
        thread::spawn(move || {
            while dripping.write_all(b"x").is_ok() {
                thread::sleep(ms(1000));
            }
        });
        let mut most = 0;
        while passed.all().is_empty() {
            assert!(scene.reactor.turn().unwrap());
            most = most.max(scene.reactor.stats().held);
        }
        assert!((1..1000).contains(&most), "{most} bytes held for four bytes of header and two of the body");
        let (what, at) = passed.all()[0];
        assert_eq!(what, Deadline::Message);
        (before, after, at)
    });
}

/// Sends much at once.
struct Flood(Framed);

impl Protocol for Flood {
    fn open(&mut self, out: &mut Out<'_, '_>) -> Flow {
        out.write(&vec![7; 8 << 20]);
        Flow::MORE
    }
    fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
        self.0.receive(input, out)
    }
    fn expired(&mut self, what: Deadline, out: &mut Out<'_, '_>) -> Flow {
        self.0.expired(what, out)
    }
}

#[test]
fn a_reader_of_one_byte_a_second_is_given_up_at_the_write_deadline() {
    in_time(ms(1500), || {
        let framed = Framed::of(1);
        let passed = framed.passed.clone();
        let make = move || Flood(framed.clone());
        let mut scene = scene::<_, DefaultBackend>(limits(|limits| limits.write_timeout = ms(1500)), make);
        let before = Instant::now();
        let mut client = scene.client();
        thread::spawn(move || {
            while client.read_exact(&mut [0]).is_ok() {
                thread::sleep(ms(1000));
            }
        });
        // What the kernels take at the beginning is progress.
        let (mut sent, mut last) = (0, Instant::now());
        while passed.all().is_empty() {
            assert!(scene.reactor.turn().unwrap());
            if scene.reactor.stats().sent >= sent + 4096 {
                (sent, last) = (scene.reactor.stats().sent, Instant::now());
            }
        }
        let (what, at) = passed.all()[0];
        assert_eq!(what, Deadline::Stall);
        scene.until("it is gone", |stats| stats.connections == 0 && stats.held == 0);
        (before, last, at)
    });
}

/// Whatever it took before: the term is not opened twice.
#[test]
fn a_stall_counts_from_the_last_bytes_that_were_taken() {
    in_time(ms(1500), || {
        let framed = Framed::of(1);
        let passed = framed.passed.clone();
        let make = move || Flood(framed.clone());
        let mut scene = scene::<_, DefaultBackend>(limits(|limits| limits.write_timeout = ms(1500)), make);
        let mut client = scene.client();
        narrow(&client);
        client.set_nonblocking(true).unwrap();
        scene.pass(ms(300));
        let (before, sent) = (Instant::now(), scene.reactor.stats().sent);
        let mut bytes = vec![0; 64 << 10];
        while scene.reactor.stats().sent < sent + 4096 {
            // Nothing there is no error here.
            let _ = again(|| client.read(&mut bytes));
            scene.reactor.turn_at_once();
        }
        let after = Instant::now();
        let (what, at) = scene.expire(&passed, 1);
        assert_eq!(what, Deadline::Stall);
        (before, after, at)
    });
}

/// It could take an answer as slowly as it is allowed to, and so never come to the end of its message.
#[test]
fn a_message_is_due_also_while_an_answer_waits() {
    let framed = Framed::of(2);
    let (passed, make) = (framed.passed.clone(), move || Flood(framed.clone()));
    let limits = limits(|limits| {
        (limits.header_timeout, limits.write_timeout) = (ms(300), ms(1_000_000));
        // It is read, however much waits for it.
        limits.high_water = usize::MAX;
    });
    let mut scene = scene::<_, DefaultBackend>(limits, make);
    let mut client = scene.client();
    client.write_all(b"x").unwrap();
    scene.until("an answer waits", |stats| stats.held > 0 && stats.received == 1);
    assert_eq!(scene.expire(&passed, 1).0, Deadline::Message);
}

/// It reads a little more than it must in that time, so it is served for as long as it likes.
#[test]
fn a_reader_that_takes_enough_is_not_given_up() {
    let framed = Framed::of(1);
    let passed = framed.passed.clone();
    let make = move || Flood(framed.clone());
    let mut scene = scene::<_, DefaultBackend>(limits(|limits| limits.write_timeout = ms(1000)), make);
    let mut client = scene.client();
    narrow(&client);
    let reader = thread::spawn(move || {
        let mut bytes = vec![0; 256 << 10];
        let (mut total, mut last, mut longest) = (0, Instant::now(), Duration::ZERO);
        while let Ok(n @ 1..) = again(|| client.read(&mut bytes)) {
            total += n;
            longest = longest.max(last.elapsed());
            last = Instant::now();
            if total == 8 << 20 {
                break;
            }
            thread::sleep(ms(20));
        }
        (total, longest.max(last.elapsed()))
    });
    scene.until("all is with the kernel", |stats| stats.held == 0);
    let (total, longest) = reader.join().unwrap();
    // A machine that stood still for that long made it a slow one.
    if longest < ms(900) {
        assert_eq!((total, passed.all()), (8 << 20, vec![]));
    }
}

/// And it reads again: the rest arrives whole, also where the peer's end was heard before.
#[test]
fn a_stall_answered_by_more_loses_nothing() {
    struct Patient(Framed);
    impl Protocol for Patient {
        fn receive<'i>(&mut self, _input: &'i [u8], _out: &mut Out<'i, '_>) -> Flow {
            Flow::MORE
        }
        fn end(&mut self, _rest: &[u8], out: &mut Out<'_, '_>) -> Flow {
            out.write(&vec![7; 8 << 20]);
            Flow::used(0)
        }
        fn expired(&mut self, what: Deadline, out: &mut Out<'_, '_>) -> Flow {
            self.0.expired(what, out)
        }
    }
    let framed = Framed { once_more: usize::MAX, ..Framed::of(1) };
    let passed = framed.passed.clone();
    let make = move || Patient(framed.clone());
    let mut scene = scene::<_, DefaultBackend>(limits(|limits| limits.write_timeout = ms(200)), make);
    let mut client = scene.client();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    let (what, first) = scene.expire(&passed, 1);
    assert_eq!(what, Deadline::Stall);
    let (_, second) = scene.expire(&passed, 2);
    assert!(second - first >= ms(200));
    // All of it with the kernel, but not with the peer, and then it closes.
    let reader = thread::spawn(move || {
        let mut all = Vec::new();
        client.read_to_end(&mut all).map(|_| all.len())
    });
    scene.until("all is with the kernel", |stats| stats.held == 0);
    drop(scene);
    assert_eq!(reader.join().unwrap().unwrap(), 8 << 20);
}
