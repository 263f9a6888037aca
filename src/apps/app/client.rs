//! The client's side: requests in the order in which they come, each sent when the one before it was answered.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;

use super::JSON;
use crate::apps::transcript::Transcript;
use crate::buffer::{python, text};
use crate::error::about;
use crate::message::{ContentError, Decoded, Decoder, Header, Message, dumps};
use crate::reactor::{Deadline, Flow, Out, Protocol};
use crate::selector::Key;

/// A message to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    content_type: &'static str,
    content_encoding: &'static str,
    content: Vec<u8>,
}

impl Request {
    /// The action `search` as JSON; any other as the bytes of action and value.
    ///
    /// ```
    /// use selkey::apps::app::Request;
    ///
    /// assert_eq!(Request::new("search", "ring").content(), br#"{"action": "search", "value": "ring"}"#);
    /// assert_eq!(Request::new("test", "qwertyuiopa").content(), b"testqwertyuiopa");
    /// ```
    pub fn new(action: &str, value: &str) -> Request {
        match action {
            "search" => Request::json(dumps(&[("action", action), ("value", value)]).to_string()),
            _ => Request {
                content_type: "binary/custom-client-binary-type",
                content_encoding: "binary",
                content: [action, value].concat().into_bytes(),
            },
        }
    }

    /// This JSON text, which is sent as it is.
    pub fn json(text: impl Into<String>) -> Request {
        Request { content_type: JSON, content_encoding: "utf-8", content: text.into().into_bytes() }
    }

    /// The bytes behind the header.
    pub fn content(&self) -> &[u8] {
        &self.content
    }
}

/// How the requests of a client are getting on; shared with who makes them.
#[derive(Debug, Default)]
pub struct Progress {
    /// Still to be sent.
    pub requests: VecDeque<Request>,
    /// Whether more will be put there: then the connection is kept meanwhile, and the client poked when they are.
    pub more_to_come: bool,
    /// Replies that came.
    pub replies: usize,
    /// Whether the connection is over.
    pub over: bool,
    /// The connection, as soon as it is there.
    pub key: Option<Key>,
    /// Why it ended before all was answered.
    pub failure: Option<io::Error>,
}

impl Progress {
    /// With these requests and no others.
    pub fn new(requests: impl IntoIterator<Item = Request>) -> Rc<RefCell<Progress>> {
        Rc::new(RefCell::new(Progress { requests: requests.into_iter().collect(), ..Progress::default() }))
    }
}

/// The client's side of one connection.
///
/// With `keep_alive` it asks the server to keep the connection, and sends the next request when the server did; a request that was not sent stays in
/// [`Progress::requests`], for another connection. So does one that was sent while the server closed what it had kept: nothing of a reply came then. A server that
/// closed it after reading the request has that twice.
#[derive(Debug)]
pub struct Client {
    peer: String,
    keep_alive: bool,
    /// Sent and not answered.
    waiting: Option<Request>,
    /// The server kept the connection after a reply, and nothing of the next one came yet.
    kept: bool,
    decoder: Decoder,
    progress: Rc<RefCell<Progress>>,
    transcript: Transcript,
}

impl Client {
    /// For a connection to `peer`, which is how the transcript names it.
    pub fn new(
        peer: impl Into<String>,
        keep_alive: bool,
        progress: &Rc<RefCell<Progress>>,
        transcript: &Transcript,
    ) -> Client {
        let peer = peer.into();
        transcript.say(format_args!("Starting connection to {peer}"));
        progress.borrow_mut().over = false;
        Client {
            peer,
            keep_alive,
            waiting: None,
            kept: false,
            decoder: Decoder::new(),
            progress: progress.clone(),
            transcript: transcript.clone(),
        }
    }

    /// Sends what is to be sent next, unless an answer is waited for.
    fn ask(&mut self, out: &mut Out<'_, '_>) -> Flow {
        if self.waiting.is_some() {
            return Flow::MORE;
        }
        let mut progress = self.progress.borrow_mut();
        let Some(request) = progress.requests.pop_front() else {
            return if progress.more_to_come { Flow::MORE } else { Flow::Close };
        };
        let Request { content_type, content_encoding, content } = &request;
        let header = Header::new(content_type, content_encoding, content.len());
        let header = if self.keep_alive { header.with_keep_alive() } else { header };
        let mut wire = Vec::new();
        // The names are this file's, and fit.
        let _ = header.encode(|bytes| wire.extend_from_slice(bytes));
        wire.extend_from_slice(content);
        self.transcript.say(format_args!("Sending {} to {}", python(&wire), self.peer));
        out.write(&wire);
        self.waiting = Some(request);
        Flow::MORE
    }

