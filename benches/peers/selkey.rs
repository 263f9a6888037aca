//! selkey: the ten-line echo on the loop.

use std::net::TcpListener;

use selkey::{Flow, Reactor, from_fn};

pub fn serve(listener: TcpListener) {
    let mut reactor = Reactor::new().unwrap();
    let echo = |_: &_| {
        from_fn(|input, out| {
            out.lend(input);
            Flow::used(input.len())
        })
    };
    reactor.serve(listener, echo).unwrap();
    reactor.run().unwrap();
}
