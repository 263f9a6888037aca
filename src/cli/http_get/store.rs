//! Where the body goes: a file that appears when it is whole, standard output, or something that is no file, like /dev/null.

use std::fs::{self, File, Permissions};
use std::io::{self, Write, stdout};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use selkey::apps::http_get::Url;
use tempfile::{Builder, NamedTempFile};

use super::super::output::say;
use super::super::usage::refuse;

pub struct Store {
    to: To,
    /// The file while it is not whole. Whoever drops it removes it.
    unfinished: Arc<Mutex<Option<NamedTempFile>>>,
    stored: u64,
}

enum To {
    Stdout,
    File { path: PathBuf, overwrite: bool, mode: Permissions },
    Device { path: PathBuf, open: Option<File> },
}

impl Store {
    /// Nothing is made yet. Ends the program over a URL that names no file where `-o` does not either.
    pub fn at(output: Option<&Path>, url: &Url) -> io::Result<Store> {
        let path = match output.or_else(|| url.name().map(Path::new)) {
            Some(path) => path,
            None => refuse(&format!("{url} ends in no name for a file: give -o FILE")),
        };
        let to = match fs::metadata(path) {
            _ if output.is_some_and(|output| output == "-") => To::Stdout,
            Ok(there) if there.is_dir() => return Err(about(path, "it is a directory; give -o FILE")),
            Ok(_) if output.is_none() => return Err(about(path, "it is there already; -o FILE overwrites")),
            Ok(there) if !there.is_file() => To::Device { path: path.to_owned(), open: None },
            // What a link leads to is replaced, not the link.
            Ok(there) => {
                let path = path.canonicalize().map_err(|error| about(path, error))?;
                To::File { path, overwrite: true, mode: there.permissions() }
            }
            // As any other file is made: the umask takes away from it.
            Err(_) => {
                let mode = Permissions::from_mode(0o666);
                To::File { path: path.to_owned(), overwrite: output.is_some(), mode }
            }
        };
        Ok(Store { to, unfinished: Arc::default(), stored: 0 })
    }

    pub fn is_stdout(&self) -> bool {
        matches!(self.to, To::Stdout)
    }

    pub fn unfinished(&self) -> &Arc<Mutex<Option<NamedTempFile>>> {
        &self.unfinished
    }

    pub fn open(&mut self) -> io::Result<()> {
        match &mut self.to {
            To::Stdout => {}
            To::Device { path, open } => {
                *open = Some(File::options().write(true).open(&*path).map_err(|e| about(path, e))?)
            }
            To::File { path, mode, .. } => {
                // Locked, so that nobody exits while the file is made but not known.
                let mut file = lock(&self.unfinished);
                // Beside it, since a rename does not lead from one file system to another.
                let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
                let made = Builder::new().prefix(".selkey-").suffix(".part").permissions(mode.clone()).tempfile_in(dir);
                *file = Some(made.map_err(|error| about(path, error))?);
            }
        }
        Ok(())
    }

    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stored += bytes.len() as u64;
        match &mut self.to {
            // As it is: a broken pipe has to be known.
            To::Stdout => stdout().write_all(bytes),
            To::Device { path, open } => {
                open.as_mut().map_or(Ok(()), |file| file.write_all(bytes)).map_err(|e| about(path, e))
            }
            To::File { path, .. } => {
                let mut file = lock(&self.unfinished);
                file.as_mut().map_or(Ok(()), |file| file.write_all(bytes)).map_err(|error| about(path, error))
            }
        }
    }

    /// The body is whole.
    pub fn finish(self) -> io::Result<()> {
        let path = match &self.to {
            To::Stdout => return stdout().flush(),
            To::Device { path, .. } => path,
            To::File { path, overwrite, .. } => {
                let mut file = lock(&self.unfinished);
                let persist = if *overwrite { NamedTempFile::persist } else { NamedTempFile::persist_noclobber };
                if let Some(file) = file.take() {
                    persist(file, path).map_err(|error| about(path, error.error))?;
                }
                path
            }
        };
        say(format_args!("Stored {} bytes in {}", self.stored, path.display()));
        Ok(())
    }
}

impl Drop for Store {
    /// Those who wait for signals hold on to the file too.
    fn drop(&mut self) {
        lock(&self.unfinished).take();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The kind is left out: what it hints at is meant for sockets.
fn about(path: &Path, why: impl std::fmt::Display) -> io::Error {
    io::Error::other(format!("cannot store in {}: {why}", path.display()))
}
