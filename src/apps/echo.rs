//! The blocking echo that every tutorial begins with: a server for one client at a time, and a client that says one thing and wants it back.
//!
//! ```
//! use selkey::Waker;
//! use selkey::apps::echo;
//! use selkey::socket::{Address, Options, listen};
//! use std::{thread, time::Duration};
//!
//! # fn main() -> std::io::Result<()> {
//! let listener = listen(&Address::from("127.0.0.1:0"), &Options::default())?;
//! let address = listener.bound().unwrap().into();
//! let stop = Waker::new()?;
//! thread::scope(|scope| {
//!     let serving = scope.spawn(|| echo::Server::default().serve(&listener, &stop));
//!     let back = echo::ask(&address, &Options::default(), b"Hello, world", Duration::from_secs(30))?;
//!     assert_eq!(back, b"Hello, world");
//!     stop.wake()?;
//!     serving.join().unwrap()
//! })
//! # }
//! ```

use std::io;
use std::time::Duration;

use super::transcript::Transcript;
use crate::buffer::python;
use crate::error::about;
use crate::socket::{Address, Options, Socket, Wait};
use crate::socket::{accept_next, connect_with, receive_exact, receive_some, send_all};
use crate::sys::AsSource;

/// What the client of the tutorial sends.
pub const MESSAGE: &[u8] = b"Hello, world";

/// The most that one receive takes.
const PIECE: usize = 1024;

/// How a server echoes.
#[derive(Clone, Debug)]
pub struct Server {
    /// A client that sends nothing for so long is left. It would keep out everybody else.
    pub idle_timeout: Duration,
    /// A client that does not take an echo of at most 1024 bytes for so long is left.
    pub write_timeout: Duration,
    /// After so many connections it is done.
    pub once: Option<u64>,
    /// For the connections accepted.
    pub options: Options,
    /// Who is told what happens.
    pub transcript: Transcript,
}

/// 60 seconds without a word, 30 to take an echo; no end, and nobody told.
impl Default for Server {
    fn default() -> Server {
        Server {
            idle_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(30),
            once: None,
            options: Options::default(),
            transcript: Transcript::silent(),
        }
    }
}

impl Server {
    /// Serves the clients of a non-blocking listener one after the other, until `stop` becomes readable (see [`Wait::or_until`]) or so many as
    /// asked for have been served. Each is sent back what it sends, until it sends no more. One that fails or is left is told of and ends no
    /// other.
    ///
    /// # Errors
    /// The listener cannot be used.
    pub fn serve(&self, listener: &Socket, stop: &impl AsSource) -> io::Result<()> {
        match self.serve_until(listener, stop) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            outcome => outcome,
        }
    }

    fn serve_until(&self, listener: &Socket, stop: &impl AsSource) -> io::Result<()> {
        let mut served = 0;
        while self.once.is_none_or(|once| served < once) {
            let socket = accept_next(listener, Wait::from(None).or_until(stop))?;
            let peer = self.transcript.peer(&socket);
            self.transcript.say(format_args!("Connected by {peer}"));
            self.transcript.apply(&self.options, &socket);
            match self.echo(&socket, stop) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
                Err(error) => self.transcript.say(format_args!("Connection to {peer} failed: {error}")),
                Ok(()) => {}
            }
            served += 1;
        }
        Ok(())
    }

    fn echo(&self, socket: &Socket, stop: &impl AsSource) -> io::Result<()> {
        let mut bytes = [0; PIECE];
        loop {
            match receive_some(socket, &mut bytes, Wait::from(self.idle_timeout).or_until(stop))? {
                0 => return Ok(()),
                n => send_all(socket, &bytes[..n], Wait::from(self.write_timeout).or_until(stop))?,
            }
        }
    }
}

/// Sends `message` to an echo server and answers what came back, which is the same; `wait` is for all of it together.
///
/// # Errors
/// As [`connect_with`]; something else came back, or less; the time is over.
pub fn ask<'a>(address: &Address, options: &Options, message: &[u8], wait: impl Into<Wait<'a>>) -> io::Result<Vec<u8>> {
    let wait = wait.into();
    let socket = connect_with(address, options, wait)?;
    let mut back = vec![0; message.len()];
    send_all(&socket, message, wait)
        .and_then(|()| receive_exact(&socket, &mut back, wait))
        .map_err(|error| about("no echo", error))?;
    if back != message {
        let what = format!("what came back, {}, differs from what was sent", python(&back));
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    Ok(back)
}
