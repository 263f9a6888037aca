//! Searches of the application protocol as a load.

use std::io;

use selkey::apps::app::Search;
use selkey::load::{Exchange, Reply};
use selkey::message::{Header, dumps};

const VALUE: &str = "morpheus";

/// The same search again and again, and the one right reply.
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
            _ => {
                let same = input.iter().zip(&self.reply).take_while(|(came, right)| came == right).count();
                Reply::Wrong(format!("byte {same} of reply {number} to the search for '{VALUE}' differs"))
            }
        }
    }
}
