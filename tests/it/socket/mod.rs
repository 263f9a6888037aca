//! Sockets: connecting, listening, moving bytes and datagrams.

mod connecting;
mod datagrams;
mod files;
mod moving;
mod waits;
