//! A connect ends as documented: refused, past a dead address, meeting itself, in time.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use selkey::socket::{Accept, Address, Dial, Options, SockAddr, Socket, accept, connect, dial, listen, progress};
use socket2::{Domain, Type};

use crate::harness::PATIENCE;

/// A port where nobody listens, kept from others by a socket that is bound to it.
fn closed_port() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

#[test]
fn a_closed_port_refuses_and_the_error_names_it() {
    let (_kept, address) = closed_port();
    let error = connect(&address.into(), PATIENCE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert!(error.to_string().contains(&address.to_string()), "{error}");

    let (_socket, state) = dial(&address.into(), &Options::default()).unwrap();
    assert!(matches!(state, Dial::Pending | Dial::Failed(libc::ECONNREFUSED)), "{state:?}");
}

#[test]
fn a_dead_address_is_passed_over_for_a_live_one() {
    let (_kept, dead) = closed_port();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let live = listener.local_addr().unwrap();
    let socket = connect(&Address::from(vec![dead, live]), PATIENCE).unwrap();
    assert_eq!(socket.peer_addr().unwrap().as_socket(), Some(live));
}

#[test]
fn a_connect_that_meets_itself_counts_as_refused() {
    let (socket, own) = closed_port();
    // Simultaneous open with itself: the kernel takes it for a connection.
    socket.connect(&own.into()).unwrap();
    assert_eq!(socket.peer_addr().unwrap(), socket.local_addr().unwrap());
    assert_eq!(progress(&socket).unwrap(), Dial::Failed(libc::ECONNREFUSED));
}

#[test]
fn a_full_queue_ends_a_connect_at_its_deadline() {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let address: Address = listener.local_addr().unwrap().as_socket().unwrap().into();
    let deadline = Duration::from_millis(1);
    let mut queued = Vec::new();
    let error = loop {
        let start = Instant::now();
        match connect(&address, deadline) {
            Ok(socket) => queued.push(socket),
            Err(error) => {
                assert!(start.elapsed() >= deadline);
                break error;
            }
        }
        assert!(queued.len() < 100, "a queue of none takes that many");
    };
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(error.to_string().contains("127.0.0.1"), "{error}");
}

#[test]
fn a_dial_is_pending_until_the_socket_is_writable() {
    let listener = listen(&"127.0.0.1:0".into(), &Options::default()).unwrap();
    let (socket, _) = dial(&listener.local_addr().unwrap(), &Options::default()).unwrap();
    let start = Instant::now();
    while progress(&socket).unwrap() == Dial::Pending {
        assert!(start.elapsed() < PATIENCE);
    }
    assert_eq!(progress(&socket).unwrap(), Dial::Connected);
    assert!(socket.tcp_nodelay().unwrap());
}

#[test]
fn what_is_accepted_neither_blocks_nor_delays_nor_is_inherited_by_programs() {
    let listener = listen(&"127.0.0.1:0".into(), &Options::default()).unwrap();
    assert!(matches!(accept(&listener).unwrap(), Accept::Pending));
    let _client = TcpStream::connect(listener.bound().unwrap()).unwrap();
    let Accept::Connection(socket) = accept(&listener).unwrap() else { panic!("nobody there") };
    assert!(socket.nonblocking().unwrap());
    assert!(socket.tcp_nodelay().unwrap());
    // SAFETY: the call takes no pointers.
    let flags = unsafe { libc::fcntl(std::os::fd::AsRawFd::as_raw_fd(&socket), libc::F_GETFD) };
    assert_eq!(flags & libc::FD_CLOEXEC, libc::FD_CLOEXEC);
}

#[test]
fn a_dual_stack_listener_takes_both_families() {
    let Ok(listener) = listen(&("::", 0).into(), &Options::default()) else { return println!("skipped: no IPv6") };
    let port = listener.bound().unwrap().port();
    for host in ["127.0.0.1", "::1"] {
        connect(&(host, port).into(), PATIENCE).unwrap();
    }
}

#[test]
fn a_busy_port_and_a_text_that_is_no_address_are_named() {
    let listener = listen(&"127.0.0.1:0".into(), &Options::default()).unwrap();
    let taken = listener.bound().unwrap();
    let error = listen(&taken.into(), &Options::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert!(error.to_string().contains(&taken.to_string()), "{error}");
    for text in ["nonsense", "host:", "host:port", "127.0.0.1:65536", "a:b:1", ""] {
        let error = connect(&text.into(), PATIENCE).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(text), "{error}");
    }
}

#[test]
fn a_listener_is_an_answer_to_what_is_known_of_a_socket() {
    let listener = listen(&"127.0.0.1:0".into(), &Options::default()).unwrap();
    let address: SockAddr = listener.local_addr().unwrap();
    assert_eq!(selkey::socket::name(&address), selkey::socket::local_name(&listener));
    assert_eq!(selkey::socket::peer_name(&listener), "");
}
