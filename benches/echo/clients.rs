//! Who talks to a server: one thread, which blocks. What it costs is not measured.

use std::io::{Read, Write};
use std::net::TcpStream;

/// What is done with a server, again and again.
#[derive(Clone, Copy)]
pub enum Load {
    /// On every connection a window of messages in flight: all are sent, then all come back.
    Exchange { connections: usize, size: usize, in_flight: usize },
    /// Connect, one message of this size there and back, close.
    Connect { size: usize },
}

impl Load {
    /// Connects, and answers what does it once more; each call answers how many messages or connections that was.
    pub fn start(self, port: u16) -> Box<dyn FnMut() -> usize> {
        let connect = move || {
            let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            stream.set_nodelay(true).unwrap();
            stream
        };
        match self {
            Load::Exchange { connections, size, in_flight } => {
                let mut streams: Vec<TcpStream> = (0..connections).map(|_| connect()).collect();
                // What lies in a window is one write, as of a client that has much to say.
                let mut window = Window::new(size * in_flight);
                Box::new(move || {
                    streams.iter_mut().for_each(|stream| window.send(stream));
                    streams.iter_mut().for_each(|stream| window.receive(stream));
                    connections * in_flight
                })
            }
            Load::Connect { size } => {
                let mut window = Window::new(size);
                Box::new(move || {
                    let mut stream = connect();
                    window.send(&mut stream);
                    window.receive(&mut stream);
                    1
                })
            }
        }
    }
}

struct Window {
    sent: Vec<u8>,
    received: Vec<u8>,
}

impl Window {
    fn new(size: usize) -> Window {
        Window { sent: vec![b'm'; size], received: vec![0; size] }
    }

    fn send(&self, stream: &mut TcpStream) {
        stream.write_all(&self.sent).unwrap();
    }

    fn receive(&mut self, stream: &mut TcpStream) {
        self.received.fill(0);
        stream.read_exact(&mut self.received).unwrap();
        assert!(self.received == self.sent);
    }
}
