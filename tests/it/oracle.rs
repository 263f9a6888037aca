//! The selectors against Python's own: the same random operations on sockets in the same state, and the same answers.

mod sockets;

use std::collections::VecDeque;
use std::env;
use std::fmt::{self, Display};
use std::io::{BufRead, BufReader, Write};
use std::os::fd::RawFd;
use std::process::{ChildStdin, ChildStdout, Stdio};
use std::time::Duration;

use selkey::backend::{Backend, Epoll, Poll, Select};
use selkey::{ErrorKind, Events, Key, Selector};

use crate::harness::{Watched, alone, python3};
use sockets::Sockets;

/// What is watched are the numbers from here on, on both sides. Everything else that is open lies below, so nobody else takes one that was closed.
const FIRST: RawFd = 200;
const PLACES: usize = 6;
const STEPS: usize = 1_500;
const SEEDS: [u64; 6] = [1, 2, 3, 0x5eed, 0xfeed_f00d, 0x9e37_79b9_7f4a_7c15];

#[test]
fn epoll_answers_as_python_does() {
    alone(concat!(module_path!(), "::epoll_answers_as_python_does"), || compare::<Epoll>("EpollSelector"));
}

#[test]
fn poll_answers_as_python_does() {
    alone(concat!(module_path!(), "::poll_answers_as_python_does"), || compare::<Poll>("PollSelector"));
}

#[test]
fn select_answers_as_python_does() {
    alone(concat!(module_path!(), "::select_answers_as_python_does"), || compare::<Select>("SelectSelector"));
}

/// One line of the script's input; the names are its functions'.
#[derive(Clone, Copy)]
pub enum Step {
    /// A new selector on both sides.
    Restart,
    Register(usize, u8),
    Modify(usize, u8),
    Unregister(usize),
    Select,
    /// A new pair at this place, TCP or Unix. What was there is replaced at the same number, also where it is registered.
    New(usize, bool),
    /// Closed although it may be registered.
    Close(usize),
    /// Our end or the peer's (0 or 1), for receiving or sending (0 or 1).
    Shut(usize, usize, usize),
    /// With or without a reset.
    PeerClose(usize, bool),
    PeerWrite(usize, usize),
    ReadAll(usize),
    /// Until a send would block; or until it fails, where the peer will answer data with a reset.
    Fill(usize, bool),
    /// The peer reads until nothing is under way to it.
    Drain(usize),
}

impl Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Step::Restart => f.write_str("restart"),
            Step::Register(i, mask) => write!(f, "register {i} {mask}"),
            Step::Modify(i, mask) => write!(f, "modify {i} {mask}"),
            Step::Unregister(i) => write!(f, "unregister {i}"),
            Step::Select => f.write_str("select"),
            Step::New(i, tcp) => write!(f, "new {i} {}", u8::from(tcp)),
            Step::Close(i) => write!(f, "close {i}"),
            Step::Shut(i, end, how) => write!(f, "shut {i} {end} {how}"),
            Step::PeerClose(i, reset) => write!(f, "peer_close {i} {}", u8::from(reset)),
            Step::PeerWrite(i, n) => write!(f, "peer_write {i} {n}"),
            Step::ReadAll(i) => write!(f, "read_all {i}"),
            Step::Fill(i, rejected) => write!(f, "fill {i} {}", u8::from(rejected)),
            Step::Drain(i) => write!(f, "drain {i}"),
        }
    }
}

/// What must be known of a pair to choose steps that have one outcome only.
#[derive(Clone, Copy, Default)]
struct Pair {
    tcp: bool,
    ours: bool,
    peer: bool,
    /// By direction, receiving first.
    peer_shut: [bool; 2],
}

/// xorshift64*; the seed tells the whole run.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

fn next_step(random: &mut Random, pairs: &mut [Pair; PLACES]) -> Step {
    loop {
        let i = random.below(PLACES);
        let pair = &mut pairs[i];
        let step = match random.below(100) {
            // What was closed is soon replaced: under select(2) nothing else is seen until then.
            choice if (65..68).contains(&choice) || choice >= 86 && !pair.ours => {
                *pair = Pair { tcp: random.below(2) == 1, ours: true, peer: true, ..Pair::default() };
                Step::New(i, pair.tcp)
            }
            0..32 => Step::Select,
            32..45 => Step::Register(i, random.pick(&[1, 2, 3, 1, 2, 3, 1, 2, 3, 0, 4, 5, 7, 128])),
            // Never empty: here that is a pause, while Python's epoll and poll go on to report hang-ups and its `SelectSelector` raises. Nor
            // unknown: here that is refused, while Python's epoll and poll take it for empty.
            45..57 => Step::Modify(i, random.pick(&[1, 2, 3])),
            57..63 => Step::Unregister(i),
            63..65 if pair.ours => {
                pair.ours = false;
                Step::Close(i)
            }
            68..72 if pair.ours => Step::Shut(i, 0, random.below(2)),
            72..75 if pair.peer => {
                let how = random.below(2);
                // A TCP peer with both directions shut answers with a reset, at a moment that a timer chooses where data was held up.
                if pair.tcp && pair.peer_shut[1 - how] {
                    continue;
                }
                pair.peer_shut[how] = true;
                Step::Shut(i, 1, how)
            }
            75..78 if pair.peer => {
                pair.peer = false;
                Step::PeerClose(i, random.below(2) == 1)
            }
            78..86 if pair.peer => Step::PeerWrite(i, random.pick(&[1, 100, 500])),
            86..91 if pair.ours => Step::ReadAll(i),
            91..96 if pair.ours => Step::Fill(i, pair.tcp && !pair.peer),
            96..100 if pair.peer => Step::Drain(i),
            _ => continue,
        };
        return step;
    }
}

