//! Dialling: who is reached, and what is said when nobody is.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

use selkey::{Flow, Out, Protocol, Reactor};

use super::support::{Echo, Log, Server, logged, turning};
use crate::harness::{alone, check};

/// Asks a question, hangs up when it came back.
struct Asking;

impl Protocol for Asking {
    fn open(&mut self, out: &mut Out<'_, '_>) -> Flow {
        out.write(b"Anybody there?");
        Flow::More { used: 0, need: 14 }
    }
    fn receive<'i>(&mut self, input: &'i [u8], _out: &mut Out<'i, '_>) -> Flow {
        assert_eq!(input, b"Anybody there?");
        Flow::Close
    }
}

/// Where nobody listens: a port that was free a moment ago. In a process of its own, so that no other test takes it.
fn nobody(ip: &str) -> SocketAddr {
    TcpListener::bind((ip, 0)).unwrap().local_addr().unwrap()
}

#[test]
fn a_dialled_connection_speaks_first_and_ends_the_loop_with_its_end() {
    let server = Server::start(|_| Echo);
    let log = Log::default();
    let mut reactor = turning(Reactor::new().unwrap());
    let key = reactor.dial(server.address, logged(&log, Asking)).unwrap();
    assert!(!reactor.poke(key, |_, _| unreachable!()), "it is not open yet");
    reactor.run_out();
    assert_eq!(log.lines(), ["open", "receive 14", "drop"]);
}

#[test]
fn many_are_dialled_at_once() {
    let server = Server::start(|_| Echo);
    let log = Log::default();
    let mut reactor = turning(Reactor::new().unwrap());
    for _ in 0..100 {
        reactor.dial(server.address, logged(&log, Asking)).unwrap();
    }
    reactor.run_out();
    assert_eq!((log.count("receive 14"), log.count("failed"), log.count("drop")), (100, 0, 100));
}

#[test]
fn a_refused_dial_names_the_address() {
    alone(concat!(module_path!(), "::a_refused_dial_names_the_address"), || {
        let address = nobody("127.0.0.1");
        let log = Log::default();
        let mut reactor = turning(Reactor::new().unwrap());
        reactor.dial(address, logged(&log, Asking)).unwrap();
        reactor.run_out();
        let lines = log.lines();
        assert!(lines[0].starts_with("failed ConnectionRefused: "), "{lines:?}");
        assert!(lines[0].contains(&address.to_string()), "{lines:?}");
        assert_eq!(lines[1..], ["drop"]);
    });
}

/// What the operating system said stays reachable behind the text.
#[test]
fn a_failed_dial_keeps_its_cause() {
    alone(concat!(module_path!(), "::a_failed_dial_keeps_its_cause"), || {
        struct Causes(Log);
        impl Protocol for Causes {
            fn receive<'i>(&mut self, _input: &'i [u8], _out: &mut Out<'i, '_>) -> Flow {
                unreachable!("nobody is there")
            }
            fn failed(&mut self, error: io::Error) {
                let cause = error.get_ref().and_then(|inner| inner.source()).unwrap();
                let cause = cause.downcast_ref::<io::Error>().unwrap();
                assert_eq!(cause.raw_os_error(), Some(libc::ECONNREFUSED));
                self.0.add("cause");
            }
        }
        let log = Log::default();
        let mut reactor = turning(Reactor::new().unwrap());
        reactor.dial(nobody("127.0.0.1"), Causes(log.clone())).unwrap();
        reactor.run_out();
        assert_eq!(log.lines(), ["cause"]);
    });
}

/// A broadcast address can be no peer; the kernel says so in the call. Nobody is told but who dialled.
#[test]
fn a_dial_that_fails_at_once_names_the_address() {
    let log = Log::default();
    let mut reactor: Reactor<_> = Reactor::new().unwrap();
    let error = reactor.dial("255.255.255.255:80", logged(&log, Asking)).unwrap_err();
    assert!(error.to_string().contains("255.255.255.255:80"), "{error}");
    let cause = error.get_ref().and_then(|inner| inner.source()).and_then(|cause| cause.downcast_ref::<io::Error>());
    assert!(cause.unwrap().raw_os_error().is_some());
    assert_eq!(log.lines(), ["drop"]);
    assert!(!reactor.turn().unwrap(), "nothing is left of it");
}

#[test]
fn a_name_that_nobody_has_is_an_error_that_names_it() {
    let log = Log::default();
    let mut reactor: Reactor<_> = Reactor::new().unwrap();
    let error = reactor.dial(("nobody.invalid", 80), logged(&log, Asking)).unwrap_err();
    assert!(error.to_string().contains("nobody.invalid:80"), "{error}");
    assert_eq!(log.lines(), ["drop"]);
}

