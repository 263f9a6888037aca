//! More clients than descriptors (EMFILE), seen from outside, with the program itself.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::support::ms;
use crate::cli::support::{Program, Server, dial, exchange, selkey};
use crate::harness::{alone, check, raise_descriptor_limit};

const CLIENTS: usize = 200;

/// What the program may open: connections and what it needs besides.
const DESCRIPTORS: u64 = 64;

fn server() -> Server {
    let mut command = selkey();
    command.args(["multiconn-server", "127.0.0.1", "0", "--quiet", "--max-connections", "1000"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let lower = || {
        let limit = libc::rlimit { rlim_cur: DESCRIPTORS, rlim_max: DESCRIPTORS };
        // SAFETY: `limit` lives through the call.
        check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) });
        Ok(())
    };
    // SAFETY: one system call between fork and exec, which allocates nothing where it succeeds.
    unsafe { command.pre_exec(lower) };
    Server::of(Program::of(&mut command))
}

/// The processor time that a process has used, in clock ticks of 10 ms.
fn cpu(server: &Server) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.program.pid())).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// Whether it gets an answer within this time; it has sent its question before.
fn answered(client: &mut TcpStream, within: Duration) -> bool {
    client.set_read_timeout(Some(within)).unwrap();
    client.read(&mut [0; 8]).is_ok_and(|n| n > 0)
}

/// Whether the server has closed it.
fn is_closed(client: &mut TcpStream) -> bool {
    client.set_nonblocking(true).unwrap();
    let closed = match client.read(&mut [0; 8]) {
        Ok(n) => n == 0,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    };
    client.set_nonblocking(false).unwrap();
    closed
}

/// EMFILE: the process lives and stays cheap, serves whom it has, says so once a second at most, turns away a few, and accepts again.
#[test]
fn emfile_ends_no_server_and_costs_little() {
    alone(concat!(module_path!(), "::emfile_ends_no_server_and_costs_little"), || {
        raise_descriptor_limit();
        let server = server();
        let start = Instant::now();
        let mut clients: Vec<TcpStream> = (0..CLIENTS).map(|_| dial(server.address)).collect();
        let mut inside = Vec::new();
        // In the order in which they came: whoever is not answered waits, and so does everybody after.
        while let Some(mut client) = (!clients.is_empty()).then(|| clients.remove(0)) {
            client.write_all(b"Hello").unwrap();
            if !answered(&mut client, ms(2000)) {
                clients.insert(0, client);
                break;
            }
            client.set_read_timeout(Some(crate::harness::PATIENCE)).unwrap();
            inside.push(client);
        }
        assert!((20..DESCRIPTORS as usize).contains(&inside.len()), "{} are inside", inside.len());

        // Two seconds of shortage. Those inside are served.
        let (before, since) = (cpu(&server), Instant::now());
        sleep(ms(2000));
        let part = (cpu(&server) - before) as f64 / 100.0 / since.elapsed().as_secs_f64();
        assert!(part < 0.05, "{part} of a processor");
        println!("{} inside, {part} of a processor", inside.len());
        inside.iter_mut().for_each(|client| exchange(client, b"still here"));

        // Ten a second at most are turned away, and only after a second of it.
        let gone = clients.iter_mut().map(is_closed).filter(|&closed| closed).count();
        let most = start.elapsed().as_secs_f64() * 10.0 + 1.0;
        println!("{gone} turned away in {:?}", start.elapsed());
        assert!(gone > 0 && (gone as f64) < most, "{gone} turned away");
        clients.retain_mut(|client| !is_closed(client));

        // One leaves, one comes in; the fastest of several, because other programs run too.
        let mut fastest = Duration::MAX;
        for _ in 0..5 {
            drop(inside.pop());
            let freed = Instant::now();
            // It is one of the first that still wait, but the very first may be turned away just then.
            fastest = fastest.min(loop {
                assert!(freed.elapsed() < crate::harness::PATIENCE, "nobody is accepted");
                clients.retain_mut(|client| !is_closed(client));
                let next = clients.first_mut().expect("somebody waits");
                let _ = next.write_all(b"Hello");
                if answered(next, ms(100)) {
                    break freed.elapsed();
                }
            });
            inside.push(clients.remove(0));
        }
        println!("accepted {fastest:?} after one has left");
        assert!(fastest < ms(250), "{fastest:?}");

        // What it said: never two lines in a second.
        let seconds = start.elapsed().as_secs() as usize;
        let ended = {
            server.program.signal(libc::SIGTERM);
            server.program.end()
        };
        assert_eq!(ended.status, Some(0), "{ended:?}");
        println!("{} lines in {seconds} s", ended.errors.len());
        assert!((1..=seconds + 1).contains(&ended.errors.len()), "{ended:?}");
        assert!(ended.errors.iter().all(|line| line.contains("cannot accept for now: ")), "{ended:?}");
    });
}
