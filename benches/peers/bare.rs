//! libc alone: epoll_wait, recv, send. As little as a correct level-triggered echo server can do.

use std::net::TcpListener;
use std::os::fd::IntoRawFd;
use std::ptr;

use libc::{EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLLIN, EPOLLOUT, c_int, c_void, epoll_event};

/// What the kernel refused of a connection's bytes; indexed by descriptor.
type Waiting = Vec<Vec<u8>>;

pub fn serve(listener: TcpListener) {
    listener.set_nonblocking(true).unwrap();
    let listener = listener.into_raw_fd();
    let mut waiting: Waiting = Vec::new();
    let mut events = vec![epoll_event { events: 0, u64: 0 }; 1024];
    let mut buffer = vec![0u8; 64 << 10];
    // SAFETY: every pointer goes to a live buffer of the length named beside it; the descriptors are this function's own.
    unsafe {
        let epoll = libc::epoll_create1(libc::EPOLL_CLOEXEC);
        control(epoll, EPOLL_CTL_ADD, listener, EPOLLIN);
        loop {
            let count = libc::epoll_wait(epoll, events.as_mut_ptr(), events.len() as c_int, -1);
            for event in &events[..count.max(0) as usize] {
                let (fd, ready) = (event.u64 as c_int, event.events as c_int);
                if fd == listener {
                    accept(epoll, listener, &mut waiting);
                    continue;
                }
                let held = &mut waiting[fd as usize];
                if ready & EPOLLOUT != 0 {
                    let sent = libc::send(fd, held.as_ptr() as *const c_void, held.len(), libc::MSG_NOSIGNAL);
                    if sent > 0 {
                        held.drain(..sent as usize);
                    }
                    if held.is_empty() {
                        control(epoll, EPOLL_CTL_MOD, fd, EPOLLIN);
                    }
                    continue;
                }
                let n = libc::recv(fd, buffer.as_mut_ptr() as *mut c_void, buffer.len(), 0);
                if n > 0 {
                    let sent = libc::send(fd, buffer.as_ptr() as *const c_void, n as usize, libc::MSG_NOSIGNAL);
                    if sent < n {
                        held.extend_from_slice(&buffer[sent.max(0) as usize..n as usize]);
                        control(epoll, EPOLL_CTL_MOD, fd, EPOLLOUT);
                    }
                } else if n == 0 || *libc::__errno_location() != libc::EAGAIN {
                    held.clear();
                    libc::close(fd);
                }
            }
        }
    }
}

unsafe fn accept(epoll: c_int, listener: c_int, waiting: &mut Waiting) {
    loop {
        let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // SAFETY: no pointers are passed but null, and a live option value.
        unsafe {
            let fd = libc::accept4(listener, ptr::null_mut(), ptr::null_mut(), flags);
            if fd < 0 {
                return;
            }
            let on: c_int = 1;
            libc::setsockopt(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, (&raw const on).cast(), 4);
            if waiting.len() <= fd as usize {
                waiting.resize_with(fd as usize + 1, Vec::new);
            }
            control(epoll, EPOLL_CTL_ADD, fd, EPOLLIN);
        }
    }
}

unsafe fn control(epoll: c_int, operation: c_int, fd: c_int, events: c_int) {
    let mut event = epoll_event { events: events as u32, u64: fd as u64 };
    // SAFETY: `event` lives through the call.
    unsafe { libc::epoll_ctl(epoll, operation, fd, &mut event) };
}
