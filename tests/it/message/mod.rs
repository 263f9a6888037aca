//! Codecs, without a socket.

mod framing;
