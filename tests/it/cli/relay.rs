//! `relay` as a program: between every server and client, over every kind of address, and how it ends.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use super::refusals::{USAGE, nobody, refused};
use super::support::{Program, Server, accept, at, dial, exchange, run};
use crate::harness::{Spot, again};

const BAD: [&str; 6] = ["--delay", "50", "--chunk", "64", "--rate", "1m"];

fn relay(target: SocketAddr, options: &[&str]) -> Server {
    let (host, port) = (target.ip().to_string(), target.port().to_string());
    Server::of(Program::start(&[&["relay", "127.0.0.1", "0", &host, &port], options].concat()))
}

/// Ends the relay, which tells how much has passed.
fn totals(relay: Server) -> String {
    relay.program.signal(libc::SIGINT);
    let ended = relay.program.end();
    assert_eq!((ended.status, ended.totals.len(), ended.errors.len()), (Some(0), 1, 0), "{ended:?}");
    assert!(ended.lines.iter().any(|line| line == "Caught keyboard interrupt, exiting"), "{ended:?}");
    ended.totals.concat()
}

#[test]
fn every_client_reaches_its_server_through_a_bad_network() {
    for (family, more, says) in [
        ("echo", &[][..], "Received b'Hello, world'"),
        ("multiconn", &["3", "--quiet"], "3 connections, 132 bytes came back"),
        ("app", &["search", "ring"], "Got result: In the caves beneath the Misty Mountains. 💍"),
        ("app", &["search", "ring", "morpheus", "--keep-alive"], "Got result: Follow the white rabbit. 🐰"),
        ("hello", &[], "Hello, Michael!"),
    ] {
        let server = Server::named(&format!("{family}-server"), &[]);
        let relay = relay(server.address, &BAD);
        let start = Instant::now();
        let lines = run(&format!("{family}-client"), relay.address, more).succeed();
        assert!(start.elapsed() >= Duration::from_millis(100), "{family}: faster than the network");
        assert!(lines.iter().any(|line| line == says), "{family}: {lines:?}");
        let totals = totals(relay);
        assert!(totals.ends_with(" bytes back, 0 clients reset"), "{totals}");
    }
}

#[test]
fn datagrams_pass_with_udp() {
    let server = Server::named("udp-server", &[]);
    for backend in ["epoll", "poll", "select"] {
        let relay = relay(server.address, &["--udp", "--delay", "50", "--rate", "1m", "--backend", backend]);
        let address = relay.address;
        let start = Instant::now();
        let lines = run("udp-client", address, &["Hello", "--retries", "0", "--timeout", "60"]).succeed();
        assert!(start.elapsed() >= Duration::from_millis(100));
        assert_eq!(lines.last().unwrap(), &format!("Received b'Hello' from {address}"));
        assert_eq!(totals(relay), "Totals: 2 datagrams passed, 0 lost");
    }
}

#[test]
fn a_cut_is_told_by_both_sides() {
    let server = Server::named("app-server", &[]);
    for (option, why) in
        [("--reset-after", "64 bytes to the target"), ("--reset-after-back", "64 bytes from the target")]
    {
        let mut relay = relay(server.address, &[option, "64"]);
        let ended = run("app-client", relay.address, &["search", "ring"]).end();
        assert_eq!((ended.status, ended.errors.len()), (Some(1), 1), "{ended:?}");
        assert!(ended.errors[0].contains("reset"), "{ended:?}");
        let accepted = relay.program.line();
        let client = accepted.strip_prefix("Accepted connection from ").unwrap();
        assert_eq!(relay.program.line(), format!("Resetting {client}: {why} have passed"));
        assert!(relay.program.line().starts_with(&format!("Closed {client}: ")));
    }
}

#[test]
fn a_target_that_refuses_is_told_and_resets_the_client() {
    let (_taken, target) = nobody();
    let mut relay = relay(target, &[]);
    let mut client = dial(relay.address);
    assert_eq!(again(|| client.read(&mut [0])).unwrap_err().kind(), ErrorKind::ConnectionReset);
    let name = client.local_addr().unwrap();
    assert_eq!(relay.program.line(), format!("Accepted connection from {name}"));
    let said = relay.program.line();
    assert!(said.starts_with(&format!("Resetting {name}: ")), "{said}");
    assert!(said.contains(&format!("cannot connect to {target}")) && said.contains("refused"), "{said}");
}

