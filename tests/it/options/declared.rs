//! `Options`: defaults, order, what is inherited, and what is refused.

use std::io;
use std::time::Duration;

use selkey::socket::options::{self, Value};
use selkey::socket::{Options, Role, Setting, Socket, listen};
use socket2::{Domain, Type};

use super::{accepted, address_of, dialled, listener, pair, tcp_socket};

fn names(settings: &[Setting]) -> Vec<&'static str> {
    settings.iter().map(|setting| setting.option.name).collect()
}

fn on(socket: &Socket, name: &str) -> bool {
    options::get(socket, name).unwrap() == Value::Switch(true)
}

#[test]
fn the_defaults_are_what_servers_and_clients_want() {
    let defaults = Options::default();
    let listener = listener(&defaults);
    assert!(on(&listener, "SO_REUSEADDR") && on(&listener, "TCP_NODELAY") && !on(&listener, "SO_REUSEPORT"));
    let theirs = dialled(address_of(&listener), &defaults);
    assert!(on(&theirs, "TCP_NODELAY") && !on(&theirs, "SO_REUSEADDR"));
    let ours = accepted(&listener);
    assert_eq!(defaults.backlog_for_listen(), 4096);
    if cfg!(target_os = "linux") {
        assert_eq!(defaults.apply(&ours, Role::Accepted).unwrap(), []);
        assert!(on(&ours, "TCP_NODELAY"));
    }
    assert_eq!(names(&defaults.apply(&tcp_socket(), Role::Listener).unwrap()), ["SO_REUSEADDR", "TCP_NODELAY"]);
    assert_eq!(names(&defaults.apply(&tcp_socket(), Role::Dialled).unwrap()), ["TCP_NODELAY"]);
    let udp = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
    assert_eq!(defaults.apply(&udp, Role::Datagram).unwrap(), []);
    // Where the system has IPv6.
    if let Ok(udp) = Socket::new(Domain::IPV6, Type::DGRAM, None) {
        assert_eq!(names(&defaults.apply(&udp, Role::Datagram).unwrap()), ["IPV6_V6ONLY"]);
    }
}

#[test]
fn options_are_set_in_the_right_order_whatever_the_order_asked() {
    let mut options = Options::default();
    options.set("TCP_KEEPCNT", 4).unwrap().set("keepidle", "10").unwrap();
    options.rcvbuf(100_000).linger(Some(Duration::ZERO)).reuse_port(true).reuse_address(false);
    let socket = tcp_socket();
    let settings = options.apply(&socket, Role::Listener).unwrap();
    let order = ["SO_REUSEADDR", "SO_REUSEPORT", "SO_RCVBUF", "TCP_NODELAY", "SO_KEEPALIVE", "TCP_KEEPIDLE"];
    assert_eq!(names(&settings), [&order[..], &["TCP_KEEPCNT", "SO_LINGER"]].concat());
    assert!(on(&socket, "SO_KEEPALIVE") && !on(&socket, "SO_REUSEADDR"));

    // Off is off, though the times are set.
    options.set("SO_KEEPALIVE", false).unwrap();
    options.apply(&socket, Role::Listener).unwrap();
    assert!(!on(&socket, "SO_KEEPALIVE"));
}

#[test]
fn the_last_word_counts() {
    let mut options = Options::default();
    options.rcvbuf(5_000).rcvbuf(9_000).backlog(7);
    assert_eq!(options.asked("SO_RCVBUF"), Some(&Value::Number(9_000)));
    assert_eq!((options.asked("SO_SNDBUF"), options.asked("nonsense")), (None, None));
    assert_eq!(options.backlog_for_listen(), 7);
    assert_eq!(options.backlog(u32::MAX).backlog_for_listen(), i32::MAX);
}

