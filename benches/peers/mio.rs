//! The `mio` crate: edge-triggered.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(usize::MAX);

struct Connection {
    stream: TcpStream,
    /// What the kernel refused.
    waiting: Vec<u8>,
}

pub fn serve(listener: TcpListener) {
    listener.set_nonblocking(true).unwrap();
    let mut listener = mio::net::TcpListener::from_std(listener);
    let mut poll = Poll::new().unwrap();
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE).unwrap();
    let (mut events, mut buffer) = (Events::with_capacity(1024), vec![0; 64 << 10]);
    let (mut connections, mut free) = (Vec::<Option<Connection>>::new(), Vec::new());
    loop {
        poll.poll(&mut events, None).unwrap();
        for event in &events {
            let Token(at) = event.token();
            if event.token() == LISTENER {
                while let Ok((mut stream, _)) = listener.accept() {
                    stream.set_nodelay(true).unwrap();
                    let at = free.pop().unwrap_or(connections.len());
                    poll.registry().register(&mut stream, Token(at), Interest::READABLE).unwrap();
                    if at == connections.len() {
                        connections.push(None);
                    }
                    connections[at] = Some(Connection { stream, waiting: Vec::new() });
                }
                continue;
            }
            let Some(connection) = &mut connections[at] else { continue };
            let wrote = !connection.waiting.is_empty();
            if !connection.advance(&mut buffer, event.is_read_closed()) {
                poll.registry().deregister(&mut connection.stream).unwrap();
                connections[at] = None;
                free.push(at);
                continue;
            }
            let writes = !connection.waiting.is_empty();
            if writes != wrote {
                let interest = if writes { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
                poll.registry().reregister(&mut connection.stream, Token(at), interest).unwrap();
            }
        }
    }
}

impl Connection {
    /// Until nothing more can be done now; answers whether the connection goes on.
    fn advance(&mut self, buffer: &mut [u8], ends: bool) -> bool {
        let Connection { stream, waiting } = self;
        loop {
            while !waiting.is_empty() {
                match stream.write(waiting) {
                    Ok(sent) => drop(waiting.drain(..sent)),
                    Err(error) => return error.kind() == ErrorKind::WouldBlock,
                }
            }
            match stream.read(buffer) {
                Ok(0) => return false,
                Ok(n) => {
                    let sent = stream.write(&buffer[..n]).unwrap_or(0);
                    waiting.extend_from_slice(&buffer[sent..n]);
                    // epoll(7): a short read has emptied the socket, and what comes later is another edge.
                    if sent == n && n < buffer.len() && !ends {
                        return true;
                    }
                }
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        }
    }
}
