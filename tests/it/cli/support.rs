//! A program as a process: its lines, its end, and a deadline on everything.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use selkey::socket::Socket;

pub use crate::harness::accept;
use crate::harness::{PATIENCE, Spot, check};

/// The program under test.
pub fn selkey() -> Command {
    Command::new(env!("CARGO_BIN_EXE_selkey"))
}

/// A running program. It is killed when this is dropped.
pub struct Program {
    child: Child,
    stdout: Option<Receiver<String>>,
    stderr: Option<Receiver<String>>,
}

/// How a program ended.
#[derive(Debug)]
pub struct Ended {
    /// `None`: by a signal.
    pub status: Option<i32>,
    /// The lines that nobody took before, up to the totals.
    pub lines: Vec<String>,
    /// What a server on the loop says last.
    pub totals: Vec<String>,
    pub errors: Vec<String>,
}

impl Program {
    pub fn start<S: AsRef<str>>(args: &[S]) -> Program {
        Program::of(selkey().args(args.iter().map(AsRef::as_ref)).stdout(Stdio::piped()).stderr(Stdio::piped()))
    }

    /// With a standard input to write to.
    pub fn fed(args: &[&str]) -> (Program, ChildStdin) {
        let mut command = selkey();
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut program = Program::spawn(&mut command);
        let stdin = program.child.stdin.take().unwrap();
        (program, stdin)
    }

    /// What is piped is collected.
    pub fn of(command: &mut Command) -> Program {
        Program::spawn(command.stdin(Stdio::null()))
    }

    fn spawn(command: &mut Command) -> Program {
        let mut child = command.spawn().unwrap();
        let stdout = child.stdout.take().map(collect);
        let stderr = child.stderr.take().map(collect);
        Program { child, stdout, stderr }
    }

    /// The next line on standard output; `None` where there will be no more.
    pub fn next_line(&mut self) -> Option<String> {
        next(self.stdout.as_ref().unwrap())
    }

    pub fn line(&mut self) -> String {
        match self.next_line() {
            Some(line) => line,
            None => panic!("said no more, but: {:?}", self.stderr.as_ref().map(rest)),
        }
    }

    /// Says nothing for as long as that.
    pub fn is_silent_for(&self, time: Duration) {
        let said = self.stdout.as_ref().unwrap().recv_timeout(time);
        assert_eq!(said, Err(RecvTimeoutError::Timeout));
    }

    pub fn signal(&self, signal: libc::c_int) {
        // SAFETY: the call takes no pointers; the child was not waited for yet, so the number is still its own.
        check(unsafe { libc::kill(self.pid(), signal) });
    }

    /// Stops the process where it is. It goes on when dropped and when told so by [`Program::signal`].
    pub fn freeze(&self) {
        self.signal(libc::SIGSTOP);
        let mut status = 0;
        // SAFETY: `status` lives through the call. A stop is reported; the child stays to be waited for.
        check(unsafe { libc::waitpid(self.pid(), &mut status, libc::WUNTRACED) });
        assert!(libc::WIFSTOPPED(status));
    }

    pub fn pid(&self) -> libc::pid_t {
        self.child.id() as libc::pid_t
    }

    /// Waits for the end.
    pub fn end(mut self) -> Ended {
        // Its ends of the pipes close when it ends, so that the wait below is short.
        let mut lines = self.stdout.as_ref().map(rest).unwrap_or_default();
        let told = lines.iter().position(|line| line.starts_with("Totals: ")).unwrap_or(lines.len());
        let totals = lines.split_off(told);
        let errors = self.stderr.as_ref().map(rest).unwrap_or_default();
        Ended { status: self.child.wait().unwrap().code(), lines, totals, errors }
    }

    /// Waits for the end, which must be a good one.
    pub fn succeed(self) -> Vec<String> {
        let ended = self.end();
        assert!(ended.status == Some(0) && ended.errors.is_empty(), "{ended:?}");
        ended.lines
    }

