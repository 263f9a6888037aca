//! What the tests of the loop share: a server on a thread, turns with patience, protocols that remember, bytes to recognise.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use selkey::backend::Backend;
use selkey::socket::Socket;
use selkey::{Deadline, Flow, Handle, Out, Protocol, Reactor};
use socket2::SockRef;

use crate::harness::{PATIENCE, await_that};

/// A loop on a thread of its own; dropping this ends both.
pub struct Running {
    pub handle: Handle,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Runs `run` with what `prepare` makes of a loop on a thread of its own, and answers what that told.
    pub fn start<P: Protocol + 'static, R, T: Send + 'static>(
        prepare: impl FnOnce(&mut Reactor<P>) -> (R, T) + Send + 'static,
        run: impl FnOnce(Reactor<P>, R) + Send + 'static,
    ) -> (Running, T) {
        let (tell, told) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut reactor = Reactor::new().unwrap();
            let (prepared, what) = prepare(&mut reactor);
            tell.send((reactor.handle(), what)).unwrap();
            run(reactor, prepared);
        });
        let (handle, what) = told.recv().unwrap();
        (Running { handle, thread: Some(thread) }, what)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.stop();
        let Some(thread) = self.thread.take() else { return };
        if !thread::panicking() {
            await_that("the loop ends", || thread.is_finished());
            thread.join().expect("the loop ends well");
        }
    }
}

/// A loop that listens.
pub struct Server {
    pub address: SocketAddr,
    _running: Running,
}

impl Server {
    pub fn start<P: Protocol + 'static>(make: impl FnMut(&Socket) -> P + Send + 'static) -> Server {
        Server::with(move |reactor| reactor.listen("127.0.0.1:0", make).unwrap())
    }

    /// Listens as `set_up` does, which answers where.
    pub fn with<P: Protocol + 'static>(set_up: impl FnOnce(&mut Reactor<P>) -> SocketAddr + Send + 'static) -> Server {
        let (running, address) =
            Running::start(|reactor| ((), set_up(reactor)), |mut reactor, ()| reactor.run().unwrap());
        Server { address, _running: running }
    }

    pub fn client(&self) -> TcpStream {
        connect(self.address)
    }
}

/// A blocking connection that sends at once and does not wait for ever.
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    patient(stream)
}

pub fn patient(stream: TcpStream) -> TcpStream {
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// The next `n` bytes.
pub fn read(stream: &mut impl Read, n: usize) -> Vec<u8> {
    let mut bytes = vec![0; n];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// Everything to the end.
pub fn read_all(stream: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

/// Sends, and reads as many bytes back.
pub fn ask(stream: &mut TcpStream, bytes: &[u8]) -> Vec<u8> {
    stream.write_all(bytes).unwrap();
    read(stream, bytes.len())
}

/// What closes `stream` resets the connection.
pub fn reset(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO)).unwrap();
}

/// Small kernel buffers, so that little fills them; not so small that the kernel sends no full segments and waits for its timers.
pub fn narrow<'s>(socket: impl Into<SockRef<'s>>) {
    let socket = socket.into();
    socket.set_send_buffer_size(32 << 10).unwrap();
    socket.set_recv_buffer_size(128 << 10).unwrap();
}

/// A loop on this thread, which is ended when it waits longer than anything may take; then the test fails.
pub struct Turning<R> {
    reactor: R,
    _patience: Sender<()>,
    too_long: Arc<AtomicBool>,
}

impl<R> Drop for Turning<R> {
    fn drop(&mut self) {
        assert!(thread::panicking() || !self.too_long.load(Ordering::Relaxed), "the loop waited too long");
    }
}

pub fn turning<P: Protocol, B: Backend>(reactor: Reactor<P, B>) -> Turning<Reactor<P, B>> {
    let (patience, over) = mpsc::channel::<()>();
    let (handle, too_long) = (reactor.handle(), Arc::new(AtomicBool::new(false)));
    let tell = too_long.clone();
    thread::spawn(move || {
        if over.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            tell.store(true, Ordering::Relaxed);
            handle.stop();
        }
    });
    Turning { reactor, _patience: patience, too_long }
}

impl<P: Protocol, B: Backend> Turning<Reactor<P, B>> {
    /// Turns until `done`, each time waiting for what comes.
    pub fn until(&mut self, what: &str, mut done: impl FnMut() -> bool) {
        while !done() {
            assert!(self.reactor.turn().unwrap(), "the loop ended, or waited too long: {what}");
        }
    }

    /// A turn that waits for nothing.
    pub fn turn_at_once(&mut self) {
        self.reactor.handle().wake();
        assert!(self.reactor.turn().unwrap());
    }

    /// Until nothing is left in the loop.
    pub fn run_out(&mut self) {
        self.reactor.run().unwrap();
    }
}

impl<R> Deref for Turning<R> {
    type Target = R;
    fn deref(&self) -> &R {
        &self.reactor
    }
}

impl<R> DerefMut for Turning<R> {
    fn deref_mut(&mut self) -> &mut R {
        &mut self.reactor
    }
}

/// What happened, in order.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub fn add(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// How many lines begin so.
    pub fn count(&self, start: &str) -> usize {
        self.0.lock().unwrap().iter().filter(|line| line.starts_with(start)).count()
    }
}

/// A protocol whose calls are written down, up to the drop.
pub struct Logged<P> {
    inner: P,
    log: Log,
}

pub fn logged<P: Protocol>(log: &Log, inner: P) -> Logged<P> {
    Logged { inner, log: log.clone() }
}

impl<P: Protocol> Protocol for Logged<P> {
    fn open(&mut self, out: &mut Out<'_, '_>) -> Flow {
        self.log.add("open");
        self.inner.open(out)
    }
    fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
        self.log.add(format!("receive {}", input.len()));
        self.inner.receive(input, out)
    }
    fn end(&mut self, rest: &[u8], out: &mut Out<'_, '_>) -> Flow {
        self.log.add(format!("end {}", rest.len()));
        self.inner.end(rest, out)
    }
    fn drained(&mut self) {
        self.inner.drained();
    }
    fn is_busy(&self) -> bool {
        self.inner.is_busy()
    }
    fn refuse(&mut self, out: &mut Out<'_, '_>) -> Flow {
        self.log.add("refuse");
        self.inner.refuse(out)
    }
    fn expired(&mut self, what: Deadline, out: &mut Out<'_, '_>) -> Flow {
        self.log.add(format!("expired {what:?}"));
        self.inner.expired(what, out)
    }
    fn failed(&mut self, error: io::Error) {
        self.log.add(format!("failed {:?}: {error}", error.kind()));
        self.inner.failed(error);
    }
}

impl<P> Drop for Logged<P> {
    fn drop(&mut self) {
        self.log.add("drop");
    }
}

/// Sends back what comes.
pub struct Echo;

impl Protocol for Echo {
    fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
        out.lend(input);
        Flow::used(input.len())
    }
}

/// Bytes in which nothing repeats soon, different ones for each seed.
pub fn pattern(len: usize, seed: u64) -> Vec<u8> {
    let mut numbers = Numbers(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    (0..len).map(|_| (numbers.next() >> 32) as u8).collect()
}

/// The same numbers in every run (xorshift).
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.next() >> 16) as usize % end
    }
}

/// Whether both are the same, without printing megabytes.
#[track_caller]
pub fn assert_same(got: &[u8], expected: &[u8]) {
    let differs = got.iter().zip(expected).position(|(a, b)| a != b);
    assert_eq!((got.len(), differs), (expected.len(), None), "lengths, and where they differ");
}
