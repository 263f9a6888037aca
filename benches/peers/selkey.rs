//! selkey: the ten-line echo on the loop, and its application server.

use std::net::TcpListener;

use selkey::apps::app::{Search, Server};
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

/// The application server that comes with the crate.
pub fn serve_app(listener: TcpListener) {
    let listener = Socket::from(listener);
    listener.set_tcp_nodelay(true).unwrap();
    let search = Search::default();
    let server = Server::new(move |request, reply| search.answer(request, reply));
    let mut reactor = Reactor::new().unwrap();
    reactor.serve(listener, move |socket| server.accept(socket)).unwrap();
    reactor.run().unwrap();
}
