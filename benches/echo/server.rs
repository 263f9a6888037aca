//! A server in a process of its own, on a processor of its own.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs, mem};

use selkey::socket::Socket;

use crate::peers::PEERS;

/// The other side of [`Server::start`].
pub fn serve(name: &str) {
    let (_, serve) = PEERS.iter().find(|(peer, _)| *peer == name).expect("a peer's name");
    let listener = Socket::from(TcpListener::bind("127.0.0.1:0").unwrap());
    // A thousand connections come at once.
    listener.listen(4096).unwrap();
    let listener = TcpListener::from(listener);
    println!("{}", listener.local_addr().unwrap().port());
    serve(listener);
}

pub struct Server {
    child: Child,
    pub port: u16,
}

impl Server {
    /// This program again, as a server on processor 0, under a tool where one is named.
    pub fn start(name: &str, tool: &[String]) -> Server {
        let itself = env::current_exe().unwrap();
        let mut command = match tool {
            [] => Command::new(&itself),
            [tool, arguments @ ..] => {
                let mut command = Command::new(tool);
                command.args(arguments).arg(&itself);
                command
            }
        };
        pin(0);
        let server = Server::of(command.args(["serve", name]));
        pin(1);
        server
    }

    /// The program, on whatever processors its options and the system say.
    pub fn program(options: &[&str]) -> Server {
        unpin();
        let mut command = Command::new(env!("CARGO_BIN_EXE_selkey"));
        let server = Server::of(command.args(["multiconn-server", "127.0.0.1", "0", "--quiet"]).args(options));
        pin(1);
        server
    }

    fn of(command: &mut Command) -> Server {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().rsplit(':').next().and_then(|port| port.parse().ok());
        Server { child, port: port.expect("a server says its port last") }
    }

    pub fn cpu_time(&self) -> Duration {
        let mut clock = 0;
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: both places live through the calls, which fill them in.
        unsafe {
            assert_eq!(libc::clock_getcpuclockid(self.child.id() as libc::pid_t, &mut clock), 0);
            assert_eq!(libc::clock_gettime(clock, &mut time), 0);
        }
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    }

    /// Asks the server to end, so that a tool around it writes what it counted.
    pub fn end(&mut self) {
        let pid = self.child.id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        let target = children.split_whitespace().next().and_then(|child| child.parse().ok()).unwrap_or(pid as i32);
        // SAFETY: the process is ours: our child, or (under strace) its only child.
        unsafe { libc::kill(target, libc::SIGTERM) };
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Keeps this process, and what it starts from now on, on one processor, where there is more than one.
fn pin(processor: usize) {
    // A processor that is not there changes nothing.
    let _ = selkey::pin_thread(processor);
}

/// How many there are, wherever this process is kept.
pub fn processors() -> usize {
    unpin();
    let number = std::thread::available_parallelism().map_or(1, |number| number.get());
    pin(1);
    number
}

/// On any processor again.
fn unpin() {
    // SAFETY: a set of ones is valid, and it lives through the call.
    unsafe {
        let mut set: libc::cpu_set_t = mem::zeroed();
        (0..libc::CPU_SETSIZE as usize).for_each(|processor| libc::CPU_SET(processor, &mut set));
        libc::sched_setaffinity(0, mem::size_of_val(&set), &set);
    }
}
