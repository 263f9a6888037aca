//! What watches the sockets, as an argument.

use std::io;

use selkey::backend::{Backend, DefaultBackend, Poll, Select};

#[derive(Clone, Copy, clap::ValueEnum)]
pub enum BackendName {
    Epoll,
    Poll,
    Select,
}

/// A program that runs on any backend.
pub trait OnBackend {
    /// What it comes to.
    type Outcome;
    fn serve<B: Backend + 'static>(self, backend: B) -> io::Result<Self::Outcome>;
}

impl BackendName {
    /// Runs the program on the backend of this name.
    pub fn run<P: OnBackend>(self, program: P) -> io::Result<P::Outcome> {
        match self {
            BackendName::Epoll => program.serve(DefaultBackend::new()?),
            BackendName::Poll => program.serve(Poll::new()?),
            BackendName::Select => program.serve(Select::new()?),
        }
    }
}
