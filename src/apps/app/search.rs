//! The service everybody knows: a search in a small table.

use std::collections::HashMap;

use super::JSON;
use super::server::Reply;
use crate::message::{ContentError, Message};

/// Looks values up in a table.
///
/// A JSON request is `{"action": "search", "value": VALUE}`. Anything that is not `text/json` is answered with its first bytes.
///
/// ```
/// let search = selkey::apps::app::Search::default();
/// assert_eq!(search.find("morpheus"), Some("Follow the white rabbit. 🐰"));
/// ```
#[derive(Clone, Debug)]
pub struct Search {
    table: HashMap<String, String>,
}

const TABLE: [(&str, &str); 3] = [
    ("morpheus", "Follow the white rabbit. 🐰"),
    ("ring", "In the caves beneath the Misty Mountains. 💍"),
    ("🐶", "🐾 Playing ball! 🏐"),
];

/// How much of a request that is not JSON comes back.
const FIRST: usize = 10;

impl Default for Search {
    /// The table of the tutorial.
    fn default() -> Search {
        TABLE.into_iter().collect()
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Search {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Search {
        Search { table: entries.into_iter().map(|(value, result)| (value.into(), result.into())).collect() }
    }
}

impl Search {
    /// What the table has for a value.
    pub fn find(&self, value: &str) -> Option<&str> {
        self.table.get(value).map(String::as_str)
    }

    /// Answers a request; every one gets a result, one that cannot be understood the reason.
    pub fn answer(&self, request: &Message<'_>, reply: &mut Reply) {
        if request.header().content_type() != JSON {
            let first = &request.content()[..request.content().len().min(FIRST)];
            reply.bytes("binary/custom-server-binary-type", "binary", &[b"First 10 bytes of request: ", first]);
        } else if let Err(error) = self.answer_json(request, reply) {
            reply.error(error);
        }
    }

    fn answer_json(&self, request: &Message<'_>, reply: &mut Reply) -> Result<(), ContentError> {
        let object = request.object()?;
        let action = object.string("action")?;
        if action != "search" {
            reply.error(format_args!("invalid action '{action}'."));
            return Ok(());
        }
        let value = object.string("value")?;
        match self.find(&value) {
            Some(result) => reply.result(result),
            None => reply.result_of(format_args!("No match for '{value}'.")),
        }
        Ok(())
    }
}
