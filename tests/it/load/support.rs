//! Servers on threads of their own.

use std::net::SocketAddr;
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};

use selkey::load::{Echo, Plan, Session};
use selkey::{Flow, Handle, Out, Protocol, Reactor};

use crate::harness::PATIENCE;

/// A loop on a thread. It ends when this is dropped.
pub struct Server {
    pub address: SocketAddr,
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// `make` makes the protocol of the connection of this number, counted from 0.
    pub fn start<P: Protocol + 'static>(mut make: impl FnMut(usize) -> P + Send + 'static) -> Server {
        let (send, receive) = channel();
        let thread = thread::spawn(move || {
            let mut reactor = Reactor::new().unwrap();
            let mut number = 0;
            let make = move |_: &selkey::socket::Socket| {
                number += 1;
                make(number - 1)
            };
            send.send((reactor.listen("127.0.0.1:0", make).unwrap(), reactor.handle())).unwrap();
            reactor.run().unwrap();
        });
        let (address, handle) = receive.recv_timeout(PATIENCE).unwrap();
        Server { address, handle, thread: Some(thread) }
    }

    pub fn echo() -> Server {
        Server::start(|_| selkey::from_fn(echo))
    }

    /// What is asked of it, with a limit.
    pub fn plan(&self) -> Plan {
        let mut plan = Plan::new(self.address);
        plan.most = PATIENCE;
        plan
    }

    pub fn session(&self, connections: usize, in_flight: usize, size: usize) -> Session<Echo> {
        let mut plan = self.plan();
        (plan.connections, plan.in_flight) = (connections, in_flight);
        Session::open(&plan, Echo::new(size)).unwrap()
    }
}

pub fn echo<'i>(input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
    out.lend(input);
    Flow::used(input.len())
}

impl Drop for Server {
    fn drop(&mut self) {
        self.handle.stop();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !thread::panicking()
        {
            panic!("the server panicked");
        }
    }
}
