//! Deadlines: which one, since when, and what prolongs it.

use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use selkey::backend::{Backend, DefaultBackend, Poll, Select};
use selkey::socket::Socket;
use selkey::{Deadline, Flow, Limits, Reactor, from_fn};

use super::support::{Framed, Passed, Scene, drip, in_time, limits, ms, scene};
use crate::harness::alone;
use crate::reactor::support::{read, read_all, turning};

fn framed<B: Backend>(limits: Limits, framed: Framed) -> (Scene<Framed, B>, Passed) {
    let passed = framed.passed.clone();
    (scene(limits, move || framed.clone()), passed)
}

fn a_silent_one_ends<B: Backend>() {
    in_time(ms(300), || {
        let (mut scene, passed) = framed::<B>(limits(|limits| limits.header_timeout = ms(300)), Framed::of(10));
        let before = Instant::now();
        let mut client = scene.client();
        let after = Instant::now();
        let (what, at) = scene.expire(&passed, 1);
        assert_eq!(what, Deadline::Open);
        assert_eq!(read_all(&mut client), b"");
        (before, after, at)
    });
}

fn an_idle_one_ends<B: Backend>() {
    in_time(ms(300), || {
        let (mut scene, passed) = framed::<B>(limits(|limits| limits.idle_timeout = ms(300)), Framed::of(10));
        let mut client = scene.client();
        let before = Instant::now();
        scene.ask(&mut client, b"0123456789");
        let after = Instant::now();
        let (what, at) = scene.expire(&passed, 1);
        assert_eq!(what, Deadline::Idle);
        assert_eq!(read_all(&mut client), b"");
        (before, after, at)
    });
}

#[test]
fn a_silent_accepted_connection_ends_at_the_open_deadline() {
    a_silent_one_ends::<DefaultBackend>();
}

#[test]
fn a_silent_accepted_connection_ends_at_the_open_deadline_over_poll() {
    a_silent_one_ends::<Poll>();
}

#[test]
fn a_silent_accepted_connection_ends_at_the_open_deadline_over_select() {
    let path = concat!(module_path!(), "::a_silent_accepted_connection_ends_at_the_open_deadline_over_select");
    alone(path, a_silent_one_ends::<Select>);
}

#[test]
fn an_idle_connection_ends_at_its_deadline() {
    an_idle_one_ends::<DefaultBackend>();
}

#[test]
fn an_idle_connection_ends_at_its_deadline_over_poll() {
    an_idle_one_ends::<Poll>();
}

#[test]
fn an_idle_connection_ends_at_its_deadline_over_select() {
    let path = concat!(module_path!(), "::an_idle_connection_ends_at_its_deadline_over_select");
    alone(path, an_idle_one_ends::<Select>);
}

/// A round in which the machine stood still for longer than the deadline proves nothing.
#[test]
fn each_whole_message_rearms_the_idle_deadline() {
    for _ in 0..5 {
        let (mut scene, passed) =
            framed::<DefaultBackend>(limits(|limits| limits.idle_timeout = ms(1000)), Framed::of(10));
        let mut client = scene.client();
        scene.ask(&mut client, b"0123456789");
        scene.pass(ms(400));
        let before = Instant::now();
        client.write_all(b"0123456789").unwrap();
        scene.until("an answer", |stats| stats.requests == 2 || stats.expired(Deadline::Idle) == 1);
        if passed.all().is_empty() {
            let (what, at) = scene.expire(&passed, 1);
            assert_eq!(what, Deadline::Idle);
            assert!(at - before >= ms(1000), "{:?}", at - before);
            return;
        }
    }
    panic!("not one round in time");
}

