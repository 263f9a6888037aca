//! `selkey sockets` beside a running server and beside ss.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::{env, fs, process};

use serde_json::Value;

use crate::harness::await_that;

fn selkey() -> Command {
    Command::new(env!("CARGO_BIN_EXE_selkey"))
}

fn run(arguments: &[&str]) -> Output {
    selkey().arg("sockets").args(arguments).output().unwrap()
}

/// Standard output of a run that must succeed.
fn shown(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Without what earlier connections left behind: a free port may be one that was used a moment ago.
fn rows(port: u16) -> Vec<Value> {
    let mut whole: Value = serde_json::from_str(&shown(&[&port.to_string(), "--json"])).unwrap();
    let mut rows = whole["sockets"].as_array_mut().unwrap().split_off(0);
    rows.retain(|row| row["state"] != "TIME_WAIT");
    rows
}

/// Those of TCP: another protocol's port may have the same number.
fn tcp_rows(port: u16) -> Vec<Value> {
    let mut rows = rows(port);
    rows.retain(|row| row["proto"] == "TCP");
    rows
}

/// A process that ends with the test, also where it fails.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> (Running, BufReader<ChildStdout>) {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        (Running(child), said)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn server() -> (Running, BufReader<ChildStdout>, u16) {
    let (server, mut said) = Running::start(selkey().args(["multiconn-server", "127.0.0.1", "0"]));
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    let port = line.trim().rsplit_once(':').expect("Listening on HOST:PORT").1.parse().unwrap();
    (server, said, port)
}

/// A client whose connection the server has accepted: it answers.
fn client(port: u16) -> TcpStream {
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    client.write_all(b"hello").unwrap();
    client.read_exact(&mut [0; 5]).unwrap();
    client
}

#[test]
fn a_running_server_its_connections_and_its_name() {
    let (server, _said, port) = server();
    let clients = [client(port), client(port)];
    let pid = u64::from(server.0.id());
    // The kernel may leave a row out while other sockets come and go.
    await_that("every row is there", || {
        let rows = tcp_rows(port);
        let listens = rows.iter().any(|row| {
            row["state"] == "LISTEN"
                && row["proto"] == "TCP"
                && row["local_address"] == "127.0.0.1"
                && row["local_port"] == port
                && row["foreign_port"].is_null()
                && row["pid"] == pid
                && row["program"] == "selkey"
        });
        let connected = clients.iter().all(|client| {
            let theirs = client.local_addr().unwrap().port();
            let row = |local: u16, foreign: u16, pid: u64| {
                rows.iter().any(|row| {
                    row["state"] == "ESTABLISHED"
                        && row["local_port"] == local
                        && row["foreign_port"] == foreign
                        && row["pid"] == pid
                })
            };
            row(port, theirs, pid) && row(theirs, port, process::id().into())
        });
        listens && connected && rows.len() == 5
    });
    let text = shown(&[&port.to_string()]);
    assert!(text.starts_with("Proto  Recv-Q  Send-Q  Local Address"), "{text}");
    assert!(text.contains(&format!("{pid}/selkey\n")), "{text}");
    assert!(text.contains("A growing Recv-Q: ") && text.contains("In a LISTEN row a growing Recv-Q: "), "{text}");
}

/// State in netstat's words, Recv-Q, Send-Q, both ends.
type Line = (String, u64, Option<u64>, String, String);

fn as_ss_shows(port: u16) -> BTreeSet<Line> {
    let filter = format!("( sport = :{port} or dport = :{port} )");
    let output = Command::new("ss").args(["-tanH", &filter]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            let state = if words[0] == "ESTAB" { "ESTABLISHED".to_owned() } else { words[0].replace('-', "_") };
            // ss shows the backlog there, which /proc/net does not tell.
            let send_q = (state != "LISTEN").then(|| words[2].parse().unwrap());
            (state, words[1].parse().unwrap(), send_q, words[3].to_owned(), words[4].to_owned())
        })
        .filter(|line: &Line| line.0 != "TIME_WAIT")
        .collect()
}

fn as_selkey_shows(port: u16) -> BTreeSet<Line> {
    let end = |row: &Value, which: &str| match row[format!("{which}_port")].as_u64() {
        Some(port) => format!("{}:{port}", row[format!("{which}_address")].as_str().unwrap()),
        None => "0.0.0.0:*".to_owned(),
    };
    let line = |row: &Value| {
        let state = row["state"].as_str().unwrap().to_owned();
        let send_q = row["send_q"].as_u64().filter(|_| state != "LISTEN");
        (state, row["recv_q"].as_u64().unwrap(), send_q, end(row, "local"), end(row, "foreign"))
    };
    tcp_rows(port).iter().map(line).collect()
}

