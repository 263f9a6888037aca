//! Lines 10 and 13: what a call costs.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use std::{env, fs, process};

use selkey::{EVENT_READ, EVENT_WRITE, Selector};

use super::Kind;
use super::counting::Counting;
use crate::harness::unix_pair;

/// Set in the process whose system calls are traced.
const TRACED: &str = "SELKEY_TEST_TRACED";

/// Closing this number fails, and tells the trace's reader where a part begins.
const MARK: i32 = -77_001;

const CALLS: usize = 200;

/// With nothing to wait for, with timeouts that pass, in milliseconds and finer, and with something ready.
pub fn one_select_is_one_system_call<B: Kind>() {
    if env::var_os(TRACED).is_some() {
        return select_between_marks::<B>();
    }
    let Some(trace) = trace_this_test() else { return };
    let mark = format!("close({MARK})");
    let parts: Vec<&str> = trace.split(mark.as_str()).collect();
    let [_before, nothing, passing, fine, _between, ready, _after] = parts[..] else { panic!("{} parts", parts.len()) };
    for part in [nothing, passing, fine, ready] {
        // The first line is the rest of the mark's.
        let calls: Vec<_> =
            part.lines().skip(1).filter_map(|line| line.split_once('(')).map(|(name, _)| name).collect();
        let other: Vec<_> = calls.iter().filter(|call| !B::CALLS.contains(call)).collect();
        assert_eq!((calls.len(), other), (CALLS, vec![]));
    }
}

fn select_between_marks<B: Kind>() {
    let mark = || {
        // SAFETY: nothing is open at a negative number.
        unsafe { libc::close(MARK) };
    };
    let ((idle, _peer), (busy, _other_peer)) = (unix_pair(), unix_pair());
    let mut selector = Selector::<_, _, B>::new().unwrap();
    selector.waker().unwrap();
    selector.register(idle, EVENT_READ, ()).unwrap();
    let key = selector.register(busy, EVENT_READ, ()).unwrap();
    // Afterwards nothing needs memory any more.
    let mut ready = Vec::with_capacity(8);
    // Here it is found out whether the kernel counts in less than milliseconds.
    selector.select_into(Duration::from_nanos(1), &mut ready).unwrap();

    mark();
    for _ in 0..CALLS {
        assert_eq!(selector.select_into(Duration::ZERO, &mut ready).unwrap(), 0);
    }
    mark();
    for _ in 0..CALLS {
        assert_eq!(selector.select_into(Duration::from_millis(1), &mut ready).unwrap(), 0);
    }
    mark();
    for _ in 0..CALLS {
        assert_eq!(selector.select_into(Duration::from_micros(150), &mut ready).unwrap(), 0);
    }
    mark();
    selector.modify(key, EVENT_WRITE).unwrap();
    selector.select_into(None, &mut ready).unwrap();
    mark();
    for _ in 0..CALLS {
        assert_eq!(selector.select_into(None, &mut ready).unwrap(), 1);
    }
    mark();
}

/// Runs this process's test once more under strace; answers the system calls of the thread that made the marks, one a line.
fn trace_this_test() -> Option<String> {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("trace-{}", process::id()));
    let outcome = Command::new("strace")
        .args(["-f", "-qq", "-o"])
        .arg(&file)
        .arg(env::current_exe().unwrap())
        .args(env::args_os().skip(1))
        .env(TRACED, "1")
        .output();
    let Ok(output) = outcome else {
        println!("skipped: no strace");
        return None;
    };
    let trace = fs::read_to_string(&file).unwrap_or_default();
    let _ = fs::remove_file(&file);
    if !output.status.success() && !trace.contains("execve(") {
        println!("skipped: strace cannot trace here");
        return None;
    }
    assert!(output.status.success(), "{}\n{}", output.status, String::from_utf8_lossy(&output.stdout));
    let mark = format!("close({MARK})");
    let line = trace.lines().find(|line| line.contains(&mark)).expect("a mark in the trace");
    let thread = line.split_whitespace().next().unwrap();
    // Each line: the thread's number, blanks, the call.
    let calls = trace.lines().filter_map(|line| line.strip_prefix(thread)).map(str::trim_start);
    Some(calls.filter(|call| !call.starts_with("<...")).collect::<Vec<_>>().join("\n"))
}

pub fn dropping_takes_no_descriptor_out_one_by_one<B: Kind>() {
    let (selector, log, peers) = ten::<B>();
    drop(selector);
    assert!(log.take().is_empty());
    drop(peers);
}

pub fn closing_takes_no_descriptor_out_one_by_one<B: Kind>() {
    let (selector, log, peers) = ten::<B>();
    assert_eq!(selector.into_iter().count(), 10);
    assert!(log.take().is_empty());
    drop(peers);
}

type Ten<B> = (
    Selector<std::os::unix::net::UnixStream, (), Counting<B>>,
    std::sync::Arc<super::counting::Log>,
    Vec<std::os::unix::net::UnixStream>,
);

fn ten<B: Kind>() -> Ten<B> {
    let mut selector = Selector::<_, _, Counting<B>>::new().unwrap();
    let (ours, theirs): (Vec<_>, Vec<_>) = (0..10).map(|_| unix_pair()).unzip();
    for stream in ours {
        selector.register(stream, EVENT_READ, ()).unwrap();
    }
    let log = selector.backend().log.clone();
    log.take();
    (selector, log, theirs)
}

/// Compares the fastest of many rounds, so that what else the machine does is left out.
#[cfg(target_os = "linux")]
#[test]
fn idle_registrations_cost_a_wait_over_epoll_nothing() {
    use crate::harness::{alone, raise_descriptor_limit};
    use std::io::Write;
    use std::time::Instant;

    fn fastest(selector: &mut selkey::EpollSelector<std::os::unix::net::UnixStream>) -> Duration {
        let mut ready = Vec::new();
        let mut round = || {
            let start = Instant::now();
            for _ in 0..200 {
                assert_eq!(selector.select_into(Duration::ZERO, &mut ready).unwrap(), 1);
            }
            start.elapsed()
        };
        (0..100).map(|_| round()).min().unwrap()
    }

    alone(concat!(module_path!(), "::idle_registrations_cost_a_wait_over_epoll_nothing"), || {
        let idle = 9_000.min((raise_descriptor_limit() - 64) / 2);
        let (busy, mut peer) = unix_pair();
        peer.write_all(b"x").unwrap();
        let mut selector = selkey::EpollSelector::new().unwrap();
        selector.register(busy, EVENT_READ, ()).unwrap();
        let few = fastest(&mut selector);
        let mut peers = Vec::new();
        for _ in 0..idle {
            let (ours, theirs) = unix_pair();
            selector.register(ours, EVENT_READ, ()).unwrap();
            peers.push(theirs);
        }
        let many = fastest(&mut selector);
        assert!(many < few * 2, "{few:?} with none idle, {many:?} with {idle}");
    });
}
