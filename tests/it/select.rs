//! The function with three lists, and what Python's answers on the same descriptors.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::Stdio;
use std::time::{Duration, Instant};

use selkey::socket::{Flags, Socket, send_with};
use selkey::{NONE, select};

use crate::harness::{Watched, alone, dup_from, python3, raise_descriptor_limit, tcp_pair, unix_pair};

const NOW: Duration = Duration::ZERO;

#[test]
fn each_list_answers_what_of_it_is_ready_in_its_order() {
    let (first, mut first_peer) = unix_pair();
    let (second, mut second_peer) = unix_pair();
    let (readable, writable, exceptional) = select([&first, &second], [&second, &first], [&first], NOW).unwrap();
    assert!(readable.is_empty() && exceptional.is_empty());
    assert_eq!(
        writable.iter().map(|stream| stream.as_raw_fd()).collect::<Vec<_>>(),
        [second.as_raw_fd(), first.as_raw_fd()]
    );
    first_peer.write_all(b"1").unwrap();
    second_peer.write_all(b"2").unwrap();
    assert_eq!(select([&second, &first], NONE, NONE, None).unwrap().0.len(), 2);
}

#[test]
fn empty_lists_sleep_the_timeout_out() {
    let (start, timeout) = (Instant::now(), Duration::from_micros(20_001));
    let (readable, writable, exceptional) = select(NONE, NONE, NONE, timeout).unwrap();
    assert!(readable.is_empty() && writable.is_empty() && exceptional.is_empty());
    assert!(start.elapsed() >= timeout);
}

#[test]
fn urgent_data_is_exceptional() {
    let (ours, theirs) = tcp_pair();
    let theirs = Socket::from(theirs);
    send_with(&theirs, b"!", Flags::OOB).unwrap();
    let (readable, _, exceptional) = select([&ours], NONE, [&ours], None).unwrap();
    assert_eq!((readable.len(), exceptional.len()), (0, 1));
}

#[test]
fn a_closed_descriptor_is_ebadf() {
    alone(concat!(module_path!(), "::a_closed_descriptor_is_ebadf"), || {
        // Nothing else of this process opens or closes anything meanwhile. A number out of the air may have been inherited.
        let closed = Watched(dup_from(&unix_pair().0, 3).unwrap().as_raw_fd());
        let error = select([closed], NONE, NONE, NOW).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EBADF));
    });
}

#[test]
fn a_descriptor_beyond_the_set_is_refused_by_name() {
    alone(concat!(module_path!(), "::a_descriptor_beyond_the_set_is_refused_by_name"), || {
        if raise_descriptor_limit() <= libc::FD_SETSIZE {
            return println!("skipped: the limit on descriptors is too low");
        }
        let (ours, _theirs) = unix_pair();
        let high = dup_from(&ours, libc::FD_SETSIZE as i32).unwrap();
        let error = select(NONE, [&high], NONE, NOW).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(&high.as_raw_fd().to_string()), "{error}");
    });
}

/// Reads three lists of descriptors a line, asks, and prints the three answers.
const ORACLE: &str = "
import select, sys
for line in sys.stdin:
    lists = [[int(n) for n in part.split()] for part in line.split(';')]
    print(';'.join(' '.join(map(str, found)) for found in select.select(*lists, 0)), flush=True)
";

#[test]
fn it_agrees_with_python_on_the_same_descriptors() {
    alone(concat!(module_path!(), "::it_agrees_with_python_on_the_same_descriptors"), || {
        let Some(mut python) = python3() else { return };
        let (idle, _idle_peer) = tcp_pair();
        let (ready, mut ready_peer) = tcp_pair();
        let (ended, ended_peer) = unix_pair();
        let (urgent, urgent_peer) = tcp_pair();
        let (mut full, _full_peer) = unix_pair();
        ready_peer.write_all(b"here").unwrap();
        drop(ended_peer);
        send_with(&Socket::from(urgent_peer.try_clone().unwrap()), b"!", Flags::OOB).unwrap();
        while full.write(&[0; 4096]).is_ok() {}
        select(NONE, NONE, [&urgent], None).unwrap();

        let sources: [&dyn AsFd; 5] = [&idle, &ready, &ended, &urgent, &full];
        // The child inherits these numbers, which are not close-on-exec.
        let inherited: Vec<OwnedFd> = sources
            .iter()
            .map(|source| {
                let fd = dup_from(&source.as_fd(), 3).unwrap();
                // SAFETY: the call takes no pointers.
                unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, 0) };
                fd
            })
            .collect();
        let mut child = python.args(["-c", ORACLE]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut question, mut answer) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        // Every choice of descriptors for the readers, and others for the two other lists.
        for choice in 0..1usize << inherited.len() {
            let chosen = |bits: usize| {
                inherited
                    .iter()
                    .enumerate()
                    .filter(move |(at, _)| bits >> at & 1 == 1)
                    .map(|(_, fd)| fd)
                    .collect::<Vec<_>>()
            };
            let lists = [chosen(choice), chosen(!choice), chosen(choice.rotate_left(1) | choice >> 4)];
            let (readable, writable, exceptional) = select(&lists[0], &lists[1], &lists[2], NOW).unwrap();
            let text = |list: Vec<i32>| list.iter().map(i32::to_string).collect::<Vec<_>>().join(" ");
            let numbers = |list: &[&OwnedFd]| text(list.iter().map(|fd| fd.as_raw_fd()).collect());
            let found = |list: Vec<&&OwnedFd>| text(list.iter().map(|fd| fd.as_raw_fd()).collect());
            writeln!(question, "{};{};{}", numbers(&lists[0]), numbers(&lists[1]), numbers(&lists[2])).unwrap();
            let mut line = String::new();
            answer.read_line(&mut line).unwrap();
            assert_eq!(
                line.trim_end_matches('\n'),
                format!("{};{};{}", found(readable), found(writable), found(exceptional))
            );
        }
        drop(question);
        assert!(child.wait().unwrap().success());
    });
}
