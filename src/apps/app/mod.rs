//! The application protocol's server and client. What a server does with a request is a function from message to reply; the search is one such service.
//!
//! ```
//! use selkey::apps::app::{Reply, Server};
//! use selkey::message::Message;
//! use selkey::Reactor;
//!
//! # fn main() -> std::io::Result<()> {
//! let shout = Server::new(|request: &Message<'_>, reply: &mut Reply| match request.text() {
//!     Ok(text) => reply.result(&text.to_uppercase()),
//!     Err(error) => reply.error(error),
//! });
//! let mut reactor = Reactor::new()?;
//! let address = reactor.listen("127.0.0.1:0", move |socket| shout.accept(socket))?;
//! # reactor.handle().stop();
//! reactor.run()?;
//! # Ok(())
//! # }
//! ```

mod client;
mod search;
mod server;

pub use client::{Client, Progress, Request};
pub use search::Search;
pub use server::{Connection, Reply, Server};

/// What requests and results are.
const JSON: &str = "text/json";