    /// As a user ends it.
    pub fn interrupt(self) -> Vec<String> {
        self.signal(libc::SIGINT);
        self.succeed()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (lines, receiver) = channel();
    thread::spawn(move || {
        BufReader::new(stream).lines().map_while(Result::ok).take_while(|line| lines.send(line.clone()).is_ok()).count()
    });
    receiver
}

fn next(lines: &Receiver<String>) -> Option<String> {
    match lines.recv_timeout(PATIENCE) {
        Ok(line) => Some(line),
        Err(RecvTimeoutError::Disconnected) => None,
        Err(RecvTimeoutError::Timeout) => panic!("no line within {PATIENCE:?}"),
    }
}

/// Until the stream ends.
fn rest(lines: &Receiver<String>) -> Vec<String> {
    let start = Instant::now();
    let mut all = Vec::new();
    while let Some(line) = next(lines) {
        assert!(start.elapsed() < PATIENCE, "no end of lines within {PATIENCE:?}, the last: {line}");
        all.push(line);
    }
    all
}

/// A server that said where it listens.
pub struct Server {
    pub program: Program,
    pub address: SocketAddr,
}

impl Server {
    /// On a free port of 127.0.0.1.
    pub fn start(options: &[&str]) -> Server {
        Server::on("127.0.0.1", 0, options)
    }

    pub fn on(host: &str, port: u16, options: &[&str]) -> Server {
        let port = port.to_string();
        Server::of(Program::start(&[&["multiconn-server", host, &port], options].concat()))
    }

    /// The server program of this name, on a free port of 127.0.0.1.
    pub fn named(name: &str, options: &[&str]) -> Server {
        Server::of(Program::start(&[&[name, "127.0.0.1", "0"], options].concat()))
    }

    pub fn of(mut program: Program) -> Server {
        let line = program.line();
        let address = line.strip_prefix("Listening on ").and_then(|address| address.parse().ok());
        Server { address: address.unwrap_or_else(|| panic!("{line}")), program }
    }

    /// A client's connection that was accepted, and how the server names it.
    pub fn meet(&mut self) -> (TcpStream, SocketAddr) {
        let stream = dial(self.address);
        let name = stream.local_addr().unwrap();
        assert_eq!(self.program.line(), format!("Accepted connection from {name}"));
        (stream, name)
    }
}

/// The processor time that a process has used.
#[cfg(target_os = "linux")]
pub fn cpu(pid: libc::pid_t) -> Duration {
    let mut clock = 0;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the calls fill in `clock` and `time`.
    unsafe {
        assert_eq!(libc::clock_getcpuclockid(pid, &mut clock), 0);
        check(libc::clock_gettime(clock, &mut time));
    }
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Closes with a reset.
pub fn reset(stream: TcpStream) {
    Socket::from(stream).set_linger(Some(Duration::ZERO)).unwrap();
}

/// Connects; every receive and send has a deadline.
pub fn dial(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Sends, and waits until the same has come back.
pub fn exchange(stream: &mut TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).unwrap();
    let mut back = vec![0; bytes.len()];
    stream.read_exact(&mut back).unwrap();
    assert!(back == bytes, "something else came back");
}

/// The client program of this name, told to go to `address`.
pub fn run(name: &str, address: SocketAddr, more: &[&str]) -> Program {
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    Program::start(&[&[name, &host, &port], more].concat())
}

/// The server program of this name, when it listens at `spot`.
pub fn at(name: &str, spot: &Spot, options: &[&str]) -> Program {
    let mut program = Program::start(&[&[name, &spot.address().to_string()], options].concat());
    assert_eq!(program.line(), format!("Listening on {}", spot.address()));
    program
}

/// Runs our client against `address`.
pub fn client(address: SocketAddr, connections: usize, options: &[&str]) -> Program {
    run("multiconn-client", address, &[&[&*connections.to_string()], options].concat())
}
