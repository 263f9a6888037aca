//! The `polling` crate as it is, level-triggered.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};

use polling::{Event, Events, PollMode, Poller};

const LISTENER: usize = usize::MAX - 1;

/// A connection and what the kernel refused of its bytes.
type Connection = (TcpStream, Vec<u8>);

pub fn serve(listener: TcpListener) {
    listener.set_nonblocking(true).unwrap();
    let poller = Poller::new().unwrap();
    // SAFETY: the listener lives as long as the poller.
    unsafe { poller.add_with_mode(&listener, Event::readable(LISTENER), PollMode::Level).unwrap() };
    let (mut events, mut buffer) = (Events::new(), vec![0; 64 << 10]);
    let (mut connections, mut free) = (Vec::<Option<Connection>>::new(), Vec::new());
    loop {
        events.clear();
        poller.wait(&mut events, None).unwrap();
        for event in events.iter() {
            if event.key == LISTENER {
                while let Ok((stream, _)) = listener.accept() {
                    stream.set_nonblocking(true).unwrap();
                    stream.set_nodelay(true).unwrap();
                    let at = free.pop().unwrap_or(connections.len());
                    // SAFETY: `delete` is called before the stream is dropped.
                    unsafe { poller.add_with_mode(&stream, Event::readable(at), PollMode::Level).unwrap() };
                    if at == connections.len() {
                        connections.push(None);
                    }
                    connections[at] = Some((stream, Vec::new()));
                }
                continue;
            }
            let (stream, waiting) = connections[event.key].as_mut().unwrap();
            if event.writable {
                if let Ok(sent) = stream.write(waiting) {
                    waiting.drain(..sent);
                }
                if waiting.is_empty() {
                    poller.modify_with_mode(&*stream, Event::readable(event.key), PollMode::Level).unwrap();
                }
                continue;
            }
            match stream.read(&mut buffer) {
                Ok(0) => {}
                Ok(n) => {
                    let sent = stream.write(&buffer[..n]).unwrap_or(0);
                    if sent < n {
                        waiting.extend_from_slice(&buffer[sent..n]);
                        poller.modify_with_mode(&*stream, Event::writable(event.key), PollMode::Level).unwrap();
                    }
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Err(_) => {}
            }
            let (stream, _) = connections[event.key].take().unwrap();
            poller.delete(&stream).unwrap();
            free.push(event.key);
        }
    }
}
