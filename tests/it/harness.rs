//! What the tests share: pairs of sockets, a process of one's own, clocks, and a Python to ask.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
#[cfg(target_os = "linux")]
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use selkey::socket::{Address, Socket};
use socket2::{Domain, Type};

/// How long a test waits for what must come. Nothing waits that long unless something is broken.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// After this a test's own process is ended by a signal.
const CHILD_SECONDS: u32 = 100;

/// Names the test that a process was started for.
const CHILD: &str = "SELKEY_TEST_CHILD";

/// Both ends are non-blocking.
pub fn unix_pair() -> (UnixStream, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    theirs.set_nonblocking(true).unwrap();
    (ours, theirs)
}

/// Over 127.0.0.1; both ends are non-blocking and send at once.
pub fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let theirs = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (ours, from) = listener.accept().unwrap();
    assert_eq!(from, theirs.local_addr().unwrap(), "somebody else connected");
    for stream in [&ours, &theirs] {
        stream.set_nonblocking(true).unwrap();
        stream.set_nodelay(true).unwrap();
    }
    (ours, theirs)
}

/// A descriptor's number taken for a file object, whether or not something is open there: closing it behind a selector's back is what
/// the selector's ownership rules out everywhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watched(pub RawFd);

impl AsFd for Watched {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: a promise that these tests break on purpose. The selector takes no more than the number from it, and the kernel
        // answers a number where nothing is open with an error.
        unsafe { BorrowedFd::borrow_raw(self.0) }
    }
}

pub fn check(result: libc::c_int) -> libc::c_int {
    assert!(result >= 0, "{}", io::Error::last_os_error());
    result
}

/// Calls until no signal interrupts it. On Linux that need not be a signal of ours: a process that was stopped and goes on finds its calls on sockets with
/// a timeout interrupted (signal(7)).
pub fn again<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

/// Closes a number that nobody owns.
pub fn close(fd: RawFd) {
    // SAFETY: no object owns `fd`: it was made with `into_raw_fd`.
    check(unsafe { libc::close(fd) });
}

/// Puts what `source` names also at the number `at`; what was open there is closed. Programs that other tests start do not inherit it.
pub fn dup2(source: &impl AsFd, at: RawFd) {
    // SAFETY: `at` belongs to the caller, and stays open under whoever owns it.
    #[cfg(not(target_vendor = "apple"))]
    check(unsafe { libc::dup3(source.as_fd().as_raw_fd(), at, libc::O_CLOEXEC) });
    // SAFETY: the same. There is no call that does both here.
    #[cfg(target_vendor = "apple")]
    check(unsafe { libc::dup2(source.as_fd().as_raw_fd(), at) });
}

/// A duplicate at the lowest free number that is not below `least`.
pub fn dup_from(source: &impl AsFd, least: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: the call takes no pointers.
    let fd = unsafe { libc::fcntl(source.as_fd().as_raw_fd(), libc::F_DUPFD_CLOEXEC, least) };
    // SAFETY: the kernel has just made `fd` and nobody else has it.
    if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(unsafe { OwnedFd::from_raw_fd(fd) }) }
}

/// poll(2) on one descriptor: the crate is not asked.
pub fn poll_fd(fd: RawFd, events: libc::c_short, timeout: Duration) -> libc::c_short {
    let mut polled = libc::pollfd { fd, events, revents: 0 };
    let poll = || {
        // SAFETY: one entry, which lives through the call.
        let count = unsafe { libc::poll(&mut polled, 1, timeout.as_millis() as libc::c_int) };
        if count < 0 { Err(io::Error::last_os_error()) } else { Ok(count) }
    };
    again(poll).unwrap();
    polled.revents
}

/// The next connection, within the deadline.
pub fn accept(listener: &TcpListener) -> TcpStream {
    let ready = poll_fd(listener.as_raw_fd(), libc::POLLIN, PATIENCE);
    assert_eq!(ready, libc::POLLIN, "nobody came within {PATIENCE:?}");
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// An address that is taken, but where nobody listens.
pub fn nobody() -> (Socket, SocketAddr) {
    let taken = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    taken.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = taken.local_addr().unwrap().as_socket().unwrap();
    (taken, address)
}

/// Until `done` answers true.
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
pub fn await_that(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "waited too long: {what}");
        thread::yield_now();
    }
}

/// The soft limit on descriptors, raised to the hard one. For a process of one's own.
pub fn raise_descriptor_limit() -> usize {
    selkey::socket::raise_descriptor_limit().unwrap() as usize
}

