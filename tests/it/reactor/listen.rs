//! Listening: where, with what options, from listeners and streams that were there before.

use std::io::{self, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use selkey::socket::Socket;
use selkey::{Flow, Out, Protocol, Reactor};

use super::support::{Echo, Log, Server, ask, connect, logged, read, turning};
use crate::harness::{check, poll_fd};

fn has_ipv6() -> bool {
    let has = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    if !has {
        println!("skipped: no IPv6");
    }
    has
}

/// An echo in a loop that both listens on `at` and dials where that is.
fn listen_and_dial(at: &str, to: impl Fn(SocketAddr) -> SocketAddr) {
    struct Ping(Log);
    impl Protocol for Ping {
        fn open(&mut self, out: &mut Out<'_, '_>) -> Flow {
            out.write(b"ping");
            Flow::More { used: 0, need: 4 }
        }
        fn receive<'i>(&mut self, input: &'i [u8], _out: &mut Out<'i, '_>) -> Flow {
            assert_eq!(input, b"ping");
            self.0.add("back");
            Flow::Close
        }
        fn failed(&mut self, error: io::Error) {
            self.0.add(format!("failed: {error}"));
        }
    }
    let log = Log::default();
    let mut reactor: Reactor<Box<dyn Protocol>> = Reactor::new().unwrap();
    let address = reactor.listen(at, |_| Box::new(Echo) as Box<dyn Protocol>).unwrap();
    assert_ne!(address.port(), 0);
    let mut reactor = turning(reactor);
    reactor.dial(to(address), Box::new(Ping(log.clone()))).unwrap();
    reactor.until("an answer", || !log.lines().is_empty());
    assert_eq!(log.lines(), ["back"]);
}

#[test]
fn ipv4_listens_and_dials() {
    listen_and_dial("127.0.0.1:0", |address| address);
}

#[test]
fn ipv6_listens_and_dials() {
    if has_ipv6() {
        listen_and_dial("[::1]:0", |address| {
            assert!(address.is_ipv6());
            address
        });
    }
}

#[test]
fn the_ipv6_wildcard_takes_ipv4_too() {
    if has_ipv6() {
        listen_and_dial("[::]:0", |address| SocketAddr::new("127.0.0.1".parse().unwrap(), address.port()));
        listen_and_dial("[::]:0", |address| SocketAddr::new("::1".parse().unwrap(), address.port()));
    }
}

#[test]
fn an_empty_host_is_every_interface() {
    listen_and_dial(":0", |address| {
        assert!(address.ip().is_unspecified());
        SocketAddr::new("127.0.0.1".parse().unwrap(), address.port())
    });
}

#[test]
fn an_address_in_use_is_an_error_that_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let mut reactor: Reactor<Echo> = Reactor::new().unwrap();
    let error = reactor.listen(address, |_| Echo).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    assert!(error.to_string().contains(&address.to_string()), "{error}");
    assert!(!reactor.turn().unwrap(), "nothing is left of it");
}

/// Restart right after stop: the old connections are in TIME_WAIT.
#[test]
fn a_server_can_be_started_again_at_once() {
    let mut reactor = Reactor::new().unwrap();
    let address = reactor.listen("127.0.0.1:0", |_| Close).unwrap();
    let mut reactor = turning(reactor);
    let client = connect(address);
    reactor.until("it has closed", || poll_fd(client.as_raw_fd(), libc::POLLIN, Duration::ZERO) != 0);
    drop(client);
    drop(reactor);
    let mut again = Reactor::new().unwrap();
    assert_eq!(again.listen(address, |_| Close).unwrap(), address);
}

/// Closes first, so that the TIME_WAIT is ours.
struct Close;

impl Protocol for Close {
    fn open(&mut self, _out: &mut Out<'_, '_>) -> Flow {
        Flow::Close
    }
    fn receive<'i>(&mut self, _input: &'i [u8], _out: &mut Out<'i, '_>) -> Flow {
        Flow::Close
    }
}

fn flags(socket: &Socket, what: libc::c_int) -> libc::c_int {
    // SAFETY: the call takes no pointers.
    check(unsafe { libc::fcntl(socket.as_raw_fd(), what) })
}

