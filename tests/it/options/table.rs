//! The table: rendered for the documentation, names, values, and every entry set and read back.

use std::io;
use std::time::Duration;

use selkey::socket::options::{self, Kind, Level, Platform, Role, Scope, SocketOption, Unit, Value, When};
use selkey::socket::{Options, Socket};
use socket2::{Domain, Type};

use super::{pair, tcp_socket};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/socket/options.md");

/// With `SELKEY_BLESS=1` in the environment the document is written instead.
#[test]
fn the_documents_table_is_the_one_in_the_code() {
    let rendered = render();
    if std::env::var_os("SELKEY_BLESS").is_some_and(|bless| bless == "1") {
        std::fs::write(DOCUMENT, &rendered).unwrap();
    }
    let written = std::fs::read_to_string(DOCUMENT).unwrap();
    assert!(written == rendered, "src/socket/options.md is out of date: run the tests with SELKEY_BLESS=1");
}

fn render() -> String {
    let mut text = "\n# The table\n\nIn the order in which they are set. \"Inherited\" is by accepted sockets from their listener, on Linux.\n\n\
        | option | `--flag` | level | takes | set | on | inherited | platforms | needs | does | manual |\n\
        |---|---|---|---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for option in options::all() {
        let level = match option.level {
            Level::Socket => "SOL_SOCKET",
            Level::Tcp => "IPPROTO_TCP",
            Level::Ip => "IPPROTO_IP",
            Level::Ipv6 => "IPPROTO_IPV6",
        };
        let unit = match option.kind {
            Kind::Duration(Unit::Milliseconds) => ", counted in ms",
            Kind::Duration(Unit::Microseconds) => ", counted in µs",
            Kind::Duration(Unit::Seconds) | Kind::Linger => ", counted in s",
            _ => "",
        };
        let when = match option.when {
            When::BeforeBind => "before bind",
            When::BeforeConnect => "before listen, connect",
            When::Any => "any time",
        };
        let scope = match option.scope {
            Scope::Any => "any",
            Scope::Stream => "streams",
            Scope::Internet => "IP",
            Scope::Tcp => "TCP",
            Scope::Udp => "UDP",
            Scope::Ipv4 => "IPv4",
            Scope::Ipv6 => "IPv6",
        };
        let roles = option.roles.iter().map(|role| match role {
            Role::Listener => "listener",
            Role::Dialled => "dialled",
            Role::Accepted => "accepted",
            Role::Datagram => "datagram",
        });
        let platforms = option.platforms.iter().map(|platform| match platform {
            Platform::Linux => "Linux",
            Platform::Apple => "Apple",
            Platform::FreeBsd => "FreeBSD",
            Platform::NetBsd => "NetBSD",
            Platform::OpenBsd => "OpenBSD",
        });
        let (platforms, roles) = (platforms.collect::<Vec<_>>().join(", "), roles.collect::<Vec<_>>().join(", "));
        text += &format!(
            "| {} | `{}` | {level} | {}{unit} | {when} | {scope}: {roles} | {} | {platforms} | {} | {} | {} |\n",
            option.name,
            option.flag,
            option.takes(),
            if option.inherited { "yes" } else { "no" },
            option.precondition,
            option.does,
            option.man,
        );
    }
    text
}

#[test]
fn names_are_found_however_they_are_written() {
    for option in options::all() {
        let bare = option.name.split_once('_').unwrap().1;
        for name in [option.name, option.flag, bare, &option.name.to_lowercase(), &option.flag.to_uppercase()] {
            assert_eq!(options::find(name).unwrap().name, option.name, "{name}");
        }
        assert!(!option.does.is_empty() && !option.man.is_empty());
        let here = if cfg!(any(target_os = "linux", target_os = "android")) {
            Platform::Linux
        } else if cfg!(target_vendor = "apple") {
            Platform::Apple
        } else if cfg!(target_os = "freebsd") {
            Platform::FreeBsd
        } else if cfg!(target_os = "openbsd") {
            Platform::OpenBsd
        } else {
            Platform::NetBsd
        };
        assert_eq!(option.is_available(), option.platforms.contains(&here), "{}", option.name);
    }
}

