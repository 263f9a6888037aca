//! Datagrams as a load: lost, late, doubled and wrong ones.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use selkey::load::{self, Echo, Failure, Goal, Plan, Report};

use crate::harness::PATIENCE;

/// A server on a thread, which does with the datagram of each number as it is told.
struct Server {
    address: std::net::SocketAddr,
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start(mut answer: impl FnMut(usize, &mut Vec<u8>) -> usize + Send + 'static) -> Server {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let end = Arc::new(AtomicBool::new(false));
        let ended = end.clone();
        let thread = thread::spawn(move || {
            let (mut buffer, mut number) = (vec![0; 2048], 0);
            while !ended.load(SeqCst) {
                // Nothing came in time, or an earlier answer found nobody.
                let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
                let mut datagram = buffer[..length].to_vec();
                for _ in 0..answer(number, &mut datagram) {
                    socket.send_to(&datagram, from).unwrap();
                }
                number += 1;
            }
        });
        Server { address, end, thread: Some(thread) }
    }

    fn measure(&self, messages: u64, timeout: Duration) -> Report {
        let mut plan = Plan::new(self.address);
        (plan.goal, plan.timeout, plan.most) = (Goal::Messages(messages), timeout, PATIENCE);
        load::run_datagrams(&plan, |_| Ok(Echo::new(100)), |_| ()).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end.store(true, SeqCst);
        self.thread.take().unwrap().join().unwrap();
    }
}

#[test]
fn every_datagram_comes_back_where_none_is_lost() {
    let server = Server::start(|_, _| 1);
    let mut plan = Plan::new(server.address);
    (plan.connections, plan.in_flight, plan.threads, plan.most) = (3, 4, 2, PATIENCE);
    // Twelve datagrams on their way are less than any buffer takes.
    (plan.goal, plan.timeout) = (Goal::Messages(500), PATIENCE);
    for rate in [None, Some(5000.0)] {
        plan.rate = rate;
        let tally = load::run_datagrams(&plan, |_| Ok(Echo::new(100)), |_| ()).unwrap().tally;
        assert!(tally.errors.is_empty(), "{tally:?}");
        assert_eq!((tally.messages, tally.sent, tally.received), (500, 50_000, 50_000));
    }
}

#[test]
fn what_a_server_drops_is_lost_and_counted() {
    let server = Server::start(|number, _| usize::from(number % 3 != 2));
    let tally = server.measure(30, Duration::from_millis(100)).tally;
    // On a slow machine one that was not dropped may come late, and is lost too.
    let (lost, late) = (tally.errors.count(&Failure::Lost), tally.errors.count(&Failure::Unexpected));
    assert!(lost >= 10 && tally.errors.total() == lost + late, "{tally:?}");
    assert_eq!((tally.messages + lost, tally.unanswered), (30, lost));
}

#[test]
fn doubled_and_wrong_datagrams_are_told_apart() {
    let twice = Server::start(|_, _| 2);
    let tally = twice.measure(20, PATIENCE).tally;
    let unexpected = tally.errors.count(&Failure::Unexpected);
    // The second answer to the last one comes after the end.
    assert!((1..=20).contains(&unexpected) && tally.errors.total() == unexpected, "{tally:?}");
    assert_eq!(tally.messages, 20);

    let wrong = Server::start(|number, datagram| {
        datagram[50] ^= u8::from(number == 5);
        1
    });
    let tally = wrong.measure(10, Duration::from_millis(300)).tally;
    assert_eq!(tally.errors.count(&Failure::Wrong), 1, "{tally:?}");
    assert!(tally.errors.count(&Failure::Lost) >= 1, "the one that was to come never did: {tally:?}");
}

#[test]
fn a_server_that_is_not_there_ends_the_run() {
    // Who is connected hears nobody else.
    let deaf = UdpSocket::bind("127.0.0.1:0").unwrap();
    deaf.connect("127.0.0.1:9").unwrap();
    let mut plan = Plan::new(deaf.local_addr().unwrap());
    (plan.connections, plan.goal, plan.most) = (2, Goal::For(PATIENCE), PATIENCE);
    let tally = load::run_datagrams(&plan, |_| Ok(Echo::new(100)), |_| ()).unwrap().tally;
    if cfg!(target_os = "linux") {
        assert_eq!(tally.errors.count(&Failure::Refused), 2, "{tally:?}");
        assert!(tally.elapsed < PATIENCE);
    }
}
