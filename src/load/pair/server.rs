//! A server in a process of its own: started where it is told, asked for its time, ended with all that it started.

use std::io::{self, ErrorKind, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Type};

use super::processors::Pinned;
use crate::socket::Socket;
use crate::sys::process;

/// What stands for the port in a command.
pub const PORT: &str = "{port}";

/// Ports that are tried while a server says that they are in use, the first of them held meanwhile.
const ATTEMPTS: usize = 4;
const HELD: usize = 2;
/// Between two looks whether it listens.
const LONGEST_PAUSE: Duration = Duration::from_millis(20);
/// In this time a server says that its port is in use, if it is.
const SETTLED: Duration = Duration::from_millis(100);
/// A server that does not end by SIGTERM is ended by SIGKILL after this.
const LAST_MOMENT: Duration = Duration::from_secs(2);
/// How much of what a server says last is kept.
const LAST_WORDS: usize = 512;

/// A running server. Dropped it is ended: by SIGTERM, and what is left of its process group after two seconds by SIGKILL.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: SocketAddr,
    command: String,
    /// The process and those that it started.
    processes: Vec<u32>,
    last_words: LastWords,
}

impl Server {
    /// Runs a program, without a shell, in a process group of its own, and waits until it listens on a free port of 127.0.0.1, which takes the place of `{port}` in its
    /// arguments. It runs on these processors, or on any where none is named; its standard input is empty and its standard output goes nowhere.
    ///
    /// `goes_on` is asked again and again while it waits; an error from there ends the wait.
    ///
    /// # Errors
    /// There is no such program or processor, it ended, or nobody listens there when `patience` is over; the error quotes the command and the last line that it wrote to standard
    /// error. A server that says that its port is in use is started once more on another.
    pub fn start(
        words: &[String],
        processors: &[usize],
        patience: Duration,
        goes_on: &mut dyn FnMut() -> io::Result<()>,
    ) -> io::Result<Server> {
        let mut attempt = 1;
        loop {
            let port = Port::free(attempt <= HELD)?;
            match Server::start_once(words, processors, patience, &port, goes_on)? {
                Ok(server) => return Ok(server),
                Err(error) if attempt == ATTEMPTS || !error.to_string().to_lowercase().contains("in use") => {
                    return Err(error);
                }
                Err(_) => attempt += 1,
            }
        }
    }

