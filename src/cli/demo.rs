//! `demo`: every server with a client of it in one process, with the transcripts of both; and a short measurement.

use std::io;
use std::os::fd::AsFd;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use selkey::apps::app::{self, Progress, Request, Search};
use selkey::apps::{Transcript, echo, hello, multiconn, udp};
use selkey::load::{Echo, Plan, Session};
use selkey::message::Message;
use selkey::socket::{Address, Options, Socket, bind_datagram, listen, local_name};
use selkey::{Flow, Protocol, Reactor, Waker, from_fn, python};

use super::output::{say, transcript};

const CONNECTIONS: usize = 3;

/// For all that one client does.
const TIMEOUT: Duration = Duration::from_secs(10);

const MEASURED: Duration = Duration::from_millis(300);

type Part = fn() -> io::Result<()>;

pub fn run() -> io::Result<()> {
    let parts: [(&str, Part); 6] = [
        ("multiconn-server, multiconn-client: any number of connections on one thread", multi_connection),
        ("echo-server, echo-client: blocking, one connection at a time", blocking_echo),
        ("hello-server, hello-client: a thread for each connection", greeting),
        ("app-server, app-client: messages with a JSON header", application),
        ("udp-server, udp-client: datagrams", datagrams),
        ("bench echo: a short measurement, every echo checked", measurement),
    ];
    for (heading, show) in parts {
        say(format_args!("== {heading}"));
        show()?;
        say(format_args!(""));
    }
    Ok(())
}

fn server() -> Transcript {
    transcript("server  ", false)
}

fn client() -> Transcript {
    transcript("client  ", false)
}

fn multi_connection() -> io::Result<()> {
    let tally = on_loop(
        |told| move |socket: &Socket| Box::new(multiconn::Echo::new(socket, &told)) as Box<dyn Protocol>,
        |reactor, address| {
            let tally =
                multiconn::start(reactor, address, &Options::default(), None, CONNECTIONS, &client(), |client| client)?;
            while tally.borrow().open > 0 {
                reactor.turn()?;
            }
            Ok(tally.take())
        },
    )?;
    if let Some(error) = tally.first_failure {
        return Err(error);
    }
    say(format_args!("Every byte came back: {} on {} connections.", tally.bytes, tally.done));
    Ok(())
}

fn application() -> io::Result<()> {
    let search = Search::default();
    on_loop(
        |told| {
            let service = move |request: &Message<'_>, reply: &mut app::Reply| search.answer(request, reply);
            let server = app::Server::told(service, 1 << 20, told);
            move |socket: &Socket| Box::new(server.accept(socket)) as Box<dyn Protocol>
        },
        |reactor, address| {
            for request in [Request::new("search", "morpheus"), Request::new("test", "qwertyuiopa")] {
                let progress = Progress::new([request]);
                let asking = app::Client::new(address.to_string(), false, &progress, &client());
                reactor.dial(address.clone(), Box::new(asking))?;
                while !progress.borrow().over {
                    reactor.turn()?;
                }
                if let Some(error) = progress.borrow_mut().failure.take() {
                    return Err(error);
                }
            }
            Ok(())
        },
    )
}

/// A server and its clients on one loop, until both are done.
fn on_loop<M, T>(
    maker: impl FnOnce(Transcript) -> M,
    clients: impl FnOnce(&mut Reactor<Box<dyn Protocol>>, &Address) -> io::Result<T>,
) -> io::Result<T>
where
    M: FnMut(&Socket) -> Box<dyn Protocol> + 'static,
{
    let mut reactor: Reactor<Box<dyn Protocol>> = Reactor::new()?;
    let address = reactor.listen(("127.0.0.1", 0), maker(server()))?;
    say(format_args!("server  Listening on {address}"));
    let outcome = clients(&mut reactor, &address.into())?;
    // The server's side of a connection ends with the client's.
    reactor.handle().drain();
    reactor.run()?;
    Ok(outcome)
}

fn blocking_echo() -> io::Result<()> {
    let server = echo::Server { once: Some(1), transcript: server(), ..echo::Server::default() };
    beside(
        |listener, stop| server.serve(listener, stop),
        |address| {
            let back = echo::ask(address, &Options::default(), echo::MESSAGE, TIMEOUT)?;
            client().say(format_args!("Received {}", python(&back)));
            Ok(())
        },
    )
}

fn greeting() -> io::Result<()> {
    let server = hello::Server { once: Some(1), transcript: server(), ..hello::Server::default() };
    beside(
        |listener, stop| server.serve(listener, stop),
        |address| hello::tell(address, &Options::default(), &hello::NAMES, TIMEOUT, &client()),
    )
}

/// A blocking server on a thread of its own, and a client here.
fn beside(
    serve: impl FnOnce(&Socket, &Waker) -> io::Result<()> + Send,
    ask: impl FnOnce(&Address) -> io::Result<()>,
) -> io::Result<()> {
    let listener = listen(&("127.0.0.1", 0).into(), &Options::default())?;
    let stop = Waker::new()?;
    say(format_args!("server  Listening on {}", local_name(&listener)));
    thread::scope(|scope| {
        let serving = scope.spawn(|| serve(&listener, &stop));
        let outcome = ask(&local_name(&listener).as_str().into());
        if outcome.is_err() {
            // Or the server would wait for its one client for ever.
            stop.wake()?;
        }
        outcome.and(joined(serving.join()))
    })
}

fn datagrams() -> io::Result<()> {
    let socket = bind_datagram(&("127.0.0.1", 0).into(), &Options::default())?;
    let address = local_name(&socket);
    say(format_args!("server  Listening on {address}"));
    let stop = Waker::new()?;
    thread::scope(|scope| {
        let serving = scope.spawn(|| {
            let mut serving = udp::Server::new(socket, &server())?;
            serving.watch(stop.as_fd().try_clone_to_owned()?)?;
            serving.run().map(drop)
        });
        let asked = ["Hello, world", ""];
        let outcome =
            udp::exchange(&address.as_str().into(), &Options::default(), &asked, udp::Patience::default(), &client());
        stop.wake()?;
        outcome.and(joined(serving.join()))
    })
}

/// A loop that echoes on a thread, and one that asks here.
fn measurement() -> io::Result<()> {
    let listener = listen(&("127.0.0.1", 0).into(), &Options::default())?;
    let mut plan = Plan::new(local_name(&listener).as_str());
    (plan.connections, plan.most) = (CONNECTIONS, TIMEOUT);
    let (tell, told) = channel();
    thread::scope(|scope| {
        let serving = scope.spawn(move || {
            let mut reactor = Reactor::new()?;
            reactor.serve(listener, |_| {
                from_fn(|input, out| {
                    out.lend(input);
                    Flow::used(input.len())
                })
            })?;
            let _ = tell.send(reactor.handle());
            reactor.run()
        });
        let tally = Session::open(&plan, Echo::new(64)).and_then(|mut session| session.slice(MEASURED));
        if let Ok(handle) = told.recv() {
            handle.stop();
        }
        joined(serving.join())?;
        let tally = tally?;
        if let Some((_, _, first)) = tally.errors.iter().next() {
            return Err(io::Error::other(first));
        }
        let (rate, times) = (tally.rate(), &tally.latency);
        let [median, late] = [0.5, 0.99].map(|part| times.quantile(part));
        say(format_args!(
            "{CONNECTIONS} connections: {rate:.0} messages/s, half of them back in {median:.1?}, 99 % in {late:.1?}"
        ));
        Ok(())
    })
}

fn joined(outcome: thread::Result<io::Result<()>>) -> io::Result<()> {
    outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
