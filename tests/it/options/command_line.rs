//! Socket options on the command line.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

const SELKEY: &str = env!("CARGO_BIN_EXE_selkey");

struct Server {
    process: Child,
    address: String,
    _output: BufReader<ChildStdout>,
}

impl Server {
    fn start(options: &[&str]) -> Server {
        let mut process = Command::new(SELKEY)
            .args(["multiconn-server", "127.0.0.1", "0", "--quiet"])
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("Listening on ").expect("the address").to_owned();
        Server { process, address, _output: output }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What ss says of the sockets of this process that match.
#[cfg(target_os = "linux")]
fn ss(server: &Server, arguments: &[&str]) -> Option<String> {
    let port = server.address.rsplit_once(':').unwrap().1;
    let output = Command::new("ss").args(arguments).args(["-tmnoiH", &format!("sport = :{port}")]).output();
    match output {
        Ok(output) if output.status.success() => Some(String::from_utf8_lossy(&output.stdout).into_owned()),
        _ => None,
    }
}

#[cfg(target_os = "linux")]
#[test]
fn options_reach_the_sockets_of_a_server() {
    let options = ["--rcvbuf", "100000", "--sndbuf=50k", "--keepalive", "--keepidle", "77", "--backlog", "17"];
    let server = Server::start(&[&options[..], &["--congestion", "reno"]].concat());
    let Some(listening) = ss(&server, &["-l"]) else { return println!("skipped: no ss") };
    for part in ["rb200000", "tb102400", " 17 "] {
        assert!(listening.contains(part), "no {part} in {listening}");
    }
    let mut stream = std::net::TcpStream::connect(&server.address).unwrap();
    std::io::Write::write_all(&mut stream, b"x").unwrap();
    std::io::Read::read_exact(&mut stream, &mut [0]).unwrap();
    let connected = ss(&server, &[]).unwrap();
    for part in ["rb200000", "tb102400", "timer:(keepalive", "reno"] {
        assert!(connected.contains(part), "no {part} in {connected}");
    }
}

#[test]
fn two_servers_share_a_port() {
    let first = Server::start(&["--reuse-port"]);
    let (host, port) = first.address.rsplit_once(':').unwrap();
    let second = |options: &[&str]| {
        let mut command = Command::new(SELKEY);
        command.args(["multiconn-server", "--quiet"]).args(options).args([host, port]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let refused = second(&["--reuse-port=off"]).wait_with_output().unwrap();
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let mut shared = second(&["--reuse-port", "on"]);
    let mut line = String::new();
    BufReader::new(shared.stdout.take().unwrap()).read_line(&mut line).unwrap();
    shared.kill().unwrap();
    shared.wait().unwrap();
    assert_eq!(line.trim(), format!("Listening on {}", first.address));
}

#[test]
fn a_client_takes_options_too() {
    let server = Server::start(&["--quickack"]);
    let (host, port) = server.address.rsplit_once(':').unwrap();
    let options = ["--rcvbuf", "64k", "--nodelay", "off", "--linger", "0.5"];
    let output =
        Command::new(SELKEY).args(["multiconn-client", host, port, "3", "--quiet"]).args(options).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "3 connections, 132 bytes came back\n");
}

#[test]
fn a_wrong_value_is_a_usage_error_of_one_clear_line() {
    let too_many = "error: invalid value '5000000000' for '--rcvbuf <B>': SO_RCVBUF takes a size from 0 to 2147483647 bytes (64k, 1m), not \"5000000000\"";
    let no_switch = "error: invalid value '127.0.0.1' for '--nodelay [<on|off>]': TCP_NODELAY takes on or off, not \"127.0.0.1\"; --nodelay=on where more follows";
    for (arguments, line) in [
        (&["multiconn-server", "--rcvbuf", "5000000000"][..], too_many),
        (&["multiconn-server", "--nodelay", "127.0.0.1", "0"], no_switch),
        (
            &["multiconn-client", "127.0.0.1", "1", "1", "--keepcnt", "-1"],
            "error: invalid value '-1' for '--keepcnt <N>': TCP_KEEPCNT takes a number from 1 to 127, not \"-1\"",
        ),
        (
            &["multiconn-client", "127.0.0.1", "1", "1", "--backlog", "5"],
            "error: unexpected argument '--backlog' found",
        ),
    ] {
        let output = Command::new(SELKEY).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        let hint = said.strip_prefix(line).unwrap_or_else(|| panic!("{said}"));
        assert!(hint.starts_with("; ") && hint.ends_with("try --help\n") && hint.lines().count() == 1, "{said}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_the_system_refuses_is_a_failure_that_names_the_option() {
    let arguments = ["multiconn-server", "127.0.0.1", "0", "--congestion", "no-such"];
    let output = Command::new(SELKEY).args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("error: cannot listen on 127.0.0.1:0: TCP_CONGESTION no-such (needs: "), "{said}");
    assert!(said.lines().count() == 1 && !said.contains("1024"), "{said}");
}

#[test]
fn the_help_has_every_option_under_its_heading() {
    let output = Command::new(SELKEY).args(["multiconn-server", "--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let section = help.split_once("Socket options:").expect("a heading").1;
    for option in selkey::socket::options::all().iter().filter(|option| option.is_available()) {
        let offered = option.name != "SO_BROADCAST";
        assert_eq!(section.contains(&format!("--{} ", option.flag)), offered, "{}", option.flag);
    }
}
