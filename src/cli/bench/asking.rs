//! The application protocol's client, as the load generator sees it.

use selkey::apps::app::Request;
use selkey::load::{Exchange, Reply};
use selkey::message::{Decoded, Decoder, Header, Message};

const VALUE: &str = "morpheus";
const RESULT: &str = "Follow the white rabbit. 🐰";

/// Asks for the same again and again on a connection that is kept, and looks at each answer.
#[derive(Clone)]
pub struct Asking {
    request: Vec<u8>,
}

impl Asking {
    pub fn new() -> Asking {
        let (content, mut request) = (Request::new("search", VALUE), Vec::new());
        let header = Header::new("text/json", "utf-8", content.content().len()).with_keep_alive();
        // It fails for names longer than a header can be.
        let _ = header.encode(|bytes| request.extend_from_slice(bytes));
        request.extend_from_slice(content.content());
        Asking { request }
    }

    /// How long a request is.
    pub fn size(&self) -> usize {
        self.request.len()
    }
}

impl Exchange for Asking {
    fn request(&mut self, _connection: u64, _number: u64) -> &[u8] {
        &self.request
    }

    fn reply(&mut self, _connection: u64, _number: u64, input: &[u8]) -> Reply {
        match Decoder::new().decode(input) {
            Ok(Decoded::Need(need)) => Reply::Part { need },
            Ok(Decoded::Message { message, used }) => match wrong(&message) {
                None => Reply::Whole(used),
                Some(why) => Reply::Wrong(why),
            },
            Err(error) => Reply::Wrong(error.to_string()),
        }
    }
}

fn wrong(reply: &Message<'_>) -> Option<String> {
    let object = match reply.object() {
        Ok(object) => object,
        Err(error) => return Some(error.to_string()),
    };
    match object.string("result") {
        Ok(result) if result == RESULT => {
            (!reply.header().keep_alive()).then(|| "the server does not keep the connection".to_owned())
        }
        Ok(result) => Some(format!("the result is {result:?}, not {RESULT:?}")),
        Err(error) => Some(error.to_string()),
    }
}