#[test]
fn it_agrees_with_ss() {
    if Command::new("ss").arg("-V").output().is_err() {
        println!("skipped: no ss");
        return;
    }
    let (_server, _said, port) = server();
    let _clients = [client(port), client(port)];
    await_that("both show the same of a server", || {
        let ours = as_selkey_shows(port);
        ours.len() == 5 && ours == as_ss_shows(port)
    });

    // One that does not accept, with 700 bytes that nobody reads.
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut first = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let _second = TcpStream::connect(("127.0.0.1", port)).unwrap();
    first.write_all(&[0; 700]).unwrap();
    await_that("both show the same of a stalled server", || {
        let ours = as_selkey_shows(port);
        let waits = ours.iter().any(|line| line.0 == "LISTEN" && line.1 == 2);
        let unread = ours.iter().any(|line| line.0 == "ESTABLISHED" && line.1 == 700);
        waits && unread && ours.len() == 5 && ours == as_ss_shows(port)
    });
}

#[test]
fn the_filter_takes_either_end_and_nothing_else() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let port = client.local_addr().unwrap().port();
    await_that("both ends of the connection", || tcp_rows(port).len() >= 2);
    let rows = rows(port);
    assert!(rows.iter().all(|row| row["local_port"] == port || row["foreign_port"] == port), "{rows:?}");
}

#[test]
fn udp_ipv6_and_unix_sockets() {
    let udp = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let port = udp.local_addr().unwrap().port();
    await_that("the UDP socket", || {
        rows(port).iter().any(|row| row["proto"] == "UDP" && row["local_port"] == port && row["state"].is_null())
    });
    match TcpListener::bind(("::1", 0)) {
        Err(error) => println!("skipped: no IPv6 ({error})"),
        Ok(listener) => {
            let port = listener.local_addr().unwrap().port();
            await_that("the IPv6 socket", || {
                rows(port).iter().any(|row| row["proto"] == "TCP6" && row["local_address"] == "::1")
            });
        }
    }
    let path = env::temp_dir().join(format!("selkey {} listens", process::id()));
    let listener = UnixListener::bind(&path).unwrap();
    let name = path.to_str().unwrap();
    await_that("the Unix-domain socket", || {
        let text = shown(&[]);
        text.lines().any(|line| line.starts_with("UNIX ") && line.contains(name) && line.contains(" LISTEN "))
    });
    drop(listener);
    fs::remove_file(&path).unwrap();
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for arguments in [&["65536"][..], &["0"], &["http"], &["--watch", "0"], &["--watch", "soon"], &["1", "2"]] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty());
    }
}

#[test]
fn the_example_of_the_help_works() {
    let help = shown(&["--help"]);
    let example = help.lines().find_map(|line| line.strip_prefix("Example: selkey ")).expect("an example");
    let output = selkey().args(example.split_whitespace()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_watch_repeats_and_ends_on_ctrl_c() {
    for (form, block) in [("--json", "{\"programs_hidden\""), ("--watch", "Proto ")] {
        let mut command = selkey();
        command.args(["sockets", "1", "--watch", "0.1"]);
        if form == "--json" {
            command.arg(form);
        }
        let (mut watch, said) = Running::start(&mut command);
        let mut lines = said.lines().map(|line| line.unwrap());
        for _ in 0..3 {
            assert!(lines.any(|line| line.starts_with(block)), "{form}: it ended");
        }
        // SAFETY: the call takes no pointers, and the process is ours and not waited for yet.
        assert_eq!(unsafe { libc::kill(watch.0.id() as libc::pid_t, libc::SIGINT) }, 0);
        // It may be in the middle of a block, which it writes to its end.
        lines.for_each(drop);
        assert_eq!(watch.0.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn a_watch_ends_when_nobody_reads() {
    let (mut watch, said) = Running::start(selkey().args(["sockets", "1", "--watch", "0.1"]));
    drop(said);
    assert_eq!(watch.0.wait().unwrap().code(), Some(0));
}

#[test]
fn another_user_is_told_what_is_hidden() {
    // SAFETY: the call takes no pointers and cannot fail.
    if unsafe { libc::geteuid() } != 0 {
        println!("skipped: not root, so nobody else can be asked");
        return;
    }
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    // A copy, since the directories above the original may be closed to others.
    let program = env::temp_dir().join(format!("selkey-{}", process::id()));
    fs::copy(env!("CARGO_BIN_EXE_selkey"), &program).unwrap();
    let nobody = |arguments: &[&str]| {
        // A process that another test starts may still hold the copy open for writing (ETXTBSY).
        let mut output = None;
        await_that("the copy can be started", || {
            let mut command = Command::new(&program);
            match command.arg("sockets").args(arguments).current_dir("/").uid(65534).gid(65534).output() {
                Err(error) if error.raw_os_error() == Some(libc::ETXTBSY) => {}
                outcome => output = Some(outcome.unwrap()),
            }
            output.is_some()
        });
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    await_that("the row without its program", || {
        let text = nobody(&[&port]);
        text.lines().any(|line| line.contains("LISTEN") && line.ends_with(" -"))
    });
    let text = nobody(&[&port]);
    let json: Value = serde_json::from_str(&nobody(&[&port, "--json"])).unwrap();
    fs::remove_file(&program).unwrap();
    assert!(text.ends_with("Not run as root: the programs of other users are not shown.\n"), "{text}");
    assert_eq!(json["programs_hidden"], true);
}