#[test]
fn both_addresses_may_be_paths() {
    let (front, behind) = (Spot::new(), Spot::new());
    let _server = at("multiconn-server", &behind, &[]);
    let relay = at("relay", &front, &[&behind.address().to_string(), "--delay", "5"]);
    let path = front.address().to_string();
    let lines = Program::start(&["multiconn-client", &path, "2", "--quiet"]).succeed();
    assert_eq!(lines, ["2 connections, 88 bytes came back"]);
    relay.interrupt();
    assert!(!front.0.exists());
}

/// What is under way when the relay is told to end arrives, in both directions.
#[test]
fn what_is_under_way_is_delivered_before_it_ends() {
    for backend in ["epoll", "poll"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut relay = relay(listener.local_addr().unwrap(), &["--delay", "500", "--backend", backend]);
        let mut client = dial(relay.address);
        let mut target = accept(&listener);
        assert!(relay.program.line().starts_with("Accepted"));
        client.write_all(b"request").unwrap();
        target.write_all(b"answer").unwrap();
        relay.program.signal(libc::SIGINT);
        let mut bytes = [0; 7];
        target.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"request");
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).unwrap();
        assert_eq!(answer, b"answer");
        target.shutdown(Shutdown::Write).unwrap();
        let totals = relay.program.end().totals;
        assert_eq!(totals, ["Totals: 1 clients, 7 bytes to the target, 6 bytes back, 0 clients reset"]);
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut relay = relay(listener.local_addr().unwrap(), &["--freeze", "3600"]);
    let mut client = dial(relay.address);
    let _target = accept(&listener);
    client.write_all(b"x").unwrap();
    assert!(relay.program.line().starts_with("Accepted"));
    relay.program.signal(libc::SIGTERM);
    assert_eq!(relay.program.line(), "Caught termination signal, exiting");
    relay.program.signal(libc::SIGTERM);
    relay.program.succeed();
}

#[test]
fn a_relay_that_holds_nothing_for_a_stalled_target_grows_no_further() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server::start(&[]);
    let stalled = relay(listener.local_addr().unwrap(), &["--quiet"]);
    let mut held = Vec::new();
    for _ in 0..10 {
        let mut client = dial(stalled.address);
        let target = accept(&listener);
        client.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
        let mut sent = 0;
        while sent < 64 << 20
            && let Ok(n) = client.write(&[b'x'; 64 << 10])
        {
            sent += n;
        }
        assert!(sent < 64 << 20, "it takes everything");
        held.push((client, target));
    }
    if let Ok(status) = std::fs::read_to_string(format!("/proc/{}/status", stalled.program.pid())) {
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(kib < 64 << 10, "{kib} KiB for {} connections", held.len());
    }
    // Others are relayed meanwhile, from another relay and from this one.
    exchange(&mut dial(relay(server.address, &[]).address), b"Hello");
    let mut client = dial(stalled.address);
    client.write_all(b"Hello").unwrap();
    accept(&listener).read_exact(&mut [0; 5]).unwrap();
}

#[test]
fn what_is_missing_or_wrong_is_a_usage_error() {
    for (args, says) in [
        (&[][..], "an address is missing"),
        (&["127.0.0.1", "0"], "after the address to listen on comes that of the target"),
        (&["127.0.0.1", "0", "127.0.0.1"], "after the host '127.0.0.1' comes <PORT>"),
        (&["127.0.0.1", "0", "127.0.0.1", "0"], "from 1 to 65535"),
        (&["127.0.0.1", "0", "127.0.0.1", "1", "more"], "'more'"),
        (&["127.0.0.1", "0", "127.0.0.1", "1", "--delay", "-1"], "expected milliseconds"),
        (&["127.0.0.1", "0", "127.0.0.1", "1", "--jitter", "x"], "expected milliseconds"),
        (&["127.0.0.1", "0", "127.0.0.1", "1", "--rate", "0"], "--rate"),
        (&["127.0.0.1", "0", "127.0.0.1", "1", "--chunk", "0"], "--chunk"),
        (&["127.0.0.1", "0", "127.0.0.1", "1", "--udp", "--reset-after", "1"], "--udp"),
        (&["127.0.0.1", "0", "127.0.0.1", "1", "--udp", "--chunk", "1"], "--udp"),
    ] {
        let said = refused(&[&["relay"], args].concat(), USAGE);
        assert!(said.contains(says), "{args:?}: {said}");
    }
}
