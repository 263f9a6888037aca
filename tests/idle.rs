//! What an idle connection costs with all its deadlines armed: bytes of memory and processor time, in a binary of its own.

#[allow(dead_code)] // how often is another test's question
#[path = "alloc/counting.rs"]
mod counting;
#[allow(dead_code)] // shared
#[path = "it/harness.rs"]
mod harness;

use std::io::{BufRead, BufReader, Read, Write, stdin};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

use selkey::{Flow, Out, Protocol, Reactor};
use socket2::{Domain, Socket, Type};

use counting::HELD;
use harness::{PATIENCE, raise_descriptor_limit, thread_cpu, watchdog};

struct Echo;

impl Protocol for Echo {
    fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
        out.lend(input);
        Flow::used(input.len())
    }
}

/// Set in a process that plays the clients: where to connect and how often.
const CLIENTS: &str = "SELKEY_TEST_CLIENTS";

/// Descriptors for everything else.
const SPARE: usize = 200;

/// Connections of one process of clients.
const EACH: usize = 5000;

/// Connects as often as it is told, is served once on each connection, and is then silent until its input ends.
fn clients(told: &str) {
    watchdog();
    raise_descriptor_limit();
    let (address, count) = told.split_once(' ').unwrap();
    let (address, count): (SocketAddr, usize) = (address.parse().unwrap(), count.parse().unwrap());
    let _silent: Vec<Socket> = (0..count)
        .map(|_| {
            let mut client = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            if cfg!(target_os = "linux") {
                // An address for each process: ports are what runs short.
                let own = Ipv4Addr::from(u32::from(Ipv4Addr::LOCALHOST) + 1 + std::process::id() % 1000);
                client.bind(&SocketAddr::from((own, 0)).into()).unwrap();
            }
            client.connect_timeout(&address.into(), PATIENCE).unwrap();
            client.set_read_timeout(Some(PATIENCE)).unwrap();
            client.write_all(b"x").unwrap();
            client.read_exact(&mut [0]).unwrap();
            client
        })
        .collect();
    println!("\nready");
    stdin().read_to_end(&mut Vec::new()).unwrap();
}

fn start(test: &str, address: SocketAddr, count: usize) -> Child {
    Command::new(env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--include-ignored"])
        .env(CLIENTS, format!("{address} {count}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn idle(test: &str, wanted: usize) {
    if let Ok(told) = env::var(CLIENTS) {
        return clients(&told);
    }
    let count = wanted.min(raise_descriptor_limit() - SPARE);
    let mut reactor = Reactor::new().unwrap();
    let address = reactor.listen("127.0.0.1:0", |_| Echo).unwrap();
    let before = HELD.get().0;
    let shares = (0..count).step_by(EACH).map(|from| EACH.min(count - from));
    let mut children: Vec<Child> = shares.map(|share| start(test, address, share)).collect();
    let said = children.iter_mut().map(|child| BufReader::new(child.stdout.take().unwrap())).collect::<Vec<_>>();
    let handle = reactor.handle();
    let waiting = thread::spawn(move || {
        let mut said = said;
        for child in &mut said {
            assert!(child.by_ref().lines().map_while(Result::ok).any(|line| line == "ready"));
        }
        handle.wake();
        // They have a few words more to say at their end.
        said
    });
    while !waiting.is_finished() || reactor.stats().requests < count as u64 {
        assert!(reactor.turn().unwrap());
    }
    let _said = waiting.join().unwrap();
    assert_eq!((reactor.stats().connections, reactor.stats().held), (count, 0));
    let each = (HELD.get().0 - before) as f64 / count as f64;

    // Every deadline is armed: the clock ticks.
    let (time, handle) = (Duration::from_secs(2), reactor.handle());
    let (start, cpu, mut turns) = (Instant::now(), thread_cpu(), 0);
    let clock = thread::spawn(move || {
        thread::sleep(time);
        handle.wake();
    });
    while start.elapsed() < time {
        assert!(reactor.turn().unwrap());
        turns += 1;
    }
    let part = (thread_cpu() - cpu).as_secs_f64() / start.elapsed().as_secs_f64();
    clock.join().unwrap();
    println!("{count} idle connections: {each:.1} bytes each, {:.2} % of a processor, {turns} wakes", part * 100.0);
    assert!(turns >= 2, "it does not tick");
    assert_eq!(reactor.stats().connections, count);
    for mut child in children {
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success());
    }
    assert!(each <= 128.0, "{each} bytes for each connection");
    assert!(part < 0.01, "{part} of a processor");
}

#[test]
fn two_thousand_idle_connections_cost_next_to_nothing() {
    idle("two_thousand_idle_connections_cost_next_to_nothing", 2000);
}

#[test]
#[ignore = "15,200 descriptors, and --release: unoptimized, a look at each connection ten times a second takes 1.5 % of a processor"]
fn fifteen_thousand_idle_connections_cost_next_to_nothing() {
    idle("fifteen_thousand_idle_connections_cost_next_to_nothing", 15_000);
}