#[test]
fn a_text_that_is_no_address_is_an_error_that_names_it() {
    let mut reactor: Reactor<_> = Reactor::new().unwrap();
    for text in ["nonsense", "127.0.0.1", "127.0.0.1:", ":::80", "[::1]", "host:65536", "host:-1", "1:2:3"] {
        let error = reactor.dial(text, Asking).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
        assert!(error.to_string().contains(text), "{error}");
    }
    let error = reactor.listen("nonsense", |_| Asking).unwrap_err();
    assert!(error.to_string().contains("nonsense"), "{error}");
}

/// `localhost` with two addresses, which only some systems have; where the process may, it gets a table of hosts of its own.
fn two_addresses() -> Option<Vec<SocketAddr>> {
    let found = || -> Vec<SocketAddr> { ("localhost", 0).to_socket_addrs().unwrap().collect() };
    if found().len() < 2 {
        hosts_of_ones_own("127.0.0.1 localhost\n::1 localhost\n");
    }
    let found = found();
    let usable = found.len() >= 2 && found.iter().all(|address| TcpListener::bind(address).is_ok());
    if !usable {
        println!("skipped: localhost has one address");
    }
    usable.then_some(found)
}

#[cfg(target_os = "linux")]
fn hosts_of_ones_own(hosts: &str) {
    let file = std::env::temp_dir().join(format!("hosts-{}", std::process::id()));
    std::fs::write(&file, hosts).unwrap();
    let text = std::ffi::CString::new(file.to_str().unwrap()).unwrap();
    let (none, flags) = (std::ptr::null::<libc::c_char>(), libc::MS_REC | libc::MS_PRIVATE);
    // SAFETY: the texts live through the calls. Only this thread's view of the file system changes; where it may not, nothing does.
    unsafe {
        let _ = libc::unshare(libc::CLONE_NEWNS) == 0
            && libc::mount(none, c"/".as_ptr(), none, flags, none.cast()) == 0
            && libc::mount(text.as_ptr(), c"/etc/hosts".as_ptr(), none, libc::MS_BIND, none.cast()) == 0;
    }
    std::fs::remove_file(&file).unwrap();
}

#[cfg(not(target_os = "linux"))]
fn hosts_of_ones_own(_hosts: &str) {}

/// The one that is tried last is the one where somebody listens.
#[test]
fn a_name_with_a_dead_address_and_a_live_one_connects() {
    alone(concat!(module_path!(), "::a_name_with_a_dead_address_and_a_live_one_connects"), || {
        let Some(addresses) = two_addresses() else { return };
        let log = Log::default();
        let mut reactor = turning(Reactor::new().unwrap());
        let live = reactor.listen(*addresses.last().unwrap(), |_| Box::new(Echo) as Box<dyn Protocol>).unwrap();
        reactor.dial(("localhost", live.port()), Box::new(logged(&log, Asking))).unwrap();
        reactor.until("it has ended", || log.count("drop") == 1);
        assert_eq!(log.lines(), ["open", "receive 14", "drop"]);
    });
}

#[test]
fn a_name_whose_addresses_are_all_dead_fails_once_and_names_the_last() {
    alone(concat!(module_path!(), "::a_name_whose_addresses_are_all_dead_fails_once_and_names_the_last"), || {
        let Some(addresses) = two_addresses() else { return };
        let port = nobody("127.0.0.1").port();
        let log = Log::default();
        let mut reactor = turning(Reactor::new().unwrap());
        reactor.dial(("localhost", port), logged(&log, Asking)).unwrap();
        reactor.run_out();
        let lines = log.lines();
        let last = SocketAddr::new(addresses.last().unwrap().ip(), port).to_string();
        assert!(lines[0].starts_with("failed ConnectionRefused: "), "{lines:?}");
        assert!(lines[0].contains(&format!("localhost:{port}")) && lines[0].contains(&last), "{lines:?}");
        assert_eq!(lines[1..], ["drop"]);
    });
}

/// No descriptor is left for the socket.
#[test]
fn a_dial_without_descriptors_fails_and_names_the_address() {
    alone(concat!(module_path!(), "::a_dial_without_descriptors_fails_and_names_the_address"), || {
        let server = Server::start(|_| Echo);
        let mut reactor: Reactor<_> = Reactor::new().unwrap();
        let limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the call reads `limit`.
        check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) });
        let error = reactor.dial(server.address, Asking).unwrap_err();
        assert!(error.to_string().contains(&server.address.to_string()), "{error}");
        assert!(!reactor.turn().unwrap());
    });
}
