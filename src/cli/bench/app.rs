//! Searches of the application protocol as a load.

use std::io;

use selkey::apps::app::Search;
use selkey::load::{Exchange, Reply};
use selkey::message::{Decoded, Decoder, Header, Message, dumps};

const VALUE: &str = "morpheus";

/// The same search again and again, and the right reply: as our server writes it, or the same in other words.
#[derive(Clone)]
pub struct Searches {
    request: Vec<u8>,
    reply: Vec<u8>,
}

impl Searches {
    /// On connections that the server shall keep, or for one request each.
    pub fn new(kept: bool) -> io::Result<Searches> {
        let table = Search::default();
        let result = table.find(VALUE).unwrap_or_default();
        let request = message(&dumps(&[("action", "search"), ("value", VALUE)]).to_string(), kept)?;
        Ok(Searches { request, reply: message(&dumps(&[("result", result)]).to_string(), kept)? })
    }
}

impl Searches {
    /// A reply of the same meaning: JSON may be written in many ways. Whoever writes it so is expected to go on doing it.
    #[cold]
    fn in_other_words(&mut self, input: &[u8]) -> Option<Reply> {
        let (mut theirs, mut ours) = (Decoder::new(), Decoder::new());
        let (message, used) = match theirs.decode(input) {
            Ok(Decoded::Message { message, used }) => (message, used),
            Ok(Decoded::Need(need)) => return Some(Reply::Part { need }),
            Err(_) => return None,
        };
        let Ok(Decoded::Message { message: right, .. }) = ours.decode(&self.reply) else { return None };
        let result = |message: &Message<'_>| Some(message.object().ok()?.string("result").ok()?.into_owned());
        let is_right =
            result(&message)? == result(&right)? && message.header().keep_alive() == right.header().keep_alive();
        is_right.then(|| {
            self.reply = input[..used].to_vec();
            Reply::Whole(used)
        })
    }

    /// How long a request is.
    pub fn size(&self) -> usize {
        self.request.len()
    }
}

fn message(content: &str, kept: bool) -> io::Result<Vec<u8>> {
    let header = Header::new("text/json", "utf-8", content.len());
    let header = if kept { header.with_keep_alive() } else { header };
    let mut wire = Vec::new();
    header.encode(|bytes| wire.extend_from_slice(bytes)).map_err(io::Error::from)?;
    wire.extend_from_slice(content.as_bytes());
    Ok(wire)
}

impl Exchange for Searches {
    fn request(&mut self, _connection: u64, _number: u64) -> &[u8] {
        &self.request
    }

    fn reply(&mut self, _connection: u64, number: u64, input: &[u8]) -> Reply {
        let length = self.reply.len();
        match input.get(..length) {
            Some(reply) if reply == self.reply => Reply::Whole(length),
            None if self.reply.starts_with(input) => Reply::Part { need: length },
            _ => self.in_other_words(input).unwrap_or_else(|| {
                let same = input.iter().zip(&self.reply).take_while(|(came, right)| came == right).count();
                Reply::Wrong(format!("byte {same} of reply {number} to the search for '{VALUE}' differs"))
            }),
        }
    }
}
