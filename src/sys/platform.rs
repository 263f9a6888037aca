//! Which systems have which backend: the one list of platforms.

/// Items for systems whose best backend is epoll(7).
macro_rules! on_epoll {
    ($($item:item)*) => { $( #[cfg(any(target_os = "linux", target_os = "android"))] $item )* };
}

/// Items for every other Unix: `polling` supports those with kqueue(2).
macro_rules! on_kqueue {
    ($($item:item)*) => { $( #[cfg(not(any(target_os = "linux", target_os = "android")))] $item )* };
}

/// As `on_kqueue`, and in tests everywhere: code that any Unix compiles and runs.
macro_rules! on_kqueue_or_test {
    ($($item:item)*) => { $( #[cfg(any(test, not(any(target_os = "linux", target_os = "android"))))] $item )* };
}

pub(crate) use {on_epoll, on_kqueue, on_kqueue_or_test};
