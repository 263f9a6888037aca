//! Linux: the tables in /proc/net (proc_pid_net(5)), and in /proc/PID/fd who holds which socket.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::{fs, io};

use procfs::net::{TcpNetEntry, UdpNetEntry};
use procfs::process::{FDTarget, all_processes};
use procfs::{ProcError, ProcResult};
use selkey::socket::TcpState;

use super::{End, Found, Row};

/// The flag of a Unix-domain socket that listens (`__SO_ACCEPTCON`).
const LISTENS: u32 = 0x1_0000;
const STREAM: u32 = 1;

pub fn sockets() -> io::Result<Found> {
    use procfs::net;

    let mut rows = Vec::new();
    rows.extend(table(net::tcp())?.into_iter().map(|entry| tcp("TCP", entry)));
    rows.extend(table(net::tcp6())?.into_iter().map(|entry| tcp("TCP6", entry)));
    rows.extend(table(net::udp())?.into_iter().map(|entry| udp("UDP", entry)));
    rows.extend(table(net::udp6())?.into_iter().map(|entry| udp("UDP6", entry)));
    // procfs leaves out the flags of a Unix-domain socket and cuts its path at a blank.
    let unix = String::from_utf8_lossy(&table(fs::read("/proc/net/unix").map_err(ProcError::from))?).into_owned();
    rows.extend(unix.lines().skip(1).filter_map(unix_listener));
    rows.sort();
    // The kernel hands a table out in pieces: while sockets come and go one may be in two of them. What no process has any more (TIME_WAIT) has no
    // number, but then both ends tell it apart.
    rows.dedup_by(|later, row| {
        let same = (later.proto, later.inode) == (row.proto, row.inode);
        same && (row.inode != 0 || (&later.local, &later.foreign) == (&row.local, &row.foreign))
    });

    let (programs, programs_hidden) = programs()?;
    for row in &mut rows {
        row.program = programs.get(&row.inode).cloned();
    }
    Ok(Found { rows, programs_hidden })
}

/// A table that is not there, as tcp6 on a system without IPv6, is empty.
fn table<T: Default>(read: ProcResult<T>) -> io::Result<T> {
    match read {
        Err(ProcError::NotFound(_)) => Ok(T::default()),
        Err(ProcError::Io(error, _)) if error.kind() == io::ErrorKind::NotFound => Ok(T::default()),
        outcome => outcome.map_err(|error| io::Error::other(format!("cannot read /proc/net: {error}"))),
    }
}

fn tcp(proto: &'static str, entry: TcpNetEntry) -> Row {
    let state = TcpState::from_number(entry.state.to_u8()).map_or("", TcpState::name);
    row(proto, entry.local_address, entry.remote_address, state, (entry.rx_queue, entry.tx_queue), entry.inode)
}

fn udp(proto: &'static str, entry: UdpNetEntry) -> Row {
    // Of TCP's states UDP uses two: connected, and 7 for "not", which is no state to show.
    let state = if entry.state.to_u8() == 1 { TcpState::Established.name() } else { "" };
    row(proto, entry.local_address, entry.remote_address, state, (entry.rx_queue, entry.tx_queue), entry.inode)
}

fn row(
    proto: &'static str,
    local: SocketAddr,
    foreign: SocketAddr,
    state: &'static str,
    (recv_q, send_q): (u32, u32),
    inode: u64,
) -> Row {
    let (local, foreign) = (End::Net(local), Some(End::Net(foreign)));
    Row { proto, local, foreign, state, inode, recv_q: Some(recv_q), send_q: Some(send_q), program: None }
}

/// `Num RefCount Protocol Flags Type St Inode Path`, the first five in hexadecimal; the path may have blanks.
fn unix_listener(line: &str) -> Option<Row> {
    let mut rest = line.trim_start();
    let mut next = || {
        let (word, after) = rest.split_once(' ')?;
        rest = after.trim_start();
        Some(word)
    };
    let mut words = [""; 7];
    for word in &mut words {
        *word = next()?;
    }
    let hex = |text| u32::from_str_radix(text, 16).ok();
    let listens = hex(words[3])? & LISTENS != 0 && hex(words[4])? == STREAM;
    let (local, state) = (End::Path(rest.to_owned()), TcpState::Listen.name());
    let inode = words[6].parse().ok()?;
    listens.then_some(Row {
        proto: "UNIX",
        local,
        foreign: None,
        state,
        inode,
        recv_q: None,
        send_q: None,
        program: None,
    })
}

type Programs = HashMap<u64, (i32, String)>;

/// The process that has a socket, the one with the lowest number where several do; and whether some could not be looked at.
fn programs() -> io::Result<(Programs, bool)> {
    let mut programs = Programs::new();
    let mut hidden = false;
    for process in all_processes().map_err(|error| io::Error::other(error.to_string()))? {
        // A process that has ended meanwhile, or a descriptor closed meanwhile, is no error.
        let Ok(process) = process else { continue };
        let descriptors = match process.fd() {
            Ok(descriptors) => descriptors,
            Err(error) => {
                hidden |= matches!(error, ProcError::PermissionDenied(_));
                continue;
            }
        };
        let mut name = None;
        for descriptor in descriptors.flatten() {
            let FDTarget::Socket(inode) = descriptor.target else { continue };
            let name = name.get_or_insert_with(|| process.stat().map_or_else(|_| "-".to_owned(), |stat| stat.comm));
            let holder = (process.pid(), name.clone());
            programs.entry(inode).and_modify(|old| *old = holder.clone().min(old.clone())).or_insert(holder);
        }
    }
    Ok((programs, hidden))
}