#[test]
fn unknown_names_name_the_near_ones_or_all() {
    let error = options::get(&tcp_socket(), "SO_RCVBUFF").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert_eq!(error.to_string(), r#"no socket option is called "SO_RCVBUFF"; near it: SO_RCVBUF"#);
    let error = options::find("keep").unwrap_err().to_string();
    assert!(error.ends_with("near it: SO_KEEPALIVE, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT"), "{error}");
    for nonsense in ["", "xyzzy-plugh", "SO_"] {
        let error = options::find(nonsense).unwrap_err().to_string();
        assert!(options::all().iter().all(|option| error.contains(option.name)), "{error}");
    }
    assert!(Options::default().set("nodely", true).unwrap_err().to_string().contains("near it: TCP_NODELAY"));
}

#[test]
fn values_are_read_from_texts() {
    let read = |name: &str, text: &str| options::find(name).unwrap().check(text).unwrap();
    let ms = Duration::from_millis;
    for (name, text, value) in [
        ("SO_REUSEADDR", "on", Value::Switch(true)),
        ("SO_REUSEADDR", "OFF", Value::Switch(false)),
        ("SO_RCVBUF", "100000", Value::Number(100_000)),
        ("SO_RCVBUF", "64k", Value::Number(64 << 10)),
        ("SO_SNDBUF", "1M", Value::Number(1 << 20)),
        ("TCP_KEEPCNT", "127", Value::Number(127)),
        ("TCP_KEEPIDLE", "1.5", Value::Duration(ms(2000))),
        ("TCP_USER_TIMEOUT", "0.25", Value::Duration(ms(250))),
        ("TCP_USER_TIMEOUT", "0.0001", Value::Duration(ms(1))),
        ("SO_BUSY_POLL", "0.00005", Value::Duration(Duration::from_micros(50))),
        ("SO_BUSY_POLL", "50us", Value::Duration(Duration::from_micros(50))),
        ("SO_LINGER", "off", Value::Linger(None)),
        ("SO_LINGER", "0", Value::Linger(Some(ms(0)))),
        ("TCP_CONGESTION", "reno", Value::Text("reno".into())),
    ] {
        assert_eq!(read(name, text), value, "{name} {text}");
        assert_eq!(read(name, &value.to_string()), value, "{value} is not read back");
    }
}

#[test]
fn wrong_values_name_the_option_and_what_it_takes() {
    fn refused(name: &str, value: impl Into<Value>) {
        let (option, value) = (options::find(name).unwrap(), value.into());
        let error = options::set(&tcp_socket(), name, value.clone()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        let said = error.to_string();
        assert!(said.starts_with(&format!("{name} takes {}, not ", option.takes())), "{said}");
        assert!(!said.contains('\n'));
        assert_eq!(Options::default().set(name, value).unwrap_err().to_string(), said);
    }
    refused("SO_RCVBUF", i64::from(i32::MAX) + 1);
    refused("SO_RCVBUF", (1_i64 << 32) + 100_000);
    refused("SO_RCVBUF", usize::MAX);
    refused("SO_RCVBUF", -1);
    refused("SO_RCVBUF", true);
    for text in ["", "k", "-1", "2g", "64q", "1.5k", "9999999999999999999", "0x10", "64kk", "٣"] {
        refused("SO_RCVBUF", text);
    }
    refused("TCP_NODELAY", 1);
    refused("TCP_NODELAY", "maybe");
    refused("TCP_KEEPIDLE", 5);
    refused("TCP_KEEPIDLE", Duration::ZERO);
    refused("TCP_KEEPIDLE", Duration::from_secs(32_768));
    refused("TCP_KEEPIDLE", Duration::MAX);
    for text in ["-1", "nan", "inf", "1e300", "1h", "1,5", ""] {
        refused("TCP_USER_TIMEOUT", text);
    }
    refused("SO_LINGER", true);
    refused("SO_LINGER", Some(Duration::from_secs(1 << 40)));
    refused("TCP_KEEPCNT", 128);
    refused("TCP_MAXSEG", 87);
    refused("IP_TTL", 0);
    refused("IP_TOS", 256);
    refused("TCP_CONGESTION", "");
    refused("TCP_CONGESTION", "a name of sixteen");
    refused("TCP_CONGESTION", "re\0no");
}

#[test]
fn a_setting_tells_what_was_asked_and_granted() {
    let setting = options::set(&tcp_socket(), "IP_TTL", 7).unwrap();
    assert_eq!(setting.to_string(), "IP_TTL asked 7 granted 7");
    assert_eq!(format!("{setting:#}"), "IP_TTL            asked 7          granted 7");
}

#[test]
fn every_option_can_be_set_and_read_back() {
    for option in options::all() {
        let socket = if option.scope == Scope::Udp {
            Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap()
        } else if option.scope == Scope::Ipv6 {
            match Socket::new(Domain::IPV6, Type::STREAM, None) {
                Ok(socket) => socket,
                Err(error) => {
                    println!("skipped: {}: no IPv6: {error}", option.name);
                    continue;
                }
            }
        } else {
            tcp_socket()
        };
        if !option.is_available() {
            let error = options::get(&socket, option.name).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::Unsupported);
            println!("skipped: {}: {error}", option.name);
            continue;
        }
        assert!(option.applies_to(&socket), "{}", option.name);
        for value in samples(option) {
            match options::set(&socket, option.name, value.clone()) {
                Ok(setting) => {
                    assert_eq!((setting.option, &setting.asked), (option, &value));
                    assert_eq!(options::get(&socket, option.flag).unwrap(), setting.granted);
                    assert!(granted(option, &value, &setting.granted), "{setting}");
                }
                Err(error) if !option.precondition.is_empty() => {
                    assert!(error.to_string().starts_with(option.name), "{error}");
                    println!("skipped: {error}");
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// Two values, so that one is not what is there anyway.
fn samples(option: &SocketOption) -> Vec<Value> {
    let time = |n: u64| Value::Duration(Duration::from_secs(n));
    match (option.name, option.kind) {
        (_, Kind::Switch) => vec![true.into(), false.into()],
        ("TCP_CONGESTION", _) => vec!["reno".into(), "cubic".into()],
        ("SO_LINGER", _) => vec![Some(Duration::from_secs(3)).into(), None::<Duration>.into()],
        ("TCP_DEFER_ACCEPT", _) => vec![time(3), time(7)],
        ("SO_BUSY_POLL", _) => vec![Duration::from_micros(50).into(), Duration::ZERO.into()],
        (_, Kind::Duration(_)) => vec![time(20), time(30)],
        (_, Kind::Size) => vec![5_000.into(), 9_000.into()],
        ("SO_PRIORITY", _) => vec![6.into(), 0.into(), 7.into()],
        ("IP_TOS", _) => vec![0x10.into(), 0.into()],
        _ => vec![5.into(), 6.into()],
    }
}

/// Whether the system keeps its word; buffers have tests of their own.
fn granted(option: &SocketOption, asked: &Value, granted: &Value) -> bool {
    match (option.name, asked, granted) {
        ("SO_RCVBUF" | "SO_SNDBUF", Value::Number(asked), Value::Number(granted)) => granted >= asked,
        // Connections alone have a mode to speak of; before, the answer is the default.
        ("TCP_QUICKACK", ..) => true,
        _ => asked == granted,
    }
}

#[test]
fn a_dump_has_what_applies_and_nothing_else() {
    fn names(socket: &Socket) -> Vec<&'static str> {
        let entries = options::dump(socket);
        for (option, value) in &entries {
            // A kernel without busy polling has the name but not the thing.
            let read = value.is_ok() || !option.precondition.is_empty();
            assert!(read, "{}: {value:?}", option.name);
        }
        entries.into_iter().map(|(option, _)| option.name).collect()
    }
    let (tcp, _peer) = pair(&Options::default(), &Options::default());
    let tcp = names(&tcp);
    assert!(tcp.contains(&"TCP_NODELAY") && tcp.contains(&"SO_RCVBUF") && tcp.contains(&"IP_TTL"));
    assert!(!tcp.contains(&"IPV6_V6ONLY") && !tcp.contains(&"SO_BROADCAST"));
    let udp = names(&Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap());
    assert!(udp.contains(&"SO_BROADCAST") && udp.iter().all(|name| !name.starts_with("TCP_")));
    let (unix, _peer) = Socket::pair(Domain::UNIX, Type::STREAM, None).unwrap();
    assert_eq!(names(&unix), ["SO_SNDBUF", "SO_RCVBUF", "SO_RCVLOWAT"]);
}