    fn show(&self, reply: &Message<'_>) {
        let (transcript, peer) = (&self.transcript, &self.peer);
        let content_type = reply.header().content_type();
        if content_type != JSON {
            transcript.say(format_args!("Received {} response from {peer}", text(content_type)));
            return transcript.say(format_args!("Got response: {}", python(reply.content())));
        }
        let Ok(content) = reply.text() else {
            return transcript.say(format_args!("Received response {} from {peer}", python(reply.content())));
        };
        transcript.say(format_args!("Received response {} from {peer}", text(&content)));
        match reply.object().and_then(|object| Ok(object.string("result")?.into_owned())) {
            Ok(result) => transcript.say(format_args!("Got result: {}", text(&result))),
            Err(error @ ContentError::NotAString { .. }) => {
                transcript.say(format_args!("Got a result that is no text: {error}"))
            }
            Err(error) => transcript.say(format_args!("Got no result: {error}")),
        }
    }

    /// The connection ended. Whether that was on its way already when the request was sent, which is then for another connection.
    fn is_put_back(&mut self) -> bool {
        let request = self.waiting.take_if(|_| self.kept);
        request.is_some_and(|request| {
            self.progress.borrow_mut().requests.push_front(request);
            true
        })
    }

    fn lose(&mut self, error: io::Error) -> Flow {
        let mut progress = self.progress.borrow_mut();
        // A dial that failed names whom it was for.
        let error = if progress.key.is_some() { about(&self.peer, error) } else { error };
        progress.failure.get_or_insert(error);
        Flow::Abort
    }
}

impl Protocol for Client {
    fn open(&mut self, out: &mut Out<'_, '_>) -> Flow {
        self.progress.borrow_mut().key = Some(out.key());
        self.ask(out)
    }

    /// Without input: looks whether there is something to send, see [`Reactor::poke`](crate::Reactor::poke).
    fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
        if input.is_empty() {
            return self.ask(out);
        }
        let (message, used) = match self.decoder.decode(input) {
            Ok(Decoded::Message { message, used }) => (message, used),
            Ok(Decoded::Need(need)) => {
                self.kept = false;
                if self.decoder.knows_length() {
                    out.header_done();
                }
                return Flow::More { used: 0, need };
            }
            Err(error) => return self.lose(error.into()),
        };
        if self.waiting.take().is_none() {
            return self.lose(io::Error::new(io::ErrorKind::InvalidData, "a reply that nobody asked for"));
        }
        self.show(&message);
        self.progress.borrow_mut().replies += 1;
        self.kept = true;
        if !message.header().keep_alive() {
            return Flow::Close;
        }
        match self.ask(out) {
            Flow::More { .. } => Flow::More { used, need: Decoder::LEAST },
            flow => flow,
        }
    }

    fn end(&mut self, rest: &[u8], _out: &mut Out<'_, '_>) -> Flow {
        if let Err(error) = self.decoder.end(rest) {
            return self.lose(error.into());
        }
        if !self.is_put_back() && self.waiting.is_some() {
            return self.lose(io::Error::new(io::ErrorKind::UnexpectedEof, "closed before a reply came"));
        }
        Flow::Close
    }

    fn expired(&mut self, what: Deadline, _out: &mut Out<'_, '_>) -> Flow {
        if what == Deadline::Idle && self.waiting.is_none() {
            // Silent are we.
            return Flow::MORE;
        }
        self.lose(io::Error::new(io::ErrorKind::TimedOut, what.to_string()))
    }

    fn failed(&mut self, error: io::Error) {
        if !self.is_put_back() {
            let _ = self.lose(error);
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let mut progress = self.progress.borrow_mut();
        progress.over = true;
        // One that was never made is not closed.
        if progress.key.take().is_some() {
            self.transcript.say(format_args!("Closing connection to {}", self.peer));
        }
    }
}
