//! What a protocol sends: lent pieces of its input and bytes it wrote, in order.

use std::io::{self, IoSlice};
use std::ops::Range;
use std::{fmt, mem};

use super::deadlines::Tick;
use super::desk::{RECEIVE, Shared};
use super::sink::Sink;
use crate::selector::Key;

/// Where a protocol puts what it sends. The loop sends it when the protocol returns, in the same turn.
///
/// Also a [`fmt::Write`] and an [`io::Write`], neither of which ever fails.
#[derive(Debug)]
pub struct Out<'i, 'o> {
    input: &'i [u8],
    /// What was lent last; it goes to the queue only when something else follows, so an echo never touches the queue.
    lent: &'i [u8],
    shared: &'o mut Shared,
    /// Bytes of this connection that the kernel refused before.
    waiting: usize,
    key: Key,
}

impl<'i, 'o> Out<'i, 'o> {
    #[inline]
    pub(super) fn new(input: &'i [u8], shared: &'o mut Shared, waiting: usize, key: Key) -> Out<'i, 'o> {
        Out { input, lent: &[], shared, waiting, key }
    }

    /// Sends a part of the input without copying it: from the receive buffer straight to the kernel. Neighbours become one piece.
    #[inline]
    pub fn lend(&mut self, part_of_input: &'i [u8]) {
        if self.lent.is_empty() {
            self.lent = part_of_input;
        } else {
            self.lent = self.shared.queue.join(self.input, self.lent, part_of_input);
        }
    }

    /// Sends these bytes; they are copied once.
    #[inline]
    pub fn write(&mut self, bytes: &[u8]) {
        self.settle();
        self.shared.queue.write(bytes);
    }

    /// Whether the high-water mark is reached. Then answer [`Flow::Later`](super::Flow::Later): the rest of the input comes again once the peer has taken its part.
    pub fn is_full(&self) -> bool {
        self.queued() >= self.shared.limits.high_water
    }

    /// How many bytes wait to be sent on this connection.
    pub fn queued(&self) -> usize {
        self.waiting + self.shared.queue.len + self.lent.len()
    }

    /// Says that the header of the message that lies unfinished in the input is whole: from here on the deadline of its content counts,
    /// [`message_timeout`](super::Limits::message_timeout). Without it all of the message is due by the deadline of the header, with
    /// 1 s more for each [`min_rate`](super::Limits::min_rate) bytes that the protocol asked for.
    pub fn header_done(&mut self) {
        self.shared.header_done = true;
    }

    /// Whether the loop [drains](super::Handle::drain): what is sent now should be the last word.
    pub fn is_draining(&self) -> bool {
        self.shared.draining.is_some()
    }

    /// The connection's key, good for [`poke`](super::Reactor::poke).
    pub fn key(&self) -> Key {
        self.key
    }

    /// What is lent, where that is all there is to send.
    #[inline(always)]
    pub(super) fn lent_alone(&self) -> Option<&'i [u8]> {
        let alone = self.waiting == 0 && self.shared.queue.pieces.is_empty() && !self.lent.is_empty();
        alone.then_some(self.lent)
    }

    /// What was lent went out, and was the whole answer.
    #[inline(always)]
    pub(super) fn count(self, sent: usize) {
        self.shared.stats.sent += sent as u64;
        self.shared.stats.requests += 1;
        self.shared.header_done = false;
    }

    /// Of what was lent this much went out; the rest is kept elsewhere.
    #[cold]
    pub(super) fn lent_is_sent(&mut self, sent: usize) {
        self.shared.stats.sent += sent as u64;
        self.lent = &[];
    }

    pub(super) fn now(&self) -> Tick {
        self.shared.now
    }

    /// Sends what was collected, unless something waits before it, and hands every piece that is left to `keep`, in order. Answers with the queue empty.
    pub(super) fn deliver(mut self, sink: &mut impl Sink, keep: impl FnMut(&[u8])) -> (io::Result<()>, &'o mut Shared) {
        self.settle();
        let Shared { queue, stats, .. } = &mut *self.shared;
        let outcome = if self.waiting > 0 { Ok(0) } else { queue.send(self.input, sink) };
        let outcome = outcome.map(|sent| {
            stats.sent += sent as u64;
            queue.left(sent, self.input, keep);
        });
        queue.clear();
        (outcome, self.shared)
    }

    /// Forgets what was collected. Answers with the queue empty.
    pub(super) fn forget(self) -> &'o mut Shared {
        self.shared.queue.clear();
        self.shared.header_done = false;
        self.shared
    }

    #[inline]
    fn settle(&mut self) {
        if !self.lent.is_empty() {
            self.shared.queue.lend(self.input, mem::take(&mut self.lent));
        }
    }
}