#[test]
fn a_shorthands_value_out_of_range_comes_up_where_it_is_used() {
    let mut options = Options::default();
    options.rcvbuf(1 << 40);
    let error = options.apply(&tcp_socket(), Role::Dialled).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert!(error.to_string().contains("SO_RCVBUF takes a size from 0 to 2147483647 bytes"), "{error}");
    let error = listen(&"127.0.0.1:0".into(), &options).unwrap_err().to_string();
    assert!(error.starts_with("cannot listen on 127.0.0.1:0: SO_RCVBUF takes"), "{error}");
}

#[test]
fn a_unix_socket_has_no_tcp_options() {
    let unix = || Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    for role in [Role::Listener, Role::Dialled] {
        assert_eq!(Options::default().apply(&unix(), role).unwrap(), []);
        let error = Options::default().nodelay(true).apply(&unix(), role).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
        assert_eq!(error.to_string(), "TCP_NODELAY on: this kind of socket has no such option");
        assert_eq!(names(&Options::default().sndbuf(9_000).apply(&unix(), role).unwrap()), ["SO_SNDBUF"]);
    }
}

#[test]
fn an_option_that_is_of_no_use_is_refused_before_anything_is_set() {
    let mut options = Options::default();
    options.rcvbuf(9_000).defer_accept(Duration::from_secs(1));
    let socket = tcp_socket();
    let before = options::get(&socket, "SO_RCVBUF").unwrap();
    let error = options.apply(&socket, Role::Dialled).unwrap_err().to_string();
    assert_eq!(error, "TCP_DEFER_ACCEPT 1s: of no use on a socket that connects");
    assert_eq!(options::get(&socket, "SO_RCVBUF").unwrap(), before);
}

/// What the table says is inherited is, and what is not an accepted socket gets by `apply`.
#[cfg(target_os = "linux")]
#[test]
fn accepted_sockets_have_what_their_listener_had() {
    let mut asked = Options::default();
    for option in options::all().iter().filter(|option| option.roles.contains(&Role::Accepted)) {
        let value: Value = match option.name {
            "TCP_NODELAY" => false.into(),
            "TCP_CONGESTION" => "reno".into(),
            "SO_LINGER" => Some(Duration::from_secs(3)).into(),
            "SO_BUSY_POLL" => Duration::from_micros(50).into(),
            "IP_TOS" => 0x10.into(),
            "TCP_MAXSEG" => 600.into(),
            _ if option.kind == options::Kind::Switch => true.into(),
            _ if matches!(option.kind, options::Kind::Duration(_)) => Duration::from_secs(77).into(),
            _ if option.kind == options::Kind::Size => 6_000.into(),
            _ => 5.into(),
        };
        let socket = tcp_socket();
        if let Err(error) = options::set(&socket, option.name, value.clone()) {
            println!("skipped: {error}");
            continue;
        }
        asked.set(option.name, value).unwrap();
    }
    let listener = listener(&asked);
    let _theirs = dialled(address_of(&listener), &Options::default());
    let ours = accepted(&listener);
    let mut missing = Vec::new();
    for (option, value) in options::dump(&ours) {
        if asked.asked(option.name).is_some() && option.inherited {
            let (have, had) = (value.unwrap(), options::get(&listener, option.name).unwrap());
            // The timestamps' 12 bytes come off a segment.
            if have != had && !(option.name == "TCP_MAXSEG" && have == Value::Number(588)) {
                missing.push(format!("{}: {had} became {have}", option.name));
            }
        }
    }
    assert_eq!(missing, [""; 0]);
    let again = asked.apply(&ours, Role::Accepted).unwrap();
    assert!(again.iter().all(|setting| !setting.option.inherited && setting.asked == setting.granted), "{again:?}");
    assert_eq!(names(&again), ["TCP_QUICKACK", "SO_PRIORITY"]);
}

#[test]
fn both_ends_take_their_own() {
    let (ours, theirs) = pair(Options::default().nodelay(false), &Options::default());
    assert!(!on(&ours, "TCP_NODELAY") && on(&theirs, "TCP_NODELAY"));
}
