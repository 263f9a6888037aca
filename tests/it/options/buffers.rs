//! Options about how much the kernel holds.

use selkey::socket::options::{self, Value};
use selkey::socket::{Options, Role, Socket, Transfer, send};

use super::{MOMENT, pair, readable, tcp_socket, writable};
use crate::harness::PATIENCE;

fn number(value: Value) -> i64 {
    match value {
        Value::Number(number) => number,
        other => panic!("{other} is not a number"),
    }
}

#[test]
fn buffers_are_doubled_and_clamped() {
    if !cfg!(target_os = "linux") {
        return println!("skipped: doubling and clamping are Linux's");
    }
    for (name, limit) in [("SO_RCVBUF", "rmem_max"), ("SO_SNDBUF", "wmem_max")] {
        let limit = std::fs::read_to_string(format!("/proc/sys/net/core/{limit}"));
        let Some(limit) = limit.ok().and_then(|limit| limit.trim().parse::<i64>().ok()) else {
            println!("skipped: {name}: no /proc/sys/net/core to read the limit from");
            continue;
        };
        let socket = tcp_socket();
        for asked in [5_000, 100_000, limit - 1, limit, limit + 1, (limit * 2).min(i32::MAX.into()), i32::MAX.into()] {
            let setting = options::set(&socket, name, asked).unwrap();
            assert_eq!(number(setting.granted), 2 * asked.min(limit), "{name} {asked}");
        }
        // The least there is; not nothing.
        assert!(number(options::set(&socket, name, 0).unwrap().granted) > 0);
    }
    let mut asked = Options::default();
    asked.rcvbuf(100_000).sndbuf(50_000);
    let (ours, theirs) = pair(&asked, &asked);
    for socket in [&ours, &theirs] {
        let size = |name| number(options::get(socket, name).unwrap());
        assert_eq!((size("SO_RCVBUF"), size("SO_SNDBUF")), (200_000, 100_000));
    }
    let settings = asked.apply(&tcp_socket(), Role::Dialled).unwrap();
    assert_eq!(settings[1].to_string(), "SO_RCVBUF asked 100000 granted 200000");
}

/// How many bytes go in before the socket is not writable any more, to a peer that does not read.
fn room(client: &Options) -> usize {
    let (ours, theirs) = pair(Options::default().rcvbuf(8_192), client);
    let mut sent = 0;
    while writable(&theirs) {
        match send(&theirs, &[0; 1024]).unwrap() {
            Transfer::Moved(n) => sent += n,
            _ => break,
        }
    }
    drop(ours);
    sent
}

#[test]
fn a_greater_buffer_holds_more() {
    let [small, great] = [16 << 10, 256 << 10].map(|size| room(Options::default().sndbuf(size)));
    assert!(small < great / 2, "{small} and {great}");
}

#[cfg(target_os = "linux")]
#[test]
fn tcp_notsent_lowat_ends_writability_early() {
    let mut options = Options::default();
    options.sndbuf(512 << 10);
    let without = room(&options);
    let with = room(options.set("TCP_NOTSENT_LOWAT", "4k").unwrap());
    assert!(with < without / 2, "{with} and {without}");
}

#[test]
fn so_rcvlowat_waits_for_so_many_bytes() {
    let mut options = Options::default();
    options.set("SO_RCVLOWAT", 100).unwrap();
    let (ours, theirs) = pair(&options, &Options::default());
    options.apply(&ours, Role::Accepted).unwrap();
    assert_eq!(send(&theirs, &[0; 99]).unwrap(), Transfer::Moved(99));
    assert!(!readable(&ours, MOMENT));
    assert_eq!(send(&theirs, &[0; 1]).unwrap(), Transfer::Moved(1));
    assert!(readable(&ours, PATIENCE));

    let (ours, theirs) = pair(&options, &Options::default());
    send(&theirs, &[0; 1]).unwrap();
    theirs.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(readable(&ours, PATIENCE), "the end is to be read whatever the mark");
    drop(ours);
}

#[test]
fn tcp_maxseg_bounds_the_segments_of_both_ends() {
    if !cfg!(target_os = "linux") {
        return println!("skipped: what is read back of TCP_MAXSEG differs outside Linux");
    }
    let mut small = Options::default();
    small.set("TCP_MAXSEG", 500).unwrap();
    for (server, client) in [(&small, &Options::default()), (&Options::default(), &small)] {
        for end in <[Socket; 2]>::from(pair(server, client)) {
            let size = number(options::get(&end, "TCP_MAXSEG").unwrap());
            // The timestamps' 12 bytes come off.
            assert!((488..=500).contains(&size), "{size}");
        }
    }
    for end in <[Socket; 2]>::from(pair(&Options::default(), &Options::default())) {
        assert!(number(options::get(&end, "TCP_MAXSEG").unwrap()) > 500);
    }
}
