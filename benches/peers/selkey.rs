//! selkey: the ten-line echo on the loop.

use std::net::TcpListener;

use selkey::socket::Socket;
use selkey::{Flow, Reactor, from_fn};

pub fn serve(listener: TcpListener) {
    let listener = Socket::from(listener);
    // What `Reactor::listen` does for its own; connections inherit it.
    listener.set_tcp_nodelay(true).unwrap();
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