#[test]
fn what_is_accepted_sends_at_once_does_not_block_and_is_closed_on_exec() {
    let (tell, told) = std::sync::mpsc::channel();
    let server = Server::start(move |socket| {
        let nodelay = socket.tcp_nodelay().unwrap();
        let nonblocking = flags(socket, libc::F_GETFL) & libc::O_NONBLOCK != 0;
        let cloexec = flags(socket, libc::F_GETFD) & libc::FD_CLOEXEC != 0;
        tell.send([nodelay, nonblocking, cloexec]).unwrap();
        Echo
    });
    let mut client = server.client();
    assert_eq!(ask(&mut client, b"x"), b"x");
    assert_eq!(told.recv().unwrap(), [true; 3]);
}

/// A listener of std, blocking and bound elsewhere.
#[test]
fn an_inherited_listener_is_served() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let log = Log::default();
    let told = log.clone();
    let mut reactor = Reactor::new().unwrap();
    reactor.serve(Socket::from(listener), move |_| logged(&told, Echo)).unwrap();
    let mut reactor = turning(reactor);
    let mut client = connect(address);
    client.write_all(b"Hello").unwrap();
    reactor.until("an echo", || log.count("receive") == 1);
    assert_eq!(read(&mut client, 5), b"Hello");
}

#[test]
fn several_listeners_make_different_protocols() {
    let mut reactor: Reactor<Box<dyn Protocol>> = Reactor::new().unwrap();
    let echo = reactor.listen("127.0.0.1:0", |_| Box::new(Echo) as Box<dyn Protocol>).unwrap();
    let close = reactor.listen("127.0.0.1:0", |_| Box::new(Close) as Box<dyn Protocol>).unwrap();
    let handle = reactor.handle();
    let clients = std::thread::spawn(move || {
        assert_eq!(ask(&mut connect(echo), b"Hello"), b"Hello");
        assert_eq!(super::support::read_all(&mut connect(close)), b"");
        handle.stop();
    });
    reactor.run().unwrap();
    clients.join().unwrap();
}

/// Blocking when it comes.
#[test]
fn a_stream_that_is_there_already_is_adopted() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let log = Log::default();
    let mut reactor = turning(Reactor::new().unwrap());
    let key = reactor.adopt(ours, logged(&log, Echo)).unwrap();
    assert_eq!(log.lines(), ["open"]);
    theirs.write_all(b"Hello").unwrap();
    reactor.until("an echo", || log.count("receive") == 1);
    assert_eq!(read(&mut theirs, 5), b"Hello");
    assert!(reactor.poke(key, |_, out| {
        out.write(b"more");
        Flow::MORE
    }));
    assert_eq!(read(&mut theirs, 4), b"more");
    drop(theirs);
    reactor.run_out();
    assert_eq!(log.lines()[2..], ["end 0", "drop"]);
}

#[test]
fn an_adopted_stream_may_close_at_once() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let mut reactor = turning(Reactor::new().unwrap());
    reactor.adopt(ours, Close).unwrap();
    assert_eq!(super::support::read_all(&mut theirs), b"");
    drop(theirs);
    reactor.run_out();
}

/// It is given up and named; the rest stays.
#[test]
fn a_listener_that_cannot_accept_ends_a_turn_with_an_error_and_nothing_else() {
    let log = Log::default();
    let told = log.clone();
    let mut reactor = Reactor::new().unwrap();
    // Bound, but it does not listen.
    let broken = Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    broken.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let name = broken.local_addr().unwrap().as_socket().unwrap().to_string();
    let told_too = log.clone();
    reactor.serve(broken, move |_| logged(&told_too, Echo)).unwrap();
    let address = reactor.listen("127.0.0.1:0", move |_| logged(&told, Echo)).unwrap();
    let mut reactor = turning(reactor);
    let error = loop {
        match reactor.turn() {
            Ok(on) => assert!(on),
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains(&name), "{error}");
    let mut client: TcpStream = connect(address);
    client.write_all(b"Hello").unwrap();
    reactor.until("an echo", || log.count("receive") == 1);
    assert_eq!(read(&mut client, 5), b"Hello");
}
