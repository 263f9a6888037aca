//! Every server and client of the crate through a bad network, and one that cuts the connection anywhere: right bytes or a named error, and an end.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use selkey::apps::app::{self, Progress, Request, Search};
use selkey::apps::relay::Network;
use selkey::apps::{Transcript, echo, hello, multiconn};
use selkey::message::Message;
use selkey::socket::{Address, Listener, Options, listen};
use selkey::{Protocol, Reactor, Waker};

use super::streams::bad;
use super::support::{Bad, descriptors};
use crate::harness::{PATIENCE, alone, await_that};
use crate::reactor::support::Running;

/// A server of the crate, until it is dropped.
struct Served {
    address: SocketAddr,
    _running: Box<dyn std::any::Any>,
}

/// One that blocks, on a thread.
struct Blocking {
    stop: Waker,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Drop for Blocking {
    fn drop(&mut self) {
        self.stop.wake().unwrap();
        let thread = self.thread.take().unwrap();
        if !thread::panicking() {
            await_that("the server ends", || thread.is_finished());
            thread.join().unwrap().unwrap();
        }
    }
}

fn listener() -> (Listener, SocketAddr) {
    let listener = listen(&Address::from("127.0.0.1:0"), &Options::default()).unwrap();
    let address = listener.bound().unwrap();
    (listener, address)
}

fn blocking(serve: impl FnOnce(&Listener, &Waker) -> io::Result<()> + Send + 'static) -> Served {
    let (listener, address) = listener();
    let stop = Waker::new().unwrap();
    let until = stop.clone();
    let thread = Some(thread::spawn(move || serve(&listener, &until)));
    Served { address, _running: Box::new(Blocking { stop, thread }) }
}

fn on_loop<P: Protocol + 'static>(
    make: impl FnOnce() -> Box<dyn FnMut(&selkey::socket::Socket) -> P> + Send + 'static,
) -> Served {
    let (running, address) = Running::start(
        |reactor| {
            let mut make = make();
            ((), reactor.listen("127.0.0.1:0", move |socket| Box::new(make(socket)) as Box<dyn Protocol>).unwrap())
        },
        |mut reactor, ()| reactor.run().unwrap(),
    );
    Served { address, _running: Box::new(running) }
}

/// A server and its client, which says whether what came back is right.
struct Program {
    name: &'static str,
    serve: fn() -> Served,
    ask: fn(&Address) -> io::Result<()>,
}

const PROGRAMS: [Program; 4] = [
    Program {
        name: "echo",
        serve: || blocking(|listener, stop| echo::Server::default().serve(listener, stop)),
        ask: |address| echo::ask(address, &Options::default(), echo::MESSAGE, PATIENCE).map(drop),
    },
    Program {
        name: "hello",
        serve: || blocking(|listener, stop| hello::Server::default().serve(listener, stop)),
        ask: |address| {
            let names = ["Michael", "Tracy", "Sarah"];
            hello::tell(address, &Options::default(), &names, PATIENCE, &Transcript::silent())
        },
    },
    Program {
        name: "multiconn",
        serve: || on_loop(|| Box::new(|socket| multiconn::Echo::new(socket, &Transcript::silent()))),
        ask: |address| {
            let mut reactor: Reactor<Box<dyn Protocol>> = Reactor::new()?;
            let told = Transcript::silent();
            let tally = multiconn::start(&mut reactor, address, &Options::default(), None, 1, &told, |client| client)?;
            reactor.run()?;
            if let Some(error) = tally.borrow_mut().first_failure.take() {
                return Err(error);
            }
            assert_eq!(tally.borrow().bytes, 44);
            Ok(())
        },
    },
    Program {
        name: "app",
        serve: || {
            on_loop(|| {
                let search = Search::default();
                let service = move |request: &Message<'_>, reply: &mut app::Reply| search.answer(request, reply);
                let server = app::Server::new(service);
                Box::new(move |socket| server.accept(socket))
            })
        },
        ask: |address| {
            let progress = Progress::new(["morpheus", "ring"].map(|value| Request::new("search", value)));
            let lines = Arc::new(Mutex::new(Vec::new()));
            let told = lines.clone();
            let told = Transcript::new(move |line| told.lock().unwrap().push(line.to_string()));
            // A request on a connection that was kept and then lost is for another one.
            while !progress.borrow().requests.is_empty() {
                let mut reactor = Reactor::new()?;
                let client = app::Client::new(address.to_string(), true, &progress, &told);
                reactor.dial(address.clone(), client)?;
                reactor.run()?;
                if let Some(error) = progress.borrow_mut().failure.take() {
                    return Err(error);
                }
            }
            let lines = lines.lock().unwrap();
            for result in ["Follow the white rabbit. 🐰", "In the caves beneath the Misty Mountains. 💍"] {
                assert!(lines.contains(&format!("Got result: {result}")), "{lines:?}");
            }
            Ok(())
        },
    },
];

#[test]
fn every_program_gets_its_bytes_through_a_bad_network() {
    for Program { name, serve, ask } in PROGRAMS {
        let server = serve();
        let bad = Bad::before(server.address, bad());
        ask(&bad.address.into()).unwrap_or_else(|error| panic!("{name}: {error}"));
        await_that("it is closed", || bad.tally().open == 0);
        let tally = bad.tally();
        assert_eq!((tally.accepted, tally.reset, tally.held), (1, 0, 0), "{name}");
    }
}

/// The same with the first 200 positions of each direction as the place of the cut, in pieces of 64 bytes.
#[test]
fn a_cut_anywhere_is_a_named_error_or_the_end_and_leaves_nothing_open() {
    // Alone, since others open descriptors meanwhile.
    alone(concat!(module_path!(), "::a_cut_anywhere_is_a_named_error_or_the_end_and_leaves_nothing_open"), || {
        for Program { name, serve, ask } in PROGRAMS {
            let server = serve();
            let mut network = Network::from(bad());
            for rules in [&mut network.to_target, &mut network.to_client] {
                (rules.delay, rules.jitter) = Default::default();
            }
            let bad = Bad::before(server.address, network);
            let before = descriptors();
            ask(&bad.address.into()).unwrap();
            await_that("all is closed", || bad.tally().open == 0 && descriptors() == before);
            let whole = bad.tally();
            for (at, back) in (0..200).flat_map(|at| [(at, false), (at, true)]) {
                bad.control.change(|network| {
                    network.to_target.reset_after = Some(at).filter(|_| !back);
                    network.to_client.reset_after = Some(at).filter(|_| back);
                });
                let outcome = ask(&bad.address.into());
                let all = if back { whole.to_client } else { whole.to_target };
                match outcome {
                    Ok(()) => assert!(at > 0, "{name}: no byte passed, but all came"),
                    Err(error) => {
                        let (kind, what) = (error.kind(), error.to_string());
                        assert!(at <= all, "{name}, cut after {at} bytes of {all}: {what}");
                        assert!(kind != io::ErrorKind::TimedOut && !what.is_empty(), "{name}, {at}: {kind:?}, {what}");
                    }
                }
            }
            await_that("all is closed", || bad.tally().open == 0 && descriptors() == before);
        }
    });
}
