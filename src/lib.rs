#![doc = include_str!("../README.md")]
#![deny(missing_docs, unsafe_code)]
#![deny(clippy::undocumented_unsafe_blocks)]

pub mod apps;
mod buffer;
mod error;
mod events;
#[cfg(feature = "cli")]
pub mod lab;
#[cfg(feature = "cli")]
pub mod load;
pub mod message;
mod reactor;
mod select;
mod selector;
pub mod socket;
mod sys;

pub use buffer::{python, text};
pub use error::errno;
pub use events::{EVENT_READ, EVENT_WRITE, Events};
pub use reactor::{
    Deadline, Flow, FromFn, Handle, Limits, Out, Protocol, Reactor, Retry, Sink, Stats, TimerKey, from_fn,
};
pub use select::{NONE, select};
pub use selector::{
    AsSource, DefaultSelector, ErrorKind, IntoIter, Key, Map, ModifyError, PollSelector, RawSource, RegisterError,
    SelectSelector, Selector, SelectorKey, Waker,
};

sys::platform::on_epoll! {
    pub use selector::EpollSelector;
}
sys::platform::on_kqueue! {
    pub use selector::KqueueSelector;
}

/// Keeps the calling thread on one processor, counted from 0.
///
/// # Errors
/// There is no such processor, the process may not use it, or the system has no way to say so (Linux and Android have, sched_setaffinity(2)).
pub fn pin_thread(processor: usize) -> std::io::Result<()> {
    sys::pin_thread(&[processor])
}

/// What the operating system supplies, behind one trait.
pub mod backend {
    crate::sys::platform::on_epoll! {
        pub use crate::sys::Epoll;
    }
    crate::sys::platform::on_kqueue! {
        pub use crate::sys::Kqueue;
    }
    pub use crate::sys::{AsSource, Backend, DefaultBackend, Poll, RawSource, Select, WAKER_TOKEN, Waker};
}

#[doc = include_str!("guide/troubleshooting.md")]
pub mod troubleshooting {}
