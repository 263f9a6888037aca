//! `http-get` against servers of every kind.

mod answers;
mod files;
mod python;
mod unfinished;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::{JoinHandle, spawn};

use tempfile::{TempDir, tempdir};

use super::support::{Ended, Program, accept, selkey};
use crate::harness::PATIENCE;

/// A server for one request.
pub struct Peer {
    pub address: SocketAddr,
    serving: JoinHandle<String>,
}

impl Peer {
    /// Sends the pieces one after the other and closes. Whoever asked may leave in between.
    pub fn start(pieces: &[&[u8]]) -> Peer {
        let pieces: Vec<Vec<u8>> = pieces.iter().map(|piece| piece.to_vec()).collect();
        Peer::on("127.0.0.1", move |stream| {
            let _ = pieces.iter().try_for_each(|piece| stream.write_all(piece));
        })
    }

    /// Hands the connection to `answer` once the request is there.
    pub fn on(host: &str, answer: impl FnOnce(&mut TcpStream) + Send + 'static) -> Peer {
        let listener = TcpListener::bind((host, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let serving = spawn(move || {
            let mut stream = accept(&listener);
            stream.set_write_timeout(Some(PATIENCE)).unwrap();
            stream.set_nodelay(true).unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.push(byte[0]);
            }
            answer(&mut stream);
            String::from_utf8(request).unwrap()
        });
        Peer { address, serving }
    }

    pub fn url(&self) -> String {
        format!("http://{}/file", self.address)
    }

    /// What was asked, when all is over.
    pub fn request(self) -> String {
        self.serving.join().unwrap()
    }
}

/// `http-get` in this directory.
fn command(directory: &Path, args: &[&str]) -> Command {
    let mut command = selkey();
    command.arg("http-get").args(args).current_dir(directory).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn start(directory: &Path, args: &[&str]) -> Program {
    Program::of(&mut command(directory, args))
}

/// The files of a directory with what is in them, sorted.
fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries
        // What is unfinished may be gone by now.
        .filter_map(|path| match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            content => Some((path.file_name().unwrap().to_str().unwrap().to_owned(), content.unwrap())),
        })
        .collect();
    files.sort();
    files
}

/// Fetches what a server sends in these pieces, into a directory of its own.
fn fetch(pieces: &[&[u8]], options: &[&str]) -> (Ended, TempDir) {
    let (peer, directory) = (Peer::start(pieces), tempdir().unwrap());
    let ended = start(directory.path(), &[&[&*peer.url()], options].concat()).end();
    peer.request();
    (ended, directory)
}

/// What is said about such an answer, of which no file is left. The URL in front is left out.
fn failure(pieces: &[&[u8]], options: &[&str]) -> String {
    let (ended, directory) = fetch(pieces, options);
    assert_eq!((ended.status, ended.errors.len()), (Some(1), 1), "{ended:?}");
    assert_eq!(files(directory.path()), [], "{ended:?}");
    let said = ended.errors[0].strip_prefix("error: http://127.0.0.1:").and_then(|said| said.split_once("/file: "));
    said.unwrap_or_else(|| panic!("{ended:?}")).1.to_owned()
}

/// The body of such an answer.
fn body(pieces: &[&[u8]]) -> Vec<u8> {
    let (ended, directory) = fetch(pieces, &[]);
    assert!(ended.status == Some(0) && ended.errors.is_empty(), "{ended:?}");
    let mut files = files(directory.path());
    assert_eq!((files.len(), &*files[0].0), (1, "file"));
    files.remove(0).1
}
