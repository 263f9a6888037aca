//! Echo over TCP: what a message costs each peer's server, paired with a bare epoll server in one run.
//!
//! `cargo bench --bench echo` prints CPU time per message as a ratio (noisy, so paired, with the noise floor), and beside it what can be
//! counted exactly where strace and valgrind are installed: system calls and user-space instructions per message.

mod peers;
mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, mem};

use peers::PEERS;
use support::{Mode, Progress, Spread, paired, ratio, table};

/// Bytes of a message.
const SIZE: usize = 64;
/// How long a slice is, and how many there are of each server.
const SLICE: Duration = Duration::from_millis(40);
const ROUNDS: usize = 25;
const CONNECTIONS: [usize; 2] = [1, 50];

fn main() {
    let arguments: Vec<String> = env::args().collect();
    if let [_, serve, name] = &arguments[..]
        && serve == "serve"
    {
        return self::serve(name);
    }
    if Mode::from_args() == Mode::Test {
        for (name, _) in PEERS {
            let server = Server::start(name, &[]);
            assert_eq!(Clients::new(&server, 3).exchange(5), 15);
        }
        return;
    }
    println!(
        "CPU time of the server per {SIZE}-byte message, as a ratio to bare epoll (median of {ROUNDS} paired slices)\n"
    );
    println!("{}", table(&cpu_ratios()));
    println!("Counted per message at one connection\n");
    println!("{}", table(&exact_counts()));
}

fn serve(name: &str) {
    let (_, serve) = PEERS.iter().find(|(peer, _)| *peer == name).expect("a peer's name");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    serve(listener);
}

fn cpu_ratios() -> Vec<Vec<String>> {
    let progress = Progress::new();
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut rows = vec![names(&["connections", "bare against itself"])];
    rows[0].extend(PEERS[1..].iter().map(|(name, _)| name.to_string()));
    rows[0].push("spread".into());
    pin(1);
    for connections in CONNECTIONS {
        progress.show(&format!("{connections} connections"));
        // The reference twice: how far it is from itself is the noise.
        let mut variants = vec![PEERS[0].0];
        variants.extend(PEERS.iter().map(|(name, _)| *name));
        let servers: Vec<Server> = variants.iter().map(|name| Server::start(name, &[])).collect();
        let mut slices: Vec<Box<dyn FnMut() -> f64>> = Vec::new();
        for server in &servers {
            let mut clients = Clients::new(server, connections);
            slices.push(Box::new(move || {
                let (before, start, mut messages) = (server.cpu_time(), Instant::now(), 0);
                while start.elapsed() < SLICE {
                    messages += clients.exchange(10);
                }
                (server.cpu_time() - before).as_nanos() as f64 / messages as f64
            }));
        }
        let ratios = paired(ROUNDS, &mut slices);
        let mut row = vec![connections.to_string(), ratios[1].range()];
        row.extend(ratios[2..].iter().map(|spread| ratio(spread.median)));
        row.push(ratios[2..].iter().map(Spread::range).collect::<Vec<_>>().join(" "));
        rows.push(row);
    }
    rows
}

fn exact_counts() -> Vec<Vec<String>> {
    let mut rows = vec![vec!["".into(), "system calls".into(), "instructions".into(), "ratio".into()]];
    let mut first = None;
    for (name, _) in PEERS {
        let calls = per_message(name, &["strace", "-c", "-o", "OUT"], |text| {
            let total = text.lines().find(|line| line.trim_end().ends_with("total"))?;
            total.split_whitespace().nth(3)?.parse().ok()
        });
        let instructions = per_message(name, &["valgrind", "--tool=callgrind", "--callgrind-out-file=OUT"], |text| {
            text.lines().find_map(|line| line.strip_prefix("totals: "))?.trim().parse().ok()
        });
        let show = |count: Option<f64>| count.map_or("n/a".into(), |count| format!("{count:.1}"));
        let reference = *first.get_or_insert(instructions);
        let against = reference.zip(instructions).map(|(bare, this)| this / bare);
        rows.push(vec![name.to_string(), show(calls), show(instructions), against.map_or("n/a".into(), ratio)]);
    }
    rows
}

/// Runs a server under a tool that counts, twice, and answers how much more it counted for how many messages more.
fn per_message(name: &str, tool: &[&str], read: impl Fn(&str) -> Option<f64>) -> Option<f64> {
    let out = env::temp_dir().join(format!("selkey-count-{}", std::process::id()));
    let tool: Vec<String> = tool.iter().map(|word| word.replace("OUT", out.to_str().unwrap())).collect();
    Command::new(&tool[0]).arg("--version").stdout(Stdio::null()).status().ok()?;
    let count = |messages: usize| {
        let mut server = Server::start(name, &tool);
        Clients::new(&server, 1).exchange(messages);
        server.end();
        let text = fs::read_to_string(&out).ok()?;
        fs::remove_file(&out).ok()?;
        read(&text)
    };
    let (few, many) = (500, 2_500);
    Some((count(many)? - count(few)?) / (many - few) as f64)
}

struct Server {
    child: Child,
    port: u16,
}

impl Server {
    /// This program again, as a server on processor 0, under a tool where one is named.
    fn start(name: &str, tool: &[String]) -> Server {
        let itself = env::current_exe().unwrap();
        let mut command = match tool {
            [] => Command::new(&itself),
            [tool, arguments @ ..] => {
                let mut command = Command::new(tool);
                command.args(arguments).arg(&itself);
                command
            }
        };
        let command = command.args(["serve", name]).stdout(Stdio::piped()).stderr(Stdio::null());
        pin(0);
        let mut child = command.spawn().unwrap();
        pin(1);
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        Server { child, port: line.trim().parse().expect("a server says its port") }
    }

    fn cpu_time(&self) -> Duration {
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
    fn end(&mut self) {
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

struct Clients {
    streams: Vec<TcpStream>,
}

impl Clients {
    fn new(server: &Server, connections: usize) -> Clients {
        let connect = |_| {
            let stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
            stream.set_nodelay(true).unwrap();
            stream
        };
        Clients { streams: (0..connections).map(connect).collect() }
    }

    /// One message in flight on every connection, this many times. Answers how many messages that were.
    fn exchange(&mut self, times: usize) -> usize {
        let (message, mut answer) = ([b'm'; SIZE], [0; SIZE]);
        for _ in 0..times {
            for stream in &mut self.streams {
                stream.write_all(&message).unwrap();
            }
            for stream in &mut self.streams {
                stream.read_exact(&mut answer).unwrap();
                assert_eq!(answer, message);
            }
        }
        times * self.streams.len()
    }
}

/// Keeps this process, and what it starts from now on, on one processor, where there is more than one.
fn pin(processor: usize) {
    // SAFETY: a set of zeros is a valid empty one, and it lives through the call. A processor that is not there changes nothing.
    unsafe {
        let mut set: libc::cpu_set_t = mem::zeroed();
        libc::CPU_SET(processor, &mut set);
        libc::sched_setaffinity(0, mem::size_of_val(&set), &set);
    }
}
