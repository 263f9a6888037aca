//! Pairs of sockets at fixed numbers, put into the same state as the script's.
//!
//! Each change returns when its effect on our end can be seen: over TCP the other end's packets arrive a moment later.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::{FIRST, PLACES, Step};
use crate::harness::{await_that, dup2, poll_fd};

/// Small, and the sender's large: what the receiver can still take never makes a sender writable that would have blocked.
const RECEIVE: usize = 16_384;
const SEND: usize = 131_072;

pub struct Sockets {
    listener: Socket,
    ours: [Option<Socket>; PLACES],
    peers: [Option<Socket>; PLACES],
}

fn queued(socket: &Socket, request: libc::Ioctl) -> io::Result<usize> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: both requests used here fill in one int.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), request, &mut bytes) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(bytes as usize) }
}

fn ended(socket: &Socket) -> bool {
    let wanted = libc::POLLRDHUP | libc::POLLHUP | libc::POLLERR;
    poll_fd(socket.as_raw_fd(), libc::POLLRDHUP, Duration::ZERO) & wanted != 0
}

fn broken(socket: &Socket) -> bool {
    poll_fd(socket.as_raw_fd(), 0, Duration::ZERO) & (libc::POLLHUP | libc::POLLERR) != 0
}

/// Reads until there is nothing, an end or an error.
fn read_all(mut socket: &Socket) -> io::Result<()> {
    let mut bytes = vec![0; 65_536];
    while socket.read(&mut bytes)? > 0 {}
    Ok(())
}

impl Sockets {
    pub fn new() -> Sockets {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener.set_recv_buffer_size(RECEIVE).unwrap();
        listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        listener.listen(16).unwrap();
        Sockets { listener, ours: Default::default(), peers: Default::default() }
    }

    pub fn change(&mut self, step: Step) -> io::Result<()> {
        match step {
            Step::New(i, tcp) => self.renew(i, tcp),
            Step::Close(i) => {
                self.ours[i] = None;
                Ok(())
            }
            Step::Shut(i, end, how) => self.shut(i, end, how),
            Step::PeerClose(i, reset) => self.peer_close(i, reset),
            Step::PeerWrite(i, n) => self.peer_write(i, n),
            Step::ReadAll(i) => read_all(self.ours[i].as_ref().unwrap()),
            Step::Fill(i, rejected) => self.fill(i, rejected),
            Step::Drain(i) => self.drain(i),
            _ => unreachable!("{step}"),
        }
    }

    fn renew(&mut self, i: usize, tcp: bool) -> io::Result<()> {
        let (our, peer) = if tcp { self.tcp()? } else { Socket::pair(Domain::UNIX, Type::STREAM, None)? };
        our.set_nonblocking(true)?;
        peer.set_nonblocking(true)?;
        let number = FIRST + i as RawFd;
        dup2(&our, number);
        // SAFETY: `dup2` has just opened the number; whoever had it before owns it on.
        self.ours[i].get_or_insert_with(|| unsafe { Socket::from_raw_fd(number) });
        self.peers[i] = Some(peer);
        Ok(())
    }

    fn tcp(&self) -> io::Result<(Socket, Socket)> {
        let peer = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        peer.set_recv_buffer_size(RECEIVE)?;
        peer.connect(&self.listener.local_addr()?)?;
        let (our, _) = self.listener.accept()?;
        for socket in [&our, &peer] {
            socket.set_tcp_nodelay(true)?;
            socket.set_send_buffer_size(SEND)?;
        }
        Ok((our, peer))
    }

    fn shut(&self, i: usize, end: usize, how: usize) -> io::Result<()> {
        let socket = [&self.ours, &self.peers][end][i].as_ref().unwrap();
        socket.shutdown([Shutdown::Read, Shutdown::Write][how])?;
        if let (1, 1, Some(our)) = (end, how, &self.ours[i]) {
            await_that("end of input", || ended(our));
        }
        Ok(())
    }

    fn peer_close(&mut self, i: usize, reset: bool) -> io::Result<()> {
        let peer = self.peers[i].take().unwrap();
        if reset {
            peer.set_linger(Some(Duration::ZERO))?;
        }
        // Closing with something unread resets too. SO_LINGER means nothing to a Unix socket.
        let hard = reset && peer.domain()? == Domain::IPV4 || queued(&peer, libc::FIONREAD)? > 0;
        drop(peer);
        if let Some(our) = &self.ours[i] {
            await_that("the peer's close", || if hard { broken(our) } else { ended(our) });
        }
        Ok(())
    }

    fn peer_write(&self, i: usize, n: usize) -> io::Result<()> {
        let our = self.ours[i].as_ref();
        let before = our.map_or(Ok(0), |our| queued(our, libc::FIONREAD))?;
        // Never so much that the peer has to hold bytes back.
        if before > 2_000 {
            return Ok(());
        }
        let n = self.peers[i].as_ref().unwrap().write(&vec![b'x'; n])?;
        if let Some(our) = our {
            await_that("delivery", || queued(our, libc::FIONREAD).is_ok_and(|now| now == before + n) || broken(our));
        }
        Ok(())
    }

    fn fill(&self, i: usize, rejected: bool) -> io::Result<()> {
        let mut our = self.ours[i].as_ref().unwrap();
        loop {
            match our.write(&[b'x'; 65_536]) {
                Err(e) if e.kind() == ErrorKind::WouldBlock && !rejected => return Ok(()),
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                outcome => outcome.map(drop)?,
            }
        }
    }

    fn drain(&self, i: usize) -> io::Result<()> {
        let peer = self.peers[i].as_ref().unwrap();
        await_that("an empty queue", || {
            let _ = read_all(peer);
            self.ours[i].as_ref().is_none_or(|our| queued(our, libc::TIOCOUTQ).is_ok_and(|n| n == 0) || broken(our))
        });
        Ok(())
    }
}
