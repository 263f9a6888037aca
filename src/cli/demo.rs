//! `demo`: the multi-connection echo, both ends on one loop, with the transcripts of both.

use std::io;

use selkey::apps::multiconn;
use selkey::socket::Options;
use selkey::{Protocol, Reactor};

use super::output::{say, transcript};

const CONNECTIONS: usize = 3;

pub fn run() -> io::Result<()> {
    let mut reactor: Reactor<Box<dyn Protocol>> = Reactor::new()?;
    let server = transcript("server  ", false);
    let address = reactor
        .listen(("127.0.0.1", 0), move |socket| Box::new(multiconn::Echo::new(socket, &server)) as Box<dyn Protocol>)?;
    say(format_args!("server  Listening on {address}"));
    let client = transcript("client  ", false);
    let tally =
        multiconn::start(&mut reactor, &address.into(), &Options::default(), None, CONNECTIONS, &client, |client| {
            client
        })?;
    while tally.borrow().open > 0 {
        reactor.turn()?;
    }
    // The server's side of a connection ends with the client's.
    reactor.handle().drain();
    reactor.run()?;

    let tally = tally.take();
    if let Some(error) = tally.first_failure {
        return Err(error);
    }
    say(format_args!("\nEvery byte came back: {} on {} connections.", tally.bytes, tally.done));
    Ok(())
}
