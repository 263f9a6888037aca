//! Messages in a stream of bytes: codecs without I/O, clock or role, so that both ends share every line.

pub mod framing;