impl fmt::Write for Out<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        Out::write(self, text.as_bytes());
        Ok(())
    }
}

impl io::Write for Out<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Out::write(self, bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What `Out` collects. One serves all connections of a loop, so that a message allocates nothing.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pieces: Vec<Piece>,
    written: Vec<u8>,
    len: usize,
}

#[derive(Debug)]
struct Piece {
    source: Source,
    range: Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Input,
    Written,
}

/// What a burst may leave allocated.
const KEEP_WRITTEN: usize = 4 * RECEIVE;

/// Pieces handed to the kernel at a time.
const AT_ONCE: usize = 16;

impl Queue {
    /// Queues what was lent before, unless `next` follows it in the input; answers what is lent now.
    fn join<'i>(&mut self, input: &'i [u8], before: &'i [u8], next: &'i [u8]) -> &'i [u8] {
        if let (Some(first), Some(second)) = (position(input, before), position(input, next))
            && first.end == second.start
        {
            return &input[first.start..second.end];
        }
        self.lend(input, before);
        next
    }

    /// Queues a part of the input by its place there; a slice from elsewhere is copied.
    fn lend(&mut self, input: &[u8], part: &[u8]) {
        match position(input, part) {
            Some(range) => self.push(Source::Input, range),
            None => self.write(part),
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        let from = self.written.len();
        self.written.extend_from_slice(bytes);
        self.push(Source::Written, from..self.written.len());
    }

    fn push(&mut self, source: Source, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        self.len += range.len();
        match self.pieces.last_mut() {
            Some(last) if last.source == source && last.range.end == range.start => last.range.end = range.end,
            _ => self.pieces.push(Piece { source, range }),
        }
    }

    /// What is left behind the first `sent` bytes.
    fn left(&self, sent: usize, input: &[u8], mut keep: impl FnMut(&[u8])) {
        let mut skip = sent;
        for piece in &self.pieces {
            let bytes = piece.bytes(input, &self.written);
            let skipped = skip.min(bytes.len());
            if skipped < bytes.len() {
                keep(&bytes[skipped..]);
            }
            skip -= skipped;
        }
    }

    /// Forgets what was collected.
    fn clear(&mut self) {
        self.pieces.clear();
        self.written.clear();
        self.written.shrink_to(KEEP_WRITTEN);
        self.len = 0;
    }

    fn send(&self, input: &[u8], sink: &mut impl Sink) -> io::Result<usize> {
        if self.pieces.is_empty() {
            return Ok(0);
        }
        if let [piece] = self.pieces.as_slice() {
            return sink.send(piece.bytes(input, &self.written), false);
        }
        let mut sent = 0;
        let mut batches = self.pieces.chunks(AT_ONCE).peekable();
        while let Some(batch) = batches.next() {
            let mut slices = [IoSlice::new(&[]); AT_ONCE];
            let mut offered = 0;
            for (slice, piece) in slices.iter_mut().zip(batch) {
                let bytes = piece.bytes(input, &self.written);
                offered += bytes.len();
                *slice = IoSlice::new(bytes);
            }
            let taken = sink.send_slices(&slices[..batch.len()], batches.peek().is_some())?;
            sent += taken;
            if taken < offered {
                break;
            }
        }
        Ok(sent)
    }
}

impl Piece {
    fn bytes<'a>(&self, input: &'a [u8], written: &'a [u8]) -> &'a [u8] {
        let all = match self.source {
            Source::Input => input,
            Source::Written => written,
        };
        &all[self.range.clone()]
    }
}

/// Where `part` lies in `input`, if it does.
fn position(input: &[u8], part: &[u8]) -> Option<Range<usize>> {
    let from = part.as_ptr().addr().checked_sub(input.as_ptr().addr())?;
    let to = from.checked_add(part.len())?;
    (to <= input.len()).then_some(from..to)
}