/// One byte every few seconds for ever (slowloris), with one connection.
#[test]
fn bytes_of_a_first_message_do_not_prolong_its_deadline() {
    in_time(ms(900), || {
        let limits = limits(|limits| (limits.header_timeout, limits.idle_timeout) = (ms(900), ms(100)));
        let (mut scene, passed) = framed::<DefaultBackend>(limits, Framed { eager: true, ..Framed::of(10_000) });
        let before = Instant::now();
        let client = scene.client();
        let after = Instant::now();
        // It counts from the accept, not from the first byte.
        scene.pass(ms(600));
        let dripping = drip(&client, ms(20));
        let (what, at) = scene.expire(&passed, 1);
        assert_eq!(what, Deadline::Message);
        drop(scene);
        dripping.join().unwrap();
        (before, after, at)
    });
}

#[test]
fn a_later_message_is_due_from_its_first_byte() {
    in_time(ms(300), || {
        let limits = limits(|limits| (limits.header_timeout, limits.idle_timeout) = (ms(300), ms(30_000)));
        let (mut scene, passed) = framed::<DefaultBackend>(limits, Framed::of(10));
        let mut client = scene.client();
        scene.ask(&mut client, b"0123456789");
        // Silence between messages is none of the header's time.
        scene.pass(ms(500));
        assert!(passed.all().is_empty());
        let before = Instant::now();
        let dripping = drip(&client, ms(60));
        let after = Instant::now();
        let (what, at) = scene.expire(&passed, 1);
        assert_eq!(what, Deadline::Message);
        drop(scene);
        dripping.join().unwrap();
        (before, after, at)
    });
}

/// However often the protocol says that the header is whole: from the first time on.
#[test]
fn a_content_has_its_own_deadline_and_no_byte_prolongs_it() {
    in_time(ms(700), || {
        let limits = limits(|limits| limits.message_timeout = ms(700));
        let content = Framed { eager: true, header: 4, ..Framed::of(10_000) };
        let (mut scene, passed) = framed::<DefaultBackend>(limits, content);
        let mut client = scene.client();
        let before = Instant::now();
        client.write_all(b"head").unwrap();
        scene.until("the header", |stats| stats.received == 4);
        let after = Instant::now();
        let dripping = drip(&client, ms(20));
        let (what, at) = scene.expire(&passed, 1);
        assert_eq!(what, Deadline::Message);
        drop(scene);
        dripping.join().unwrap();
        (before, after, at)
    });
}

#[test]
fn a_long_message_has_a_second_more_for_each_min_rate_bytes() {
    in_time(ms(1200), || {
        let limits = limits(|limits| (limits.header_timeout, limits.min_rate) = (ms(200), 5000));
        let (mut scene, passed) = framed::<DefaultBackend>(limits, Framed::of(5000));
        let before = Instant::now();
        let mut client = scene.client();
        let after = Instant::now();
        client.write_all(b"x").unwrap();
        let (what, at) = scene.expire(&passed, 1);
        assert_eq!(what, Deadline::Message);
        (before, after, at)
    });
}

/// What was said about one message is forgotten with it, also where its answer could not be sent.
#[test]
fn a_whole_header_is_no_other_connections() {
    let mut reactor = Reactor::new().unwrap();
    reactor.set_limits(limits(|limits| limits.message_timeout = Duration::MAX));
    let mut answers = false;
    let make = move |socket: &Socket| {
        answers = !answers;
        if answers {
            // So that the answer fails.
            socket.shutdown(Shutdown::Write).unwrap();
        }
        from_fn(move |input, out| {
            if !answers {
                return Flow::MORE;
            }
            out.header_done();
            out.lend(input);
            Flow::used(input.len())
        })
    };
    let address = reactor.listen("127.0.0.1:0", make).unwrap();
    let mut scene = Scene { reactor: turning(reactor), address };
    let (mut first, mut second) = (scene.client(), scene.client());
    first.write_all(b"answered").unwrap();
    scene.until("the answer fails", |stats| stats.reset == 1);
    second.write_all(b"unfinished").unwrap();
    scene.until("it is there", |stats| stats.received == 18);
    scene
        .reactor
        .set_limits(limits(|limits| (limits.header_timeout, limits.message_timeout) = (ms(100), Duration::MAX)));
    scene.until("the deadline of its header", |stats| stats.expired(Deadline::Message) == 1);
}

