//! What the tests of limits share: a loop with limits on this thread, messages of a fixed length, and when which deadline passed.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use selkey::backend::Backend;
use selkey::socket::Socket;
use selkey::{Deadline, Flow, Limits, Out, Protocol, Reactor, Stats};

use crate::reactor::support::{Turning, connect, narrow, read, turning};

pub const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub fn limits(change: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    change(&mut limits);
    limits
}

/// Which deadlines passed, and when.
#[derive(Clone, Default)]
pub struct Passed(Arc<Mutex<Vec<(Deadline, Instant)>>>);

impl Passed {
    pub fn add(&self, what: Deadline) {
        self.0.lock().unwrap().push((what, Instant::now()));
    }

    pub fn all(&self) -> Vec<(Deadline, Instant)> {
        self.0.lock().unwrap().clone()
    }
}

/// Messages of one length, each sent back when it is whole.
#[derive(Clone)]
pub struct Framed {
    pub len: usize,
    /// Asks for one more byte instead of all that are missing, so that it is called with every byte.
    pub eager: bool,
    /// Says that the header is whole when this many bytes are there.
    pub header: usize,
    /// How often a deadline is answered by "the same once more".
    pub once_more: usize,
    pub passed: Passed,
}

impl Framed {
    pub fn of(len: usize) -> Framed {
        Framed { len, eager: false, header: usize::MAX, once_more: 0, passed: Passed::default() }
    }
}

impl Protocol for Framed {
    fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
        if input.len() >= self.len {
            out.lend(&input[..self.len]);
            return Flow::used(self.len);
        }
        if input.len() >= self.header {
            out.header_done();
        }
        let need = match input.len() {
            n if self.eager => n + 1,
            n if n < self.header => self.header.min(self.len),
            _ => self.len,
        };
        Flow::More { used: 0, need }
    }

    fn expired(&mut self, what: Deadline, _out: &mut Out<'_, '_>) -> Flow {
        self.passed.add(what);
        if self.once_more == 0 {
            return Flow::Close;
        }
        self.once_more -= 1;
        Flow::MORE
    }
}

/// A loop on this thread that listens.
pub struct Scene<P, B> {
    pub reactor: Turning<Reactor<P, B>>,
    pub address: SocketAddr,
}

pub fn scene<P: Protocol + 'static, B: Backend>(limits: Limits, mut make: impl FnMut() -> P + 'static) -> Scene<P, B> {
    let mut reactor = Reactor::with_backend(B::new().unwrap()).unwrap();
    reactor.set_limits(limits);
    // The kernel takes little, whatever its defaults are.
    let make = move |socket: &Socket| {
        narrow(socket);
        make()
    };
    let address = reactor.listen("127.0.0.1:0", make).unwrap();
    Scene { reactor: turning(reactor), address }
}

impl<P: Protocol, B: Backend> Scene<P, B> {
    /// Turns until the counters say so.
    pub fn until(&mut self, what: &str, done: impl Fn(&Stats) -> bool) {
        while !done(self.reactor.stats()) {
            assert!(self.reactor.turn().unwrap(), "the loop ended, or waited too long: {what}");
        }
    }

    /// A client that was accepted.
    pub fn client(&mut self) -> TcpStream {
        let before = self.reactor.stats().accepted;
        let client = connect(self.address);
        self.until("accepted", |stats| stats.accepted > before);
        client
    }

    /// A message and its answer.
    pub fn ask(&mut self, client: &mut TcpStream, bytes: &[u8]) {
        let before = self.reactor.stats().requests;
        client.write_all(bytes).unwrap();
        self.until("an answer", |stats| stats.requests > before);
        assert_eq!(read(client, bytes.len()), bytes);
    }

    /// Turns for this long.
    pub fn pass(&mut self, time: Duration) {
        let start = Instant::now();
        self.reactor.after(time, |_| {});
        while start.elapsed() < time {
            assert!(self.reactor.turn().unwrap());
        }
    }

    /// Turns until as many deadlines have passed.
    pub fn expire(&mut self, passed: &Passed, count: usize) -> (Deadline, Instant) {
        while passed.all().len() < count {
            assert!(self.reactor.turn().unwrap(), "no deadline passes");
        }
        passed.all()[count - 1]
    }
}

/// How late a deadline may be.
const LATE: Duration = ms(500);

/// Runs this beside a thread that only sleeps; answers also how late that woke at worst, which is what the machine makes of it.
pub fn beside_a_sleeper<T>(run: impl FnOnce() -> T) -> (T, Duration) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let sleeper = scope.spawn(|| {
            let mut worst = Duration::ZERO;
            while !over.load(Ordering::Relaxed) {
                let start = Instant::now();
                thread::sleep(ms(10));
                worst = worst.max(start.elapsed() - ms(10));
            }
            worst
        });
        // Also where it panics.
        let ends = Ends(&over);
        let result = run();
        drop(ends);
        (result, sleeper.join().unwrap())
    })
}

struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// That a deadline is met: `measure` answers when it counted from at the earliest and at the latest, and when it passed. Never early is exact.
/// For late the best of three counts; a second try is seldom needed.
#[track_caller]
pub fn in_time(time: Duration, mut measure: impl FnMut() -> (Instant, Instant, Instant)) {
    let mut best = Duration::MAX;
    for _ in 0..3 {
        let ((earliest, latest, passed), machine) = beside_a_sleeper(&mut measure);
        assert!(passed - earliest >= time, "early: {:?} instead of {time:?}", passed - earliest);
        best = best.min((passed - latest).saturating_sub(machine));
        if best <= time + LATE {
            return;
        }
    }
    panic!("late: {best:?} instead of {time:?}");
}

/// Sends a byte at this interval until the connection is lost.
pub fn drip(client: &TcpStream, every: Duration) -> JoinHandle<()> {
    let mut client = client.try_clone().unwrap();
    thread::spawn(move || {
        while client.write_all(b"x").is_ok() {
            thread::sleep(every);
        }
    })
}
