//! The echo over datagrams: `udp-server` and `udp-client`, with each other, with Python and with peers that misbehave.

use std::net::{Ipv6Addr, SocketAddr, UdpSocket};
use std::process::Stdio;
use std::time::Duration;

use selkey::python;

use super::addresses::ipv6_is_there;
use super::support::{Program, Server};
use crate::harness::{PATIENCE, again, python3};

const BACKENDS: [&str; 3] = ["epoll", "poll", "select"];

fn server(host: &str, options: &[&str]) -> Server {
    Server::of(Program::start(&[&["udp-server", host, "0"], options].concat()))
}

fn client(address: SocketAddr, rest: &[&str]) -> Program {
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    Program::start(&[&["udp-client", &host, &port], rest].concat())
}

/// A socket on a free port of that host, with a deadline on every receive.
fn socket(host: &str) -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind((host, 0)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let name = socket.local_addr().unwrap();
    (socket, name)
}

/// The next datagram, and who sent it.
fn next(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut bytes = vec![0; 1 << 16];
    let (n, from) = again(|| socket.recv_from(&mut bytes)).unwrap();
    bytes.truncate(n);
    (bytes, from)
}

fn exchange(socket: &UdpSocket, bytes: &[u8], server: SocketAddr) {
    socket.send_to(bytes, server).unwrap();
    assert_eq!(next(socket), (bytes.to_vec(), server));
}

/// The one line that is said about a failure, and what was told before.
fn failure(program: Program, status: i32) -> (String, Vec<String>) {
    let ended = program.end();
    assert_eq!((ended.status, ended.errors.len()), (Some(status), 1), "{ended:?}");
    (ended.errors[0].strip_prefix("error: ").unwrap().to_owned(), ended.lines)
}

