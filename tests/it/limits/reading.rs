//! Bytes: clients that never read, and messages without end.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use selkey::backend::DefaultBackend;
use selkey::{Deadline, Flow, Limits, Reactor};

use super::support::{Framed, Scene, limits, ms, scene};
use crate::harness::{alone, raise_descriptor_limit};
use crate::reactor::support::{Echo, Log, logged, narrow, read, turning};

/// What all connections together may hold, far less than they ask for.
const HELD: usize = 4 << 20;

/// Memory grows without limit: here neither for one of them nor for all together, and whoever reads is served.
#[test]
fn a_client_that_sends_and_never_reads_is_given_up_and_many_stay_under_the_caps() {
    alone(
        concat!(module_path!(), "::a_client_that_sends_and_never_reads_is_given_up_and_many_stay_under_the_caps"),
        || {
            let count = 200.min((raise_descriptor_limit() - 50) / 2);
            let log = Log::default();
            let told = log.clone();
            let mut reactor = Reactor::new().unwrap();
            reactor.set_limits(limits(|limits| limits.max_held = HELD));
            let make = move |socket: &selkey::socket::Socket| {
                narrow(socket);
                logged(&told, Echo)
            };
            let address = reactor.listen("127.0.0.1:0", make).unwrap();
            let mut scene = Scene::<_, DefaultBackend> { reactor: turning(reactor), address };
            let mut other = scene.client();
            let mut flooding: Vec<TcpStream> = (0..count)
                .map(|_| {
                    let client = scene.client();
                    narrow(&client);
                    client.set_nonblocking(true).unwrap();
                    client
                })
                .collect();
            let bytes = vec![7; 32 << 10];
            let (mut most, mut still) = (0, 0);
            // Until none of them gets a byte in any more.
            while still < 50 {
                still += 1;
                for client in &mut flooding {
                    if client.write(&bytes).is_ok() {
                        still = 0;
                    }
                }
                scene.reactor.turn_at_once();
                most = most.max(scene.reactor.stats().held);
                ask(&mut scene, &mut other, b"still here");
            }
            let overfull = scene.reactor.stats().overfull;
            assert!(overfull > 0 && log.count("failed QuotaExceeded: ") as u64 == overfull, "{overfull}");
            assert!(most <= HELD && most > HELD / 2, "{most} bytes were held at most");
            let left = scene.reactor.stats().connections - 1;
            assert!(left > 0 && left + overfull as usize == count, "{left} left, {overfull} ended");

            // Those that are left take nothing, and are given up.
            scene.reactor.set_limits(limits(|limits| {
                (limits.max_held, limits.write_timeout) = (HELD, ms(500));
            }));
            while scene.reactor.stats().connections > 1 {
                scene.pass(ms(10));
                ask(&mut scene, &mut other, b"still here");
            }
            assert_eq!(scene.reactor.stats().expired(Deadline::Stall), left as u64);
            assert_eq!((scene.reactor.stats().held, log.count("expired Stall")), (0, left));
            drop(flooding);
        },
    );
}

fn ask<P: selkey::Protocol>(scene: &mut Scene<P, DefaultBackend>, client: &mut TcpStream, bytes: &[u8]) {
    client.set_nonblocking(true).unwrap();
    client.write_all(bytes).unwrap();
    let mut back = Vec::new();
    while back.len() < bytes.len() {
        let mut piece = [0; 64];
        match client.read(&mut piece) {
            Ok(n) => back.extend_from_slice(&piece[..n]),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                scene.reactor.turn_at_once();
            }
        }
    }
    assert_eq!(back, bytes);
}

fn small(change: impl FnOnce(&mut Limits)) -> Scene<Framed, DefaultBackend> {
    scene(limits(change), || Framed::of(1 << 20))
}

#[test]
fn an_unfinished_message_above_the_limit_ends_the_connection() {
    let mut scene = small(|limits| limits.max_input = 1000);
    let (mut within, mut above) = (scene.client(), scene.client());
    within.write_all(&[7; 1000]).unwrap();
    above.write_all(&[7; 1001]).unwrap();
    scene.until("one is ended", |stats| stats.received == 2001 && stats.connections == 1);
    assert_eq!((scene.reactor.stats().overfull, scene.reactor.stats().requests), (1, 0));
    assert!(!matches!(above.read(&mut [0]), Ok(1..)), "it is told nothing");
    assert!(scene.reactor.stats().held >= 1000);
}

#[test]
fn an_error_of_a_limit_names_it_and_what_was_asked_for() {
    let log = Log::default();
    let told = log.clone();
    let mut scene = scene::<_, DefaultBackend>(limits(|limits| limits.max_input = 1000), move || {
        logged(&told, Framed::of(1 << 20))
    });
    let mut client = scene.client();
    client.write_all(&[7; 1500]).unwrap();
    scene.until("it is ended", |stats| stats.overfull == 1);
    let said = "failed QuotaExceeded: 1500 bytes of an unfinished message, the limit is 1000";
    assert!(log.lines().contains(&said.to_owned()), "{:?}", log.lines());
}

/// The mark is the protocol's business through `is_full` alone.
#[test]
fn the_high_water_mark_is_where_an_output_is_full() {
    let mut scene = scene::<_, DefaultBackend>(limits(|limits| limits.high_water = 1000), || {
        selkey::from_fn(|input, out| {
            out.write(&[7; 999]);
            assert!(!out.is_full());
            out.write(&[7; 1]);
            assert!(out.is_full());
            Flow::used(input.len())
        })
    });
    let mut client = scene.client();
    client.write_all(b"x").unwrap();
    scene.until("an answer", |stats| stats.requests == 1);
    assert_eq!(read(&mut client, 1000), [7; 1000]);
}
