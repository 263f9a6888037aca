//! A load generator with libc alone: epoll_wait, recv, send, and a memcmp of what came back. What ours is held against.

use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use libc::{EPOLL_CTL_ADD, EPOLLIN, c_int, c_void, epoll_event};

/// So many connections with so many messages of this size in flight on each.
pub struct Generator {
    epoll: c_int,
    streams: Vec<TcpStream>,
    in_flight: usize,
    /// How much of a message each connection has received.
    partial: Vec<usize>,
    message: Vec<u8>,
    /// As many messages as a receive can bring.
    back: Vec<u8>,
    expected: Vec<u8>,
}

impl Generator {
    /// Connects.
    pub fn open(port: u16, connections: usize, size: usize, in_flight: usize) -> Generator {
        let message = vec![b'm'; size];
        // SAFETY: the call takes no pointers.
        let epoll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        let streams: Vec<TcpStream> = (0..connections)
            .map(|number| {
                let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
                stream.set_nodelay(true).unwrap();
                let mut event = epoll_event { events: EPOLLIN as u32, u64: number as u64 };
                // SAFETY: `event` lives through the call.
                assert_eq!(unsafe { libc::epoll_ctl(epoll, EPOLL_CTL_ADD, stream.as_raw_fd(), &mut event) }, 0);
                stream
            })
            .collect();
        let room = size * in_flight;
        let (back, expected) = (vec![0; room], message.repeat(in_flight));
        Generator { epoll, streams, in_flight, partial: vec![0; connections], message, back, expected }
    }

    /// Sends a message for each that came back, for this long, and waits until all are back; answers how many that were.
    pub fn slice(&mut self, time: Duration) -> u64 {
        let (start, mut done) = (Instant::now(), 0);
        let mut under_way = self.streams.len() * self.in_flight;
        self.streams.iter().for_each(|stream| self.send(stream.as_raw_fd(), self.in_flight));
        let mut events = [epoll_event { events: 0, u64: 0 }; 1024];
        let size = self.message.len();
        while under_way > 0 {
            let goes_on = start.elapsed() < time;
            // SAFETY: the kernel fills in no more than the length named.
            let count = unsafe { libc::epoll_wait(self.epoll, events.as_mut_ptr(), events.len() as c_int, 100) };
            for event in &events[..count.max(0) as usize] {
                let at = event.u64 as usize;
                let fd = self.streams[at].as_raw_fd();
                // SAFETY: the buffer has room for as much as is asked for.
                let n = unsafe {
                    libc::recv(fd, self.back.as_mut_ptr() as *mut c_void, self.back.len(), libc::MSG_DONTWAIT)
                };
                assert!(n > 0, "the server hung up");
                let n = n as usize;
                assert!(self.back[..n] == self.expected[..n], "something else came back");
                let came = self.partial[at] + n;
                self.partial[at] = came % size;
                done += (came / size) as u64;
                if goes_on {
                    self.send(fd, came / size);
                } else {
                    under_way -= came / size;
                }
            }
        }
        done
    }

    /// What is in flight fits into the socket's buffers.
    fn send(&self, fd: c_int, messages: usize) {
        let bytes = &self.expected[..messages * self.message.len()];
        // SAFETY: the pointer goes to as many bytes as are named.
        let sent = unsafe { libc::send(fd, bytes.as_ptr() as *const c_void, bytes.len(), libc::MSG_NOSIGNAL) };
        assert_eq!(sent, bytes.len() as isize);
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        // SAFETY: the descriptor is this object's own.
        unsafe { libc::close(self.epoll) };
    }
}