#[test]
fn server_and_client_tell_of_each_datagram() {
    let server = server("127.0.0.1", &["--once", "3"]);
    let address = server.address;
    let told = client(address, &[]).succeed();
    let one = |text: &str| [format!("Sending {text} to {address}"), format!("Received {text} from {address}")];
    assert_eq!(told, one("b'Hello, world'"));
    let told = client(address, &["", r"it's"]).succeed();
    assert_eq!(told, [one("b''"), one(r#"b"it's""#)].concat());
    let lines = server.program.succeed();
    for (line, text) in lines.iter().zip(["b'Hello, world'", "b''", r#"b"it's""#]) {
        let name = line.strip_prefix(&format!("Echoing {text} to ")).unwrap_or_else(|| panic!("{lines:?}"));
        assert_eq!(name.parse::<SocketAddr>().unwrap().ip(), address.ip());
    }
    assert_eq!(lines.len(), 3);
}

#[test]
fn both_families_are_served_on_every_interface() {
    if !ipv6_is_there() {
        return;
    }
    let server = server("::", &["--once", "2"]);
    for host in ["127.0.0.1", "::1"] {
        let address = SocketAddr::new(host.parse().unwrap(), server.address.port());
        assert_eq!(client(address, &[]).succeed().len(), 2);
    }
    assert_eq!(server.program.succeed().len(), 2);
    let server = self::server("::1", &["--once", "1"]);
    assert_eq!(server.address.ip(), Ipv6Addr::LOCALHOST);
    client(server.address, &[]).succeed();
    server.program.succeed();
}

#[test]
fn several_clients_at_once_keep_their_datagrams_apart_on_every_backend() {
    for backend in BACKENDS {
        let mut server = server("127.0.0.1", &["--backend", backend]);
        let clients: Vec<_> = (0..8).map(|_| socket("127.0.0.1")).collect();
        for round in 0..20 {
            let text = |name: &SocketAddr| format!("{name} ").repeat(round).into_bytes();
            for (client, name) in &clients {
                client.send_to(&text(name), server.address).unwrap();
            }
            let mut told: Vec<_> = clients.iter().map(|_| server.program.line()).collect();
            for (client, name) in &clients {
                assert_eq!(next(client), (text(name), server.address));
                let line = format!("Echoing {} to {name}", python(&text(name)));
                told.swap_remove(told.iter().position(|told| *told == line).expect("a line about each"));
            }
        }
        server.program.interrupt();
    }
}

#[test]
fn every_length_comes_back_whole() {
    let server = server("127.0.0.1", &["--quiet"]);
    let (socket, _) = socket("127.0.0.1");
    // Other systems send no more than some 9,000 bytes unless they are told.
    let longest = if cfg!(target_os = "linux") { 65_507 } else { 9000 };
    for length in [0, 1, 2, 1471, 1472, 1473, 9000, longest] {
        let bytes: Vec<u8> = (0..length).map(|n: u32| (n ^ (n >> 8)) as u8).collect();
        exchange(&socket, &bytes, server.address);
    }
    assert_eq!(server.program.interrupt(), ["Caught keyboard interrupt, exiting"]);
}

#[test]
fn a_datagram_too_long_is_told_with_both_lengths_and_not_answered() {
    for backend in BACKENDS {
        let mut server = server("127.0.0.1", &["--max-datagram", "100", "--backend", backend]);
        let (socket, name) = socket("127.0.0.1");
        for length in [101, 9000] {
            socket.send_to(&vec![b'x'; length], server.address).unwrap();
            let known = if cfg!(target_os = "linux") { length } else { 101 };
            let told = format!("Not echoing a datagram of {known} bytes from {name}: the buffer holds 100");
            assert_eq!(server.program.line(), told);
            // What comes back next is the echo of the next.
            exchange(&socket, &[b'y'; 100], server.address);
            server.program.line();
        }
        server.program.interrupt();
    }
}

#[test]
fn the_server_serves_a_plain_python_client() {
    let Some(mut python) = python3() else { return };
    let server = server("127.0.0.1", &["--once", "12"]);
    python.args(["-c", include_str!("udp_client.py"), "127.0.0.1", &server.address.port().to_string(), "4"]);
    let names = Program::of(python.stdout(Stdio::piped()).stderr(Stdio::piped())).succeed();
    assert_eq!(names.len(), 4);
    let lines = server.program.succeed();
    assert_eq!(lines.len(), 12);
    for (text, lines) in ["b'one'", "b''", r"b'two\n'"].iter().zip(lines.chunks(4)) {
        assert!(names.iter().all(|name| lines.contains(&format!("Echoing {text} to {name}"))), "{lines:?}");
    }
}

#[test]
fn the_client_sends_again_what_a_python_server_loses() {
    let Some(mut python) = python3() else { return };
    python.args(["-c", include_str!("udp_server.py"), "2", "3"]);
    let mut server = Program::of(python.stdout(Stdio::piped()).stderr(Stdio::piped()));
    let address = SocketAddr::from(([127, 0, 0, 1], server.line().parse().unwrap()));
    let told = client(address, &["--timeout", "60", "--retries", "100", "one", "two", "two"]).succeed();
    assert_eq!(told[0], format!("Sending b'one' to {address}"));
    assert_eq!(told[1], format!("Sending b'one' to {address} again, 2 of 101"));
    assert_eq!(told[2], format!("Sending b'one' to {address} again, 3 of 101"));
    let received: Vec<_> = told.iter().filter(|line| line.starts_with("Received ")).collect();
    assert_eq!(received, ["one", "two", "two"].map(|text| format!("Received b'{text}' from {address}")).each_ref());
    assert!(server.end().lines.is_empty());
}

#[test]
fn a_late_echo_is_not_taken_for_that_of_the_next_message() {
    let (peer, address) = socket("127.0.0.1");
    let mut program = client(address, &["--timeout", "60", "--retries", "100", "same", "same", "other"]);
    let (same, first) = next(&peer);
    peer.send_to(&same, first).unwrap();
    let (again, second) = until_other(&peer, first);
    assert_eq!((&same[..], &again[..]), (&b"same"[..], &b"same"[..]));
    // To the first message's port, which the client must not listen to any more: it asks again.
    peer.send_to(&same, first).unwrap();
    assert_eq!(until_other(&peer, first), (b"same".to_vec(), second));
    peer.send_to(&again, second).unwrap();
    let (other, third) = until_other(&peer, second);
    peer.send_to(b"same", third).unwrap();
    peer.send_to(&other, third).unwrap();
    let mut received = Vec::new();
    while let Some(line) = program.next_line() {
        received.extend(line.strip_prefix("Received ").map(str::to_owned));
    }
    assert_eq!(received, ["same", "same", "other"].map(|text| format!("b'{text}' from {address}")));
    program.succeed();
}

/// The next datagram from somebody else.
fn until_other(peer: &UdpSocket, known: SocketAddr) -> (Vec<u8>, SocketAddr) {
    loop {
        let (bytes, from) = next(peer);
        if from != known {
            return (bytes, from);
        }
    }
}

#[test]
fn a_client_says_what_is_wrong_with_an_echo() {
    for (message, echo) in [("hello", &b"hellO"[..]), ("hello", b"hello!"), ("hello", b""), ("", b"x")] {
        let (peer, address) = socket("127.0.0.1");
        let program = client(address, &["--timeout", "60", message]);
        let (_, from) = next(&peer);
        peer.send_to(echo, from).unwrap();
        let (said, lines) = failure(program, 1);
        assert_eq!(said, format!("what came back from {address} differs from what was sent"));
        assert_eq!(*lines.last().unwrap(), format!("Received {} from {address}", python(echo)));
    }
}

#[test]
fn a_client_gives_up_after_its_last_try() {
    let (peer, address) = socket("127.0.0.1");
    for (retries, tries) in [("0", 1), ("2", 3)] {
        let program = client(address, &["--timeout", "0.15", "--retries", retries]);
        let (said, lines) = failure(program, 1);
        assert_eq!(said, format!("no echo from {address} within 150ms (tries: {tries})"));
        assert_eq!(lines.len(), tries);
        for _ in 0..tries {
            assert_eq!(next(&peer).0, b"Hello, world");
        }
    }
    peer.set_nonblocking(true).unwrap();
    assert!(again(|| peer.recv_from(&mut [0])).is_err(), "one more than it told");
}

/// An address of this machine where every datagram is refused: the port is taken, but by a socket that hears one peer only.
fn deaf() -> (UdpSocket, SocketAddr) {
    let (socket, address) = socket("127.0.0.1");
    socket.connect(address).unwrap();
    (socket, address)
}

#[test]
fn a_refused_datagram_names_the_address_and_likely_causes() {
    let (_deaf, address) = deaf();
    let (said, lines) = failure(client(address, &["--timeout", "60"]), 1);
    assert!(said.starts_with(&format!("no echo from {address}: Connection refused")), "{said}");
    assert!(["port", "server", "firewall"].iter().all(|cause| said.contains(cause)), "{said}");
    assert_eq!(lines, [format!("Sending b'Hello, world' to {address}")]);
}

#[test]
fn clients_that_are_gone_end_nothing() {
    for backend in BACKENDS {
        let mut server = server("127.0.0.1", &["--backend", backend]);
        let (socket, _) = socket("127.0.0.1");
        for _ in 0..20 {
            let (gone, name) = deaf();
            // A connected socket may still send elsewhere on Linux; others say who it is connected to.
            if gone.send_to(b"x", server.address).is_err() {
                println!("skipped: a connected socket sends to its peer only");
                break;
            }
            assert_eq!(server.program.line(), format!("Echoing b'x' to {name}"));
            exchange(&socket, b"y", server.address);
            server.program.line();
        }
        assert_eq!(server.program.interrupt(), ["Caught keyboard interrupt, exiting"]);
    }
}

#[test]
fn a_signal_ends_the_server_with_a_word_and_success_on_every_backend() {
    for backend in BACKENDS {
        for (signal, word) in [(libc::SIGINT, "keyboard interrupt"), (libc::SIGTERM, "termination signal")] {
            let server = server("127.0.0.1", &["--backend", backend, "--quiet"]);
            exchange(&socket("127.0.0.1").0, b"x", server.address);
            server.program.signal(signal);
            assert_eq!(server.program.succeed(), [format!("Caught {word}, exiting")]);
        }
    }
}

#[test]
fn a_flood_ends_nothing_and_holds_up_no_signal() {
    for backend in BACKENDS {
        let server = server("127.0.0.1", &["--backend", backend]);
        let (flood, name) = socket("127.0.0.1");
        for n in 0..20_000u32 {
            // A full buffer somewhere is what a flood is.
            let _ = flood.send_to(&n.to_be_bytes(), server.address);
        }
        // Where the flood took all room, it takes more than one.
        let (socket, _) = socket("127.0.0.1");
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let asked = (0..600).any(|_| {
            socket.send_to(b"still there?", server.address).unwrap();
            again(|| socket.recv_from(&mut [0; 16])).is_ok()
        });
        assert!(asked, "no answer after a flood");

        server.program.freeze();
        for _ in 0..20_000 {
            let _ = flood.send_to(b"last", server.address);
        }
        server.program.signal(libc::SIGINT);
        server.program.signal(libc::SIGCONT);
        let lines = server.program.succeed();
        assert_eq!(lines.last().unwrap(), "Caught keyboard interrupt, exiting");
        let last = lines.iter().filter(|line| **line == format!("Echoing b'last' to {name}")).count();
        assert!(last <= 64, "{last} datagrams before the signal");
    }
}

#[test]
fn a_server_for_n_datagrams_serves_exactly_so_many() {
    let mut server = server("127.0.0.1", &["--once", "3", "--max-datagram", "5"]);
    let (socket, name) = socket("127.0.0.1");
    socket.send_to(b"too long", server.address).unwrap();
    assert!(server.program.line().starts_with("Not echoing "));
    server.program.freeze();
    for _ in 0..5 {
        socket.send_to(b"x", server.address).unwrap();
    }
    server.program.signal(libc::SIGCONT);
    assert_eq!(server.program.succeed(), vec![format!("Echoing b'x' to {name}"); 2]);
    assert_eq!([next(&socket).0, next(&socket).0], [b"x", b"x"]);
}

#[test]
fn what_cannot_be_is_refused_on_one_line() {
    let (_busy, address) = socket("127.0.0.1");
    let port = address.port().to_string();
    let long = "x".repeat(70_000);
    for (args, status, words) in [
        (&["udp-server", "unix:/tmp/selkey-udp"][..], 1, &["unix:/tmp/selkey-udp", "datagrams"][..]),
        (&["udp-client", "unix:/tmp/selkey-udp"], 1, &["unix:/tmp/selkey-udp", "datagrams"]),
        (&["udp-server", "127.0.0.1", &port], 1, &["127.0.0.1", &port, "in use", "port 0"]),
        (&["udp-client", "127.0.0.1", &port, &long], 1, &["70000 bytes", &port]),
        (&["udp-server", "127.0.0.1"], 2, &["<PORT>"]),
        (&["udp-client", "127.0.0.1"], 2, &["<PORT>"]),
        (&["udp-client", "127.0.0.1", "hello"], 2, &["'hello'", "<PORT>"]),
        (&["udp-client", "127.0.0.1", "0"], 2, &["'0'", "from 1 to 65535"]),
        (&["udp-server", "--max-datagram", "0"], 2, &["--max-datagram", "from 1 to 65535"]),
        (&["udp-server", "--max-datagram", "65536"], 2, &["--max-datagram", "from 1 to 65535"]),
        (&["udp-server", "--once", "0"], 2, &["--once", "from 1 to"]),
        (&["udp-client", "--timeout", "0"], 2, &["--timeout", "seconds"]),
        (&["udp-client", "--retries", "-1"], 2, &["--retries", "from 0 to 100"]),
        (&["udp-server", "--nodelay"], 2, &["--nodelay"]),
        (&["udp-server", "--rcvbuf", "many"], 2, &["SO_RCVBUF", "many"]),
    ] {
        let (said, _) = failure(Program::start(args), status);
        for word in words {
            assert!(said.contains(word), "{word} is not in: {said}");
        }
    }
}

#[test]
fn server_and_client_take_socket_options() {
    let server = server("127.0.0.1", &["--rcvbuf", "64k", "--sndbuf=64k", "--ttl", "7", "--once", "1"]);
    client(server.address, &["--broadcast=on", "--tos", "16", "hello"]).succeed();
    server.program.succeed();
}
