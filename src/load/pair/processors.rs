//! Whose processors are whose, while something is measured.

use std::io;
use std::marker::PhantomData;

use crate::sys;

/// Keeps the calling thread, and what it starts, on some processors as long as this lives.
///
/// ```
/// use selkey::load::pair::{Pinned, processors};
///
/// # fn main() -> std::io::Result<()> {
/// # #[cfg(target_os = "linux")] {
/// let all = processors()?;
/// let pinned = Pinned::to(&all[..1])?;
/// assert_eq!(processors()?, all[..1]);
/// drop(pinned);
/// assert_eq!(processors()?, all);
/// # }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Pinned {
    before: Vec<usize>,
    /// It is about the thread that made it.
    _stays: PhantomData<*const ()>,
}

impl Pinned {
    /// To these processors, counted from 0. To none: changes nothing.
    ///
    /// # Errors
    /// There is no such processor, the process may not use it, or the system has no way to say so; the error names the processors.
    pub fn to(processors: &[usize]) -> io::Result<Pinned> {
        let before = if processors.is_empty() { Vec::new() } else { sys::processors()? };
        if !before.is_empty() {
            sys::pin_thread(processors).map_err(|error| {
                io::Error::new(error.kind(), format!("cannot use the processors {processors:?} of {before:?}: {error}"))
            })?;
        }
        Ok(Pinned { before, _stays: PhantomData })
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        if !self.before.is_empty() {
            // They were allowed before.
            let _ = sys::pin_thread(&self.before);
        }
    }
}

/// The processors that the calling thread may use, counted from 0.
///
/// # Errors
/// The system has no way to say so (Linux and Android have, sched_getaffinity(2)).
pub fn processors() -> io::Result<Vec<usize>> {
    sys::processors()
}
