//! A listener: bound, with a long queue, ready for a restart.

use std::net::{SocketAddr, TcpListener};
use std::ops::Deref;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::{fs, io};

use socket2::{SockAddr, Socket};

use super::dial::stream;
use super::{Address, Dial, Options, Role, dial, name};
use crate::error::about;

/// A listening socket, and the file that stands for it in the file system if it is a Unix-domain one.
///
/// The file is removed with the listener, unless another process has put its own there since.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    file: Option<SocketFile>,
}

/// A non-blocking listener on the first address that can be bound.
///
/// By default SO_REUSEADDR is set, so that a server can be started again at once; TCP_NODELAY is set and, on Linux, inherited by what is
/// accepted; `::` listens on IPv4 too. The system may shorten the backlog of 4096 (Linux: `net.core.somaxconn`).
///
/// For `unix:PATH` the socket's file is made. What is there already is left alone, except for a socket that nobody listens on any more.
///
/// # Errors
/// The address is not known, in use or not ours; there is something else at the path; an option is refused. The error names it.
pub fn listen(address: &Address, options: &Options) -> io::Result<Listener> {
    let mut outcome = Err(io::ErrorKind::AddrNotAvailable.into());
    for candidate in address.resolve()? {
        let bound = match candidate.as_pathname() {
            Some(path) => bind_path(path, &candidate, options),
            None => bind(&candidate, options).map(Listener::from),
        };
        outcome = bound.map_err(|error| about(format_args!("cannot listen on {}", name(&candidate)), error));
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

fn bind(address: &SockAddr, options: &Options) -> io::Result<Socket> {
    let socket = stream(address)?;
    options.apply(&socket, Role::Listener)?;
    socket.bind(address)?;
    socket.listen(options.backlog_for_listen())?;
    Ok(socket)
}

fn bind_path(path: &Path, address: &SockAddr, options: &Options) -> io::Result<Listener> {
    remove_stale(path, address)?;
    let socket = stream(address)?;
    options.apply(&socket, Role::Listener)?;
    socket.bind(address)?;
    let file = SocketFile::at(path)?;
    socket.listen(options.backlog_for_listen())?;
    Ok(Listener { socket, file: Some(file) })
}

/// Removes a socket's file that a server left behind: one whose connect is refused.
fn remove_stale(path: &Path, address: &SockAddr) -> io::Result<()> {
    let there = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        there => there?,
    };
    if !there.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "something that is no socket is there"));
    }
    match dial(address, &Options::default())? {
        (_, Dial::Failed(libc::ECONNREFUSED)) => fs::remove_file(path),
        _ => Err(io::Error::from_raw_os_error(libc::EADDRINUSE)),
    }
}

impl Listener {
    /// The port and interface listened on; `None` for a Unix-domain socket.
    pub fn bound(&self) -> Option<SocketAddr> {
        self.socket.local_addr().ok()?.as_socket()
    }

    pub(crate) fn into_parts(self) -> (Socket, Option<SocketFile>) {
        (self.socket, self.file)
    }
}

impl Deref for Listener {
    type Target = Socket;
    fn deref(&self) -> &Socket {
        &self.socket
    }
}

impl From<Socket> for Listener {
    fn from(socket: Socket) -> Listener {
        Listener { socket, file: None }
    }
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Listener {
        Socket::from(listener).into()
    }
}

/// Its file stays when the listener goes: whoever bound it owns that.
impl From<UnixListener> for Listener {
    fn from(listener: UnixListener) -> Listener {
        Socket::from(listener).into()
    }
}

/// The file of a bound Unix-domain socket; removed when this is dropped, if it is still the same file.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

impl SocketFile {
    fn at(path: &Path) -> io::Result<SocketFile> {
        // The current directory may change before the file is removed.
        Ok(SocketFile { path: std::path::absolute(path)?, identity: identity(path)? })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|found| found == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}
