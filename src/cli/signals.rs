//! Signals as readiness: each becomes a byte on a socket pair that the loop watches like any other, or that a thread waits for.

use std::io::{self, IsTerminal, Read, stderr, stdout};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::process::exit;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use selkey::backend::Backend;
use selkey::{Flow, Handle, NONE, Out, Protocol, Reactor, Waker, select};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

use super::output::{complain, say};

/// An end of a pair for each signal that ends a program, and what is said then.
pub type Pairs = [(UnixStream, &'static str); 2];

/// For each signal that ends a program: the end of a pair where it comes in as a byte, and what is said then.
pub fn pairs() -> io::Result<Pairs> {
    let end = |signal| {
        let (ours, theirs) = UnixStream::pair()?;
        pipe::register(signal, theirs).map(|_| ours)
    };
    Ok([(end(SIGINT)?, "Caught keyboard interrupt, exiting"), (end(SIGTERM)?, "Caught termination signal, exiting")])
}

/// Says which signal came.
pub fn tell(line: &str) {
    // A terminal shows `^C` without ending that line.
    let gap = if stdout().is_terminal() { "\n" } else { "" };
    say(format_args!("{gap}{line}"));
}

/// The same on standard error where standard output is data.
fn tell_beside(line: &str, output_is_data: bool) {
    match output_is_data {
        true if stderr().is_terminal() => complain(format_args!("\n{line}")),
        true => complain(format_args!("{line}")),
        false => tell(line),
    }
}

/// Waits on this thread until `end` is woken. Tells each SIGINT and SIGTERM that came since the pairs were made, and calls `act` with how many came before; signals
/// that come at once are one.
pub fn attend(pairs: &Pairs, end: &Waker, act: impl Fn(usize)) -> io::Result<()> {
    let mut before = 0;
    loop {
        let ends = pairs.iter().map(|(ours, _)| ours.as_fd()).chain([end.as_fd()]);
        let (ready, ..) = select(ends, NONE, NONE, None)?;
        for (mut ours, line) in pairs.iter().map(|(ours, line)| (ours, line)) {
            if ready.iter().any(|fd| fd.as_raw_fd() == ours.as_raw_fd()) && ours.read(&mut [0; 64])? > 0 {
                tell(line);
                act(before);
                before += 1;
            }
        }
        if ready.iter().any(|fd| fd.as_raw_fd() == end.as_fd().as_raw_fd()) {
            return Ok(());
        }
    }
}

/// Ends the loop on SIGINT and SIGTERM.
pub fn watch<B: Backend>(reactor: &mut Reactor<Box<dyn Protocol>, B>) -> io::Result<()> {
    for (ours, line) in pairs()? {
        let stop = Stop { line, handle: reactor.handle() };
        reactor.adopt(ours, Box::new(stop))?;
    }
    Ok(())
}

/// Ends the program on SIGINT and SIGTERM, whatever it waits for: looking up a name takes no deadline and no second descriptor. What lies in
/// `unfinished` is dropped first; whoever holds its lock is waited for. The word goes to standard error where standard output is data.
pub fn exit_dropping<T: Send + 'static>(unfinished: &Arc<Mutex<Option<T>>>, output_is_data: bool) -> io::Result<()> {
    for (mut ours, line) in pairs()? {
        let unfinished = unfinished.clone();
        thread::Builder::new().spawn(move || {
            if ours.read_exact(&mut [0]).is_ok() {
                let mut held = unfinished.lock().unwrap_or_else(PoisonError::into_inner);
                drop(held.take());
                tell_beside(line, output_is_data);
                // Still locked: nothing is finished from here on.
                exit(0);
            }
        })?;
    }
    Ok(())
}

/// Becomes readable on SIGINT and SIGTERM, for programs that block.
pub fn stop() -> io::Result<Waker> {
    let stop = Waker::new()?;
    let woken = stop.clone();
    // It is open as long as the threads have it, so it does not fail.
    on_first(false, move || drop(woken.wake()))?;
    Ok(stop)
}

/// Calls `act` on a thread of its own when SIGINT comes first, and when SIGTERM does. The word goes to standard error where standard output is data.
pub fn on_first(output_is_data: bool, act: impl Fn() + Clone + Send + 'static) -> io::Result<()> {
    for (mut ours, line) in pairs()? {
        let act = act.clone();
        thread::Builder::new().spawn(move || {
            if ours.read_exact(&mut [0]).is_ok() {
                tell_beside(line, output_is_data);
                act();
            }
        })?;
    }
    Ok(())
}

struct Stop {
    line: &'static str,
    handle: Handle,
}

impl Protocol for Stop {
    fn receive<'i>(&mut self, input: &'i [u8], _out: &mut Out<'i, '_>) -> Flow {
        tell(self.line);
        self.handle.stop();
        Flow::used(input.len())
    }
}