    /// The inner error is that of a server which ended.
    fn start_once(
        words: &[String],
        processors: &[usize],
        patience: Duration,
        port: &Port,
        goes_on: &mut dyn FnMut() -> io::Result<()>,
    ) -> io::Result<io::Result<Server>> {
        let address = port.address;
        let words: Vec<String> = words.iter().map(|word| word.replace(PORT, &address.port().to_string())).collect();
        let command = words.join(" ");
        let failed = |kind, what: String| io::Error::new(kind, format!("'{}' {what}", command.escape_debug()));
        let Some((program, arguments)) = words.split_first() else {
            return Err(failed(ErrorKind::InvalidInput, "names no program".into()));
        };
        let mut starting = Command::new(program);
        starting.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0);
        process::end_with_parent(&mut starting);
        let pinned = Pinned::to(processors)?;
        let spawned = starting.spawn();
        drop(pinned);
        let mut child = spawned.map_err(|error| failed(error.kind(), format!("cannot be started: {error}")))?;
        let last_words = LastWords::of(child.stderr.take());
        let processes = vec![child.id()];
        let mut server = Server { child, address, command: command.clone(), processes, last_words };
        let (start, mut pause, mut is_there) = (Instant::now(), Duration::from_millis(1), false);
        loop {
            goes_on()?;
            if process::has_ended(server.child.id())? {
                let _ = process::signal_group(server.child.id(), process::SIGKILL);
                let status = server.child.wait()?;
                let word = server.last_words.wait();
                let what = format!("ended ({status}) before it listened on {address}{word}");
                return Ok(Err(failed(ErrorKind::BrokenPipe, what)));
            }
            if is_there {
                return Ok(Ok(server));
            }
            if server.listens() {
                // Where another program took the port first, the server has yet to find out.
                is_there = true;
                pause = if port.held.is_some() { continue } else { SETTLED };
            }
            if start.elapsed() >= patience && !is_there {
                let what = format!("does not listen on {address} after {patience:?}{}", server.last_words.say());
                return Err(failed(ErrorKind::TimedOut, what));
            }
            thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn listens(&self) -> bool {
        let stream = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
        // Where nobody listens a socket may be given the port that it dials, and meet itself.
        stream.is_ok_and(|stream| stream.local_addr().is_ok_and(|own| own != self.address))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its command, with the port.
    pub fn command(&self) -> &str {
        &self.command
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Looks which processes it has started, for [`cpu_time`](Server::cpu_time) to count. A server that forks has done so when it has its connections.
    pub fn find_processes(&mut self) {
        self.processes = vec![self.child.id()];
        let mut at = 0;
        while let Some(&id) = self.processes.get(at) {
            self.processes.extend(process::children(id));
            at += 1;
        }
    }

    /// The processor time that the process has used with all its threads, and the processes found by [`find_processes`](Server::find_processes) with theirs, as far as they
    /// are there still; in nanoseconds (clock_getcpuclockid(3)).
    ///
    /// # Errors
    /// The process has ended, or the system cannot tell (Linux and Android can).
    pub fn cpu_time(&self) -> io::Result<Duration> {
        let own = process::cpu_time(self.child.id()).map_err(|error| self.about(error))?;
        let others = self.processes.iter().skip(1).filter_map(|&id| process::cpu_time(id).ok());
        Ok(own + others.sum())
    }

    /// The error with the command in front, and the last line of standard error behind.
    pub fn about(&self, error: io::Error) -> io::Error {
        let word = self.last_words.say();
        io::Error::new(error.kind(), format!("'{}': {error}{word}", self.command.escape_debug()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let id = self.child.id();
        // Once the child was waited for the number of its group may be somebody else's.
        if process::has_ended(id).is_err() {
            return;
        }
        // Each fails where nobody is left, which is what is wanted.
        let _ = process::signal_group(id, process::SIGTERM);
        let start = Instant::now();
        while !process::has_ended(id).unwrap_or(true) && start.elapsed() < LAST_MOMENT {
            thread::sleep(Duration::from_millis(2));
        }
        let _ = process::signal_group(id, process::SIGKILL);
        let _ = self.child.wait();
    }
}

/// A free port of 127.0.0.1.
struct Port {
    address: SocketAddr,
    /// Keeps it from being given to another program. On Linux a server that sets SO_REUSEADDR, as most do, can listen there nevertheless; any other says that it is in use.
    held: Option<Socket>,
}

impl Port {
    fn free(held: bool) -> io::Result<Port> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        let address = socket.local_addr()?.as_socket().ok_or(ErrorKind::AddrNotAvailable)?;
        Ok(Port { address, held: held.then_some(socket) })
    }
}

/// The end of what a process writes to standard error, read as it comes.
#[derive(Debug)]
struct LastWords {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<thread::JoinHandle<()>>,
}

impl LastWords {
    fn of(stderr: Option<ChildStderr>) -> LastWords {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let kept = bytes.clone();
        let reader = stderr.map(|mut stderr| {
            thread::spawn(move || {
                let mut piece = [0; LAST_WORDS];
                while let Ok(n @ 1..) = stderr.read(&mut piece) {
                    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                    kept.extend_from_slice(&piece[..n]);
                    let surplus = kept.len().saturating_sub(LAST_WORDS);
                    kept.drain(..surplus);
                }
            })
        });
        LastWords { bytes, reader }
    }

    /// Of a process that has ended: when all is read, or a moment later, since somebody else may have its standard error.
    fn wait(&self) -> String {
        let start = Instant::now();
        while self.reader.as_ref().is_some_and(|reader| !reader.is_finished()) && start.elapsed() < LAST_MOMENT {
            thread::sleep(Duration::from_millis(1));
        }
        self.say()
    }

    /// The last line, to be put behind an error.
    fn say(&self) -> String {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&bytes);
        let last = text.lines().map(str::trim).rfind(|line| !line.is_empty());
        last.map_or(String::new(), |line| format!("; its last word: {}", line.escape_debug()))
    }
}
