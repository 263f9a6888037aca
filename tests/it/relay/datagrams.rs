//! The relay for datagrams: whole ones, each client's from a port of its own, delayed, overtaking, lost by rules.

use std::net::{SocketAddr, UdpSocket};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use selkey::apps::relay::{Control, Datagrams, Passed, Rules, Settings};
use selkey::apps::{Transcript, udp};
use selkey::socket::{Options, Socket};

use crate::harness::{PATIENCE, again, await_that};

const MS: Duration = Duration::from_millis(1);

/// A relay on a thread, until this is ended or dropped.
struct Bad {
    address: SocketAddr,
    control: Control,
    tally: Arc<Mutex<Passed>>,
    stop: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

impl Bad {
    fn before(target: &UdpSocket, rules: Rules) -> Bad {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let mut settings = Settings::new(target.local_addr().unwrap());
        settings.network = rules.into();
        let (stop, ours) = UnixStream::pair().unwrap();
        let (tell, told) = mpsc::channel();
        let tally = Arc::new(Mutex::new(Passed::default()));
        let shown = tally.clone();
        let thread = thread::spawn(move || {
            let mut relay = Datagrams::new(Socket::from(socket), settings).unwrap();
            let stop = relay.watch(ours).unwrap();
            tell.send(relay.control()).unwrap();
            loop {
                let ended = relay.turn().unwrap();
                *shown.lock().unwrap() = relay.tally();
                if ended == Some(stop) {
                    break;
                }
            }
        });
        Bad { address, control: told.recv().unwrap(), tally, stop: Some(stop), thread: Some(thread) }
    }

    fn tally(&self) -> (u64, u64) {
        let tally = self.tally.lock().unwrap();
        (tally.passed, tally.lost)
    }
}

impl Drop for Bad {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take().filter(|_| !thread::panicking()) {
            await_that("the relay ends", || thread.is_finished());
        }
    }
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn next(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut bytes = vec![0; 1 << 16];
    let (length, from) = again(|| socket.recv_from(&mut bytes)).unwrap();
    bytes.truncate(length);
    (bytes, from)
}

#[test]
fn datagrams_stay_whole_and_each_client_gets_its_own_answers() {
    let target = socket();
    let bad = Bad::before(&target, Rules { delay: 5 * MS, ..Rules::default() });
    let clients = [socket(), socket()];
    let lengths = [0, 1, 1472, 20_000];
    for (client, length) in clients.iter().flat_map(|client| lengths.map(|length| (client, length))) {
        let sent: Vec<u8> = (0..length).map(|n| n as u8 ^ client.local_addr().unwrap().port() as u8).collect();
        client.send_to(&sent, bad.address).unwrap();
        let (got, from) = next(&target);
        assert!(got == sent && from != bad.address, "{length} bytes");
        target.send_to(&sent, from).unwrap();
        assert!(next(client) == (sent, bad.address), "{length} bytes back");
    }
    await_that("all are counted", || bad.tally() == (16, 0));
}

#[test]
fn the_echo_of_the_crate_works_through_it() {
    let target = socket();
    let bad = Bad::before(&target, Rules { delay: 50 * MS, rate: Some(1_000_000), ..Rules::default() });
    let echoing = thread::spawn(move || {
        let mut server = udp::Server::new(target.into(), &Transcript::silent()).unwrap();
        server.stop_after(2);
        server.run().unwrap();
    });
    let patience = udp::Patience { timeout: PATIENCE, retries: 0 };
    let start = Instant::now();
    let messages = ["Hello, world", ""];
    udp::exchange(&bad.address.into(), &Options::default(), &messages, patience, &Transcript::silent()).unwrap();
    // There and back, twice.
    assert!(start.elapsed() >= 200 * MS);
    echoing.join().unwrap();
}

/// With so much chance none of a hundred in the order in which they were sent would be a wonder.
#[test]
fn jitter_lets_datagrams_overtake_and_loses_none() {
    let target = socket();
    let bad = Bad::before(&target, Rules { jitter: 50 * MS, ..Rules::default() });
    let client = socket();
    for n in 0..100u8 {
        client.send_to(&[n], bad.address).unwrap();
    }
    let mut got: Vec<u8> = (0..100).map(|_| next(&target).0[0]).collect();
    assert!(!got.is_sorted());
    got.sort();
    assert!(got.iter().copied().eq(0..100));
}

#[test]
fn without_jitter_they_keep_their_order_and_the_rate() {
    let target = socket();
    let bad = Bad::before(&target, Rules { rate: Some(100_000), ..Rules::default() });
    let client = socket();
    let start = Instant::now();
    for n in 0..100u8 {
        client.send_to(&[n; 100], bad.address).unwrap();
    }
    assert!((0..100).all(|n| next(&target).0 == [n; 100]));
    assert!(start.elapsed() >= 100 * MS);
}

#[test]
fn a_hole_takes_what_is_beyond_and_a_freeze_holds_all() {
    let target = socket();
    let bad = Bad::before(&target, Rules { drop_after: Some(10), ..Rules::default() });
    let client = socket();
    // The second would be beyond; the third would fit again, but falls in too.
    for bytes in [&b"123456"[..], b"12345", b"1"] {
        client.send_to(bytes, bad.address).unwrap();
    }
    let other = socket();
    let start = Instant::now();
    bad.control.freeze(200 * MS);
    other.send_to(b"other", bad.address).unwrap();
    let mut got = [next(&target).0, next(&target).0];
    got.sort();
    assert_eq!(got, [b"123456".to_vec(), b"other".to_vec()]);
    assert!(start.elapsed() >= 200 * MS);
    await_that("all are counted", || bad.tally() == (2, 2));
}

/// As a router loses what its queue has no room for.
#[test]
fn no_more_than_a_mebibyte_is_under_way() {
    let target = socket();
    let bad = Bad::before(&target, Rules { delay: Duration::MAX, ..Rules::default() });
    let client = socket();
    let mut sent = 0;
    await_that("one is lost", || {
        client.send_to(&[0; 10_000], bad.address).unwrap();
        sent += 1;
        bad.tally().1 > 0
    });
    // The kernel may have lost more, but not fewer.
    assert!(bad.tally().0 == 0 && sent > (1 << 20) / 10_100, "{sent} sent");
}