fn twice() -> (Scene<Framed, DefaultBackend>, Passed) {
    framed(Limits::default(), Framed { once_more: 1, ..Framed::of(10) })
}

/// Limits may change at any time, also for connections that are there.
fn passes_twice(what: Deadline, limits: Limits, (mut scene, passed): (Scene<Framed, DefaultBackend>, Passed)) {
    scene.reactor.set_limits(limits);
    let (_, first) = scene.expire(&passed, 1);
    let (_, second) = scene.expire(&passed, 2);
    assert!(second - first >= ms(300), "{:?}", second - first);
    assert_eq!(passed.all().iter().map(|(what, _)| *what).collect::<Vec<_>>(), [what; 2]);
    assert_eq!(scene.reactor.stats().expired(what), 2);
}

#[test]
fn an_open_deadline_answered_by_more_gives_the_same_time_once_more() {
    let (mut scene, passed) = twice();
    let _client = scene.client();
    passes_twice(Deadline::Open, limits(|limits| limits.header_timeout = ms(300)), (scene, passed));
}

#[test]
fn an_idle_deadline_answered_by_more_gives_the_same_time_once_more() {
    let (mut scene, passed) = twice();
    let mut client = scene.client();
    scene.ask(&mut client, b"0123456789");
    passes_twice(Deadline::Idle, limits(|limits| limits.idle_timeout = ms(300)), (scene, passed));
}

#[test]
fn a_message_deadline_answered_by_more_gives_the_same_time_once_more() {
    let (mut scene, passed) = twice();
    let mut client = scene.client();
    client.write_all(b"part").unwrap();
    scene.until("a part", |stats| stats.received == 4);
    passes_twice(Deadline::Message, limits(|limits| limits.header_timeout = ms(300)), (scene, passed));
}

fn all_times(time: Duration) -> Limits {
    limits(|limits| {
        (limits.header_timeout, limits.message_timeout, limits.min_rate) = (time, time, usize::MAX);
        (limits.idle_timeout, limits.write_timeout) = (time, time);
    })
}

/// Silent, in a message, between messages: nothing of it ends. Ticks are seen to pass by one that does end.
#[test]
fn an_adopted_connection_has_no_deadlines() {
    let (mut scene, passed) = framed::<DefaultBackend>(all_times(ms(100)), Framed::of(10));
    let adopted = Framed::of(10);
    let [_silent, partial, mut idle] = [0; 3].map(|_| {
        let (ours, theirs) = UnixStream::pair().unwrap();
        scene.reactor.adopt(ours, adopted.clone()).unwrap();
        theirs
    });
    (&partial).write_all(b"part").unwrap();
    idle.write_all(b"0123456789").unwrap();
    let _accepted = scene.client();
    scene.expire(&passed, 1);
    scene.pass(ms(500));
    assert!(adopted.passed.all().is_empty());
    idle.write_all(b"0123456789").unwrap();
    scene.until("an answer", |stats| stats.requests == 2);
    assert_eq!(read(&mut idle, 20), b"01234567890123456789");
    assert_eq!((scene.reactor.stats().accepted, scene.reactor.stats().requests), (1, 2));
}

#[test]
fn the_longest_time_never_passes() {
    let (mut scene, passed) = framed::<DefaultBackend>(all_times(Duration::MAX), Framed::of(10));
    let (_silent, mut partial, mut idle) = (scene.client(), scene.client(), scene.client());
    partial.write_all(b"part").unwrap();
    scene.ask(&mut idle, b"0123456789");
    scene.pass(ms(700));
    assert!(passed.all().is_empty());
    assert_eq!(scene.reactor.stats().connections, 3);
}
