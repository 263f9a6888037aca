//! The server's side: requests in, replies out, in order.

use std::cell::RefCell;
use std::fmt::{self, Display, Write};
use std::io;
use std::mem;
use std::rc::Rc;

use super::JSON;
use crate::apps::transcript::Transcript;
use crate::buffer::{python, text};
use crate::message::{Decoded, Decoder, Header, Message, dumps};
use crate::reactor::{Deadline, Flow, Out, Protocol};
use crate::socket::Socket;

/// What a service answers; the buffers of one serve all requests.
#[derive(Debug, Default)]
pub struct Reply {
    content_type: &'static str,
    content_encoding: &'static str,
    content: Vec<u8>,
    text: String,
}

impl Reply {
    /// `{"result": TEXT}`.
    pub fn result(&mut self, text: &str) {
        (self.content_type, self.content_encoding) = (JSON, "utf-8");
        self.content.clear();
        let _ = io::Write::write_fmt(&mut self.content, format_args!("{}", dumps(&[("result", text)])));
    }

    /// As [`result`](Reply::result), of what is to be put together first.
    pub fn result_of(&mut self, text: impl Display) {
        let mut put_together = mem::take(&mut self.text);
        put_together.clear();
        let _ = write!(put_together, "{text}");
        self.result(&put_together);
        self.text = put_together;
    }

    /// The result `Error: REASON`.
    pub fn error(&mut self, reason: impl Display) {
        self.result_of(format_args!("Error: {reason}"));
    }

    /// These bytes, one piece after the other.
    pub fn bytes(&mut self, content_type: &'static str, content_encoding: &'static str, pieces: &[&[u8]]) {
        (self.content_type, self.content_encoding) = (content_type, content_encoding);
        self.content.clear();
        pieces.iter().for_each(|piece| self.content.extend_from_slice(piece));
    }
}

/// A service and what its connections share.
pub struct Server<F> {
    common: Rc<Common<F>>,
}

struct Common<F> {
    service: RefCell<F>,
    reply: RefCell<Reply>,
    max_content: usize,
    transcript: Transcript,
}

impl<F: FnMut(&Message<'_>, &mut Reply)> Server<F> {
    /// Answers requests with this service, in silence.
    pub fn new(service: F) -> Server<F> {
        Server::told(service, Decoder::MAX_CONTENT, Transcript::silent())
    }

    /// Answers requests of up to so many bytes of content, and tells what happens.
    pub fn told(service: F, max_content: usize, transcript: Transcript) -> Server<F> {
        let (service, reply) = (RefCell::new(service), RefCell::default());
        Server { common: Rc::new(Common { service, reply, max_content, transcript }) }
    }

    /// The protocol for a connection that was just accepted.
    pub fn accept(&self, socket: &Socket) -> Connection<F> {
        let transcript = &self.common.transcript;
        let peer = transcript.peer(socket);
        transcript.say(format_args!("Accepted connection from {peer}"));
        Connection { decoder: Decoder::max_content(self.common.max_content), peer, common: self.common.clone() }
    }
}

/// The server's side of one connection.
///
/// A connection ends with its first reply, unless the request's header has the member `"connection": "keep-alive"`: then the reply has it too and further requests
/// are answered, in order. A header that cannot be trusted is answered with the reason, and ends the connection.
pub struct Connection<F> {
    decoder: Decoder,
    /// Not looked up for a silent transcript.
    peer: String,
    common: Rc<Common<F>>,
}

impl<F: FnMut(&Message<'_>, &mut Reply)> Connection<F> {
    fn answer(&self, request: &Message<'_>, out: &mut Out<'_, '_>) {
        let (transcript, peer) = (&self.common.transcript, &self.peer);
        match request.header().content_type() {
            _ if transcript.is_silent() => {}
            JSON => match request.text() {
                Ok(content) => transcript.say(format_args!("Received request {} from {peer}", text(&content))),
                Err(_) => transcript.say(format_args!("Received request {} from {peer}", python(request.content()))),
            },
            other => transcript.say(format_args!("Received {} request from {peer}", text(other))),
        }
        let reply = &mut *self.common.reply.borrow_mut();
        (self.common.service.borrow_mut())(request, reply);
        self.send(reply, request.header().keep_alive(), out);
    }

    fn refuse_with(&self, reason: impl Display, out: &mut Out<'_, '_>) -> Flow {
        let reply = &mut *self.common.reply.borrow_mut();
        reply.error(reason);
        self.send(reply, false, out);
        Flow::Close
    }

    fn send(&self, reply: &Reply, keep_alive: bool, out: &mut Out<'_, '_>) {
        let header = Header::new(reply.content_type, reply.content_encoding, reply.content.len());
        let header = if keep_alive { header.with_keep_alive() } else { header };
        let transcript = &self.common.transcript;
        if !transcript.is_silent() {
            let mut wire = Vec::new();
            let _ = header.encode(|bytes| wire.extend_from_slice(bytes));
            wire.extend_from_slice(&reply.content);
            transcript.say(format_args!("Sending {} to {}", python(&wire), self.peer));
        }
        // It fails for names longer than a header can be, and those here are written in the program.
        let _ = header.encode(|bytes| out.write(bytes));
        out.write(&reply.content);
    }
}

impl<F: FnMut(&Message<'_>, &mut Reply)> Protocol for Connection<F> {
    fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
        if out.is_full() {
            return Flow::Later { used: 0 };
        }
        match self.decoder.decode(input) {
            Ok(Decoded::Need(need)) => {
                if self.decoder.knows_length() {
                    out.header_done();
                }
                Flow::More { used: 0, need }
            }
            Ok(Decoded::Message { message, used }) => {
                self.answer(&message, out);
                if message.header().keep_alive() { Flow::More { used, need: Decoder::LEAST } } else { Flow::Close }
            }
            Err(error) => {
                self.common.transcript.say(format_args!("Refusing what {} sends: {error}", self.peer));
                self.refuse_with(error, out)
            }
        }
    }

    fn end(&mut self, rest: &[u8], out: &mut Out<'_, '_>) -> Flow {
        match self.decoder.end(rest) {
            Ok(()) => Flow::Close,
            Err(error) => {
                self.common.transcript.say(format_args!("{} {error}", self.peer));
                self.refuse_with(error, out)
            }
        }
    }

    fn refuse(&mut self, out: &mut Out<'_, '_>) -> Flow {
        self.common.transcript.say(format_args!("Refusing {}: too many connections", self.peer));
        self.refuse_with("too many connections, try again later", out)
    }

    fn expired(&mut self, what: Deadline, out: &mut Out<'_, '_>) -> Flow {
        self.common.transcript.say(format_args!("Giving up on {}: {what}", self.peer));
        // Nobody waits for a reply between messages.
        if what == Deadline::Message { self.refuse_with(what, out) } else { Flow::Close }
    }

    fn failed(&mut self, error: io::Error) {
        self.common.transcript.say(format_args!("Connection to {} failed: {error}", self.peer));
    }
}

impl<F> Drop for Connection<F> {
    fn drop(&mut self) {
        self.common.transcript.say(format_args!("Closing connection to {}", self.peer));
    }
}

impl<F> Clone for Server<F> {
    fn clone(&self) -> Server<F> {
        Server { common: self.common.clone() }
    }
}

impl<F> fmt::Debug for Server<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("max_content", &self.common.max_content).finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for Connection<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("peer", &self.peer).finish_non_exhaustive()
    }
}
