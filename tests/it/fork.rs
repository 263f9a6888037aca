//! Line 10: a forked child shares the kernel's set with its parent and must be able to drop its copy.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::process;
use std::time::Instant;

use selkey::{EVENT_READ, Key, Selector, Waker};

use crate::contract::{Kind, now, over_every_backend};
use crate::harness::{PATIENCE, check, unix_pair, watchdog};

over_every_backend!({
    super {
        alone a_child_that_drops_its_copy_breaks_neither_registrations_nor_waker;
        alone a_child_that_closes_its_copy_breaks_neither_registrations_nor_waker;
        alone a_child_that_selects_first_breaks_neither_registrations_nor_waker;
    }
});

struct Watching<B> {
    selector: Selector<UnixStream, usize, B>,
    keys: Vec<Key>,
    peers: Vec<UnixStream>,
    waker: Waker,
}

pub fn a_child_that_drops_its_copy_breaks_neither_registrations_nor_waker<B: Kind>() {
    survives::<B>(drop);
}

pub fn a_child_that_closes_its_copy_breaks_neither_registrations_nor_waker<B: Kind>() {
    survives::<B>(|selector| assert_eq!(selector.into_iter().count(), 10));
}

pub fn a_child_that_selects_first_breaks_neither_registrations_nor_waker<B: Kind>() {
    survives::<B>(|mut selector| assert!(now(&mut selector).is_empty()));
}

fn survives<B: Kind>(child: fn(Selector<UnixStream, usize, B>)) {
    let mut parent = Watching::<B>::new();
    parent.check();
    // SAFETY: this process has one thread that does anything, so the child finds no lock held.
    match check(unsafe { libc::fork() }) {
        0 => {
            watchdog();
            let copy = parent;
            child(copy.selector);
            drop((copy.waker, copy.peers));
            // SAFETY: ends the process at once; nothing of the test runner is run a second time.
            unsafe { libc::_exit(0) }
        }
        pid => {
            let mut status = -1;
            // SAFETY: `status` lives through the call.
            assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
            assert_eq!(status, 0, "the child failed, of process {}", process::id());
        }
    }
    parent.check();
}

impl<B: Kind> Watching<B> {
    fn new() -> Watching<B> {
        let mut selector = Selector::new().unwrap();
        let waker = selector.waker().unwrap();
        let (ours, peers): (Vec<_>, Vec<_>) = (0..10).map(|_| unix_pair()).unzip();
        let keys = ours.into_iter().enumerate().map(|(n, s)| selector.register(s, EVENT_READ, n).unwrap()).collect();
        Watching { selector, keys, peers, waker }
    }

    fn check(&mut self) {
        for (key, peer) in self.keys.iter().zip(&mut self.peers) {
            peer.write_all(b"x").unwrap();
            assert_eq!(self.selector.select(PATIENCE).unwrap(), [(*key, EVENT_READ)]);
            let (mut stream, _) = self.selector.get_mut(*key).unwrap();
            std::io::Read::read_exact(&mut stream, &mut [0]).unwrap();
        }
        let start = Instant::now();
        self.waker.wake().unwrap();
        assert!(self.selector.select(PATIENCE).unwrap().is_empty());
        assert!(start.elapsed() < PATIENCE, "the waker is dead");
        assert!(now(&mut self.selector).is_empty());
    }
}
