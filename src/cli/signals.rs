//! Signals as readiness: each becomes a byte on a socket pair that the loop watches like any other, or that a thread waits for.

use std::io::{self, IsTerminal, Read, stdout};
use std::os::unix::net::UnixStream;
use std::thread;

use selkey::backend::Backend;
use selkey::{Flow, Handle, Out, Protocol, Reactor, Waker};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

use super::output::say;

/// The signals that end a program, and what it says then.
const ENDS: [(i32, &str); 2] =
    [(SIGINT, "Caught keyboard interrupt, exiting"), (SIGTERM, "Caught termination signal, exiting")];

/// Ends the loop on SIGINT and SIGTERM.
pub fn watch<B: Backend>(reactor: &mut Reactor<Box<dyn Protocol>, B>) -> io::Result<()> {
    for (signal, line) in ENDS {
        let stop = Stop { line, handle: reactor.handle() };
        reactor.adopt(arrival(signal)?, Box::new(stop))?;
    }
    Ok(())
}

/// Becomes readable on SIGINT and SIGTERM, for programs that block.
pub fn stop() -> io::Result<Waker> {
    let stop = Waker::new()?;
    for (signal, line) in ENDS {
        let (mut arrival, stop) = (arrival(signal)?, stop.clone());
        thread::Builder::new().spawn(move || {
            if arrival.read_exact(&mut [0]).is_ok() {
                tell(line);
                // The wake of an open eventfd does not fail.
                let _ = stop.wake();
            }
        })?;
    }
    Ok(stop)
}

/// Has a byte for each signal that came.
fn arrival(signal: i32) -> io::Result<UnixStream> {
    let (ours, theirs) = UnixStream::pair()?;
    pipe::register(signal, theirs)?;
    Ok(ours)
}

fn tell(line: &str) {
    // A terminal shows `^C` without ending that line.
    let gap = if stdout().is_terminal() { "\n" } else { "" };
    say(format_args!("{gap}{line}"));
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