struct Python {
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Python {
    fn ask(&mut self, step: Step) {
        writeln!(self.to, "{step}").unwrap();
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

struct Ours<B> {
    selector: Selector<Watched, (), B>,
    /// The key given last, also after its end: a registration is looked up as Python does, by the number, and an old key must miss.
    last: [Option<Key>; PLACES],
    sockets: Sockets,
}

fn class(kind: ErrorKind) -> String {
    match kind {
        ErrorKind::InvalidEvents(_) => "ValueError".into(),
        ErrorKind::AlreadyRegistered(_) | ErrorKind::NotRegistered => "KeyError".into(),
        ErrorKind::Io(error) => format!("OSError {}", error.raw_os_error().unwrap()),
        other => panic!("{other}"),
    }
}

impl<B: Backend> Ours<B> {
    fn key(&self, i: usize) -> Option<Key> {
        self.selector.key_of(FIRST + i as RawFd).or(self.last[i])
    }

    fn answer(&mut self, step: Step) -> String {
        let outcome = match step {
            Step::Restart => {
                self.selector = Selector::new().unwrap();
                self.last = [None; PLACES];
                Ok(String::new())
            }
            Step::Register(i, mask) => {
                let registered = self.selector.register(Watched(FIRST + i as RawFd), Events::from_bits(mask), ());
                registered.map_err(|refused| refused.kind).map(|key| {
                    self.last[i] = Some(key);
                    String::new()
                })
            }
            Step::Modify(i, mask) => match self.key(i) {
                Some(key) => {
                    self.selector.modify(key, Events::from_bits(mask)).map(|()| String::new()).map_err(|e| e.kind)
                }
                None => Err(ErrorKind::NotRegistered),
            },
            Step::Unregister(i) => match self.key(i).and_then(|key| self.selector.unregister(key)) {
                Some(_) => Ok(String::new()),
                None => Err(ErrorKind::NotRegistered),
            },
            Step::Select => self.selector.select(Duration::ZERO).map_err(ErrorKind::Io).map(|ready| {
                let place = |key| self.selector.get_key(key).unwrap().fd() - FIRST;
                let mut ready: Vec<_> =
                    ready.into_iter().map(|(key, events)| format!(" {}:{}", place(key), events.bits())).collect();
                ready.sort();
                format!(" {} registered, ready:{}", self.selector.get_map().len(), ready.concat())
            }),
            other => {
                // What the system says about the sockets themselves is not compared.
                let _ = self.sockets.change(other);
                Ok(String::new())
            }
        };
        outcome.map_or_else(class, |found| format!("ok{found}"))
    }
}

fn compare<B: Backend>(kind: &str) {
    let Some(mut command) = python3() else { return };
    let script = include_str!("oracle.py");
    let child = command.args(["-c", script, kind]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = child.unwrap();
    let mut python = Python { to: child.stdin.take().unwrap(), from: BufReader::new(child.stdout.take().unwrap()) };
    let mut ours = Ours::<B> { selector: Selector::new().unwrap(), last: [None; PLACES], sockets: Sockets::new() };

    let chosen = env::var("SELKEY_TEST_SEED").ok().map(|seed| vec![seed.parse().expect("a number")]);
    for seed in chosen.unwrap_or(SEEDS.to_vec()) {
        let mut random = Random(seed);
        let mut pairs = [Pair { ours: true, peer: true, ..Pair::default() }; PLACES];
        let fresh = (0..PLACES).map(|i| {
            pairs[i].tcp = i % 2 == 1;
            Step::New(i, pairs[i].tcp)
        });
        let mut planned: VecDeque<Step> = [Step::Restart].into_iter().chain(fresh).collect();
        let mut before = VecDeque::new();
        for _ in 0..STEPS {
            let step = planned.pop_front().unwrap_or_else(|| next_step(&mut random, &mut pairs));
            python.ask(step);
            let (mine, pythons) = (ours.answer(step), python.answer());
            assert!(
                mine == pythons,
                "seed {seed}: `{step}`\n  here:   {mine}\n  Python: {pythons}\nafter\n{}",
                Vec::from(before).join("\n")
            );
            before.push_back(format!("  {step}: {mine}"));
            if before.len() > 60 {
                before.pop_front();
            }
        }
    }
    drop(python);
    assert!(child.wait().unwrap().success());
}