/// The soft limit on descriptors. For a process of one's own.
pub fn lower_descriptor_limit(to: usize) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` lives through both calls.
    unsafe {
        check(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit));
        limit.rlim_cur = to as libc::rlim_t;
        check(libc::setrlimit(libc::RLIMIT_NOFILE, &limit));
    }
}

/// The processor time this thread has used.
pub fn thread_cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call fills in `time`.
    check(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) });
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// How another thread sees this one sleep.
#[derive(Clone, Copy)]
pub struct Sleeper(#[cfg(target_os = "linux")] libc::pid_t);

#[cfg(target_os = "linux")]
impl Sleeper {
    pub fn this_thread() -> Sleeper {
        // SAFETY: the call cannot fail and takes no pointers.
        Sleeper(unsafe { libc::gettid() })
    }

    /// Returns when the thread sleeps in the kernel.
    pub fn await_asleep(self) {
        await_that("the thread sleeps", || {
            let stat = std::fs::read_to_string(format!("/proc/self/task/{}/stat", self.0)).unwrap();
            stat.rsplit_once(')').unwrap().1.starts_with(" S")
        });
    }
}

#[cfg(not(target_os = "linux"))]
impl Sleeper {
    pub fn this_thread() -> Sleeper {
        Sleeper()
    }

    /// No event tells it here; a test passes either way, but proves less when the thread does not sleep yet.
    pub fn await_asleep(self) {
        thread::sleep(Duration::from_millis(50));
    }
}

/// A path that nothing is at; whatever is made there is removed in the end.
pub struct Spot(pub PathBuf);

impl Spot {
    pub fn new() -> Spot {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("selkey-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Spot(std::env::temp_dir().join(name))
    }

    pub fn address(&self) -> Address {
        Path::new(&self.0).into()
    }
}

impl Drop for Spot {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Runs a test among the others of this process. `_path` is there to have the same form as [`alone`].
pub fn here(_path: &str, body: fn()) {
    body();
}

/// Runs a test in a process of its own, for what would disturb the others (limits, signals, forks, numbers closed) or be disturbed by
/// them: a process that another test starts has copies of all descriptors for a moment, so that here a peer's close is not yet its end.
///
/// `path` is the test's, with the crate in front. The process is this executable once more, told to run that one test.
pub fn alone(path: &str, body: fn()) {
    let name = path.split_once("::").expect("a path with the crate in front").1;
    let finished = format!("finished alone: {name}");
    if env::var(CHILD).as_deref() == Ok(name) {
        watchdog();
        body();
        // Says that the test ran: a name that matches none is no failure to the test runner.
        println!("{finished}");
        return;
    }
    let mut child = Command::new(env::current_exe().unwrap());
    child.args([name, "--exact", "--nocapture", "--test-threads=1"]).env(CHILD, name);
    inherit_nothing(&mut child);
    pass_on(&child.output().unwrap(), &finished);
}

/// Numbers that whoever started the tests left open are closed in the child: a test there counts on what is free. A kernel without the
/// call (before Linux 5.11) leaves them open.
#[cfg(target_os = "linux")]
fn inherit_nothing(child: &mut Command) {
    let close_on_exec = || {
        // SAFETY: the call takes no pointers. Nothing is closed before the program is replaced, and what is then is the child's copy.
        unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
        Ok(())
    };
    // SAFETY: between fork and exec the closure does one system call and allocates nothing.
    unsafe { child.pre_exec(close_on_exec) };
}

#[cfg(not(target_os = "linux"))]
fn inherit_nothing(_child: &mut Command) {}

/// The default action of the signal ends the process, so nothing hangs for ever.
pub fn watchdog() {
    // SAFETY: the call takes no pointers.
    unsafe { libc::alarm(CHILD_SECONDS) };
}

fn pass_on(output: &Output, finished: &str) {
    let said = String::from_utf8_lossy(&output.stdout);
    // The runner prints `test NAME ... ` first and ends no line before the test's own output.
    said.lines().filter_map(|line| line.find("skipped: ").map(|at| &line[at..])).for_each(|line| println!("{line}"));
    let complete = said.lines().any(|line| line.ends_with(finished));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complete, "{}\n{said}\n{errors}", output.status);
}

/// The command that starts a Python 3, if there is one.
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
pub fn python3() -> Option<Command> {
    let found = Command::new("python3").args(["-c", "import selectors"]).output().is_ok_and(|o| o.status.success());
    if !found {
        println!("skipped: no python3");
    }
    found.then(|| Command::new("python3"))
}
