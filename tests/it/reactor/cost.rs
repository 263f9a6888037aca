//! What a message costs in system calls.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, process};

use selkey::Reactor;

use super::support::{Echo, ask, connect};
use crate::harness::watchdog;

/// Set in the process that serves: where it writes its address.
const SERVES: &str = "SELKEY_TEST_SERVES";

/// Wait, receive, send. Counted in two runs of different length, so that what is done once drops out.
#[test]
fn a_message_costs_three_system_calls() {
    if let Some(file) = env::var_os(SERVES) {
        return serve(Path::new(&file));
    }
    let (few, many) = (500, 2500);
    let Some(((first, _), (second, time))) = calls(few).zip(calls(many)) else { return };
    let each = (second - first) as f64 / (many - few) as f64;
    // Ten times a second the loop looks after its deadlines: a wait and a read, and on a busy machine there is time for many.
    let ticks = 3.0 * (time.as_secs_f64() * 10.0 + 1.0) / (many - few) as f64;
    assert!((2.99..3.01 + ticks).contains(&each), "{each} system calls a message in {time:?}");
}

/// Until the one connection has ended.
fn serve(file: &Path) {
    watchdog();
    let mut reactor = Reactor::new().unwrap();
    let address = reactor.listen("127.0.0.1:0", |_| Echo).unwrap();
    let unfinished = file.with_extension("unfinished");
    fs::write(&unfinished, address.to_string()).unwrap();
    fs::rename(&unfinished, file).unwrap();
    while reactor.stats().accepted == 0 || reactor.stats().connections > 0 {
        reactor.turn().unwrap();
    }
}

/// How many system calls a server makes that echoes that many messages, and how long that takes.
fn calls(messages: usize) -> Option<(usize, Duration)> {
    let name = |what| PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{what}-{}-{messages}", process::id()));
    let (address, counts) = (name("address"), name("counts"));
    let mut server = start(&address, &counts)?;
    let text = loop {
        match fs::read_to_string(&address) {
            Ok(text) => break text,
            Err(_) if server.try_wait().unwrap().is_some() => {
                println!("skipped: strace cannot trace here");
                return None;
            }
            Err(_) => std::thread::yield_now(),
        }
    };
    let start = Instant::now();
    let mut client = connect(text.parse().unwrap());
    for _ in 0..messages {
        assert_eq!(ask(&mut client, b"Message"), b"Message");
    }
    drop(client);
    assert!(server.wait().unwrap().success());
    let time = start.elapsed();
    let counted = fs::read_to_string(&counts).unwrap();
    fs::remove_file(&address).unwrap();
    fs::remove_file(&counts).unwrap();
    let total = counted.lines().find(|line| line.trim_end().ends_with("total")).expect("a line with the total");
    Some((total.split_whitespace().nth(3).unwrap().parse().unwrap(), time))
}

fn start(address: &Path, counts: &Path) -> Option<Child> {
    let started = Command::new("strace")
        .args(["-f", "-c", "-o"])
        .arg(counts)
        .arg(env::current_exe().unwrap())
        .args([concat!(module_path!(), "::a_message_costs_three_system_calls").split_once("::").unwrap().1, "--exact"])
        .env(SERVES, address)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    if started.is_err() {
        println!("skipped: no strace");
    }
    started.ok()
}
