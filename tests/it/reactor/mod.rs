//! What the loop promises, each as a test with real sockets.

mod backends;
mod close;
mod cost;
mod dial;
mod drain;
mod echo;
mod end;
mod full;
mod handle;
mod later;
mod lend;
mod listen;
mod need;
mod poke;
pub mod quiet;
mod resets;
mod retry;
mod starved;
pub mod support;
mod wait;
mod within;
