//! A loop that is held up, by a protocol that computes for long: its own delay is never the peer's.

use std::cell::Cell;
use std::io::Write;
use std::net::TcpStream;
use std::rc::Rc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use selkey::backend::DefaultBackend;
use selkey::{Deadline, Flow, Out, Protocol};

use super::support::{Passed, limits, ms, scene};
use crate::reactor::support::read;

/// Takes its time for an answer, several ticks.
struct Slow {
    passed: Passed,
    answered: Rc<Cell<Instant>>,
    /// Says something meanwhile.
    other: Rc<Cell<Option<TcpStream>>>,
}

const TIME: Duration = ms(300);

impl Protocol for Slow {
    fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
        if input == b"compute" {
            sleep(TIME / 2);
            if let Some(mut other) = self.other.take() {
                other.write_all(b"I am here").unwrap();
            }
            sleep(TIME);
            self.answered.set(Instant::now());
        }
        out.lend(input);
        Flow::used(input.len())
    }
    fn expired(&mut self, what: Deadline, _out: &mut Out<'_, '_>) -> Flow {
        self.passed.add(what);
        Flow::Close
    }
}

#[test]
fn silence_counts_from_an_answer_that_took_long() {
    let (passed, answered) = (Passed::default(), Rc::new(Cell::new(Instant::now())));
    let (told, at) = (passed.clone(), answered.clone());
    let make = move || Slow { passed: told.clone(), answered: at.clone(), other: Rc::default() };
    let mut scene = scene::<_, DefaultBackend>(limits(|limits| limits.idle_timeout = TIME), make);
    let mut client = scene.client();
    client.write_all(b"compute").unwrap();
    let (what, at) = scene.expire(&passed, 1);
    assert_eq!(what, Deadline::Idle);
    let after = at - answered.get();
    assert!(after >= TIME, "{after:?}");
    assert_eq!(read(&mut client, 7), b"compute");
}

/// It lies there when the loop looks again, and so does the tick that would end the connection.
#[test]
fn what_came_while_the_loop_was_held_up_came_in_time() {
    let (passed, answered, other) = (Passed::default(), Rc::new(Cell::new(Instant::now())), Rc::new(Cell::new(None)));
    let (told, at, speaks) = (passed.clone(), answered.clone(), other.clone());
    let make = move || Slow { passed: told.clone(), answered: at.clone(), other: speaks.clone() };
    let mut scene = scene::<_, DefaultBackend>(limits(|_| {}), make);
    let (mut first, mut second) = (scene.client(), scene.client());
    scene.ask(&mut second, b"hello");
    other.set(Some(second.try_clone().unwrap()));
    first.write_all(b"compute").unwrap();
    let before = Instant::now();
    scene.reactor.set_limits(limits(|limits| limits.idle_timeout = TIME));
    scene.until("both are answered, or not", |stats| stats.requests == 3 || stats.expired(Deadline::Idle) > 0);
    // Elsewhere the machine may have been held up; then this proves nothing.
    if answered.get() - before < TIME * 2 {
        assert!(passed.all().is_empty());
        assert_eq!(read(&mut second, 9), b"I am here");
    }
}
