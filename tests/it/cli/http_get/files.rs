//! Where the body goes, and what is refused before anybody is asked.

use std::fs::{self, File, Permissions};
use std::io::{Read, Write, pipe};
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, symlink};

use selkey::socket::Socket;
use socket2::{Domain, Type};
use tempfile::tempdir;

use super::{Peer, command, files, start};
use crate::cli::support::Program;
use crate::harness::alone;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\nnew\n";

#[test]
fn a_file_that_is_there_is_kept_unless_it_is_named() {
    let directory = tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "old").unwrap();
    let ended = start(directory.path(), &["http://127.0.0.1:1/file"]).end();
    let said = "error: cannot store in file: it is there already; -o FILE overwrites";
    assert_eq!((ended.status, ended.errors), (Some(1), vec![said.to_owned()]));
    assert_eq!(fs::read(&file).unwrap(), b"old");

    start(directory.path(), &["-o", "file", &Peer::start(&[ANSWER]).url()]).succeed();
    assert_eq!(files(directory.path()), [("file".to_owned(), b"new\n".to_vec())]);
}

#[test]
fn a_file_that_comes_while_the_body_does_is_kept_too() {
    let directory = tempdir().unwrap();
    let file = directory.path().join("file");
    let peer = Peer::on("127.0.0.1", {
        let file = file.clone();
        move |stream| {
            fs::write(&file, "old").unwrap();
            stream.write_all(ANSWER).unwrap();
        }
    });
    let ended = start(directory.path(), &[&peer.url()]).end();
    assert_eq!(ended.status, Some(1));
    assert!(ended.errors[0].starts_with("error: cannot store in file: "), "{ended:?}");
    assert_eq!(files(directory.path()), [("file".to_owned(), b"old".to_vec())]);
}

#[test]
fn a_failed_fetch_keeps_the_file_it_would_have_replaced() {
    let directory = tempdir().unwrap();
    fs::write(directory.path().join("file"), "old").unwrap();
    let peer = Peer::start(&[b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nnew"]);
    assert_eq!(start(directory.path(), &["-o", "file", &peer.url()]).end().status, Some(1));
    assert_eq!(files(directory.path()), [("file".to_owned(), b"old".to_vec())]);
}

#[test]
fn a_file_is_one_like_others_and_what_is_replaced_keeps_its_mode_and_its_links() {
    let directory = tempdir().unwrap();
    let mode = |name: &str| fs::metadata(directory.path().join(name)).unwrap().permissions().mode();
    start(directory.path(), &[&Peer::start(&[ANSWER]).url()]).succeed();
    let other = directory.path().join("other");
    fs::write(&other, "old").unwrap();
    assert_eq!(mode("file"), mode("other"));

    fs::set_permissions(&other, Permissions::from_mode(0o600)).unwrap();
    symlink("other", directory.path().join("link")).unwrap();
    start(directory.path(), &["-o", "link", &Peer::start(&[ANSWER]).url()]).succeed();
    assert!(fs::symlink_metadata(directory.path().join("link")).unwrap().is_symlink());
    assert_eq!((fs::read(&other).unwrap(), mode("other") & 0o777), (b"new\n".to_vec(), 0o600));
}

#[test]
fn a_minus_is_standard_output_and_leaves_the_header_to_standard_error() {
    let directory = tempdir().unwrap();
    let body = directory.path().join("body");
    let all: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let peer = Peer::start(&[b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n", &all]);
    let mut command = command(directory.path(), &[&peer.url(), "-o", "-"]);
    let ended = Program::of(command.stdout(File::create(&body).unwrap())).end();
    assert_eq!((ended.status, ended.errors), (Some(0), ["HTTP/1.1 200 OK", "Server: x", ""].map(str::to_owned).into()));
    assert!(fs::read(&body).unwrap() == all);
    assert_eq!(files(directory.path()).len(), 1);
}

#[test]
fn a_reader_of_the_body_that_goes_away_is_no_failure() {
    // Alone, since whoever starts a process elsewhere has a copy of the reading end for a moment.
    alone(concat!(module_path!(), "::a_reader_of_the_body_that_goes_away_is_no_failure"), || {
        let directory = tempdir().unwrap();
        let peer = Peer::start(&[b"HTTP/1.1 200 OK\r\n\r\n", &vec![b'x'; 10_000_000]]);
        let (mut reader, writer) = pipe().unwrap();
        let mut command = command(directory.path(), &[&peer.url(), "-o", "-"]);
        let program = Program::of(command.stdout(writer));
        drop(command);
        reader.read_exact(&mut [0; 10]).unwrap();
        drop(reader);
        let ended = program.end();
        assert_eq!((ended.status, ended.errors), (Some(0), ["HTTP/1.1 200 OK", ""].map(str::to_owned).into()));
    });
}

#[test]
fn what_is_no_file_is_written_as_it_is() {
    let directory = tempdir().unwrap();
    let lines = start(directory.path(), &["-o", "/dev/null", &Peer::start(&[ANSWER]).url()]).succeed();
    assert_eq!(lines.last().unwrap(), "Stored 4 bytes in /dev/null");
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
    assert_eq!(files(directory.path()), []);
}

#[test]
fn a_place_where_nothing_can_be_stored_is_named() {
    let directory = tempdir().unwrap();
    fs::create_dir(directory.path().join("directory")).unwrap();
    let ended = start(directory.path(), &["-o", "directory", "http://127.0.0.1:1/"]).end();
    assert_eq!(ended.errors, ["error: cannot store in directory: it is a directory; give -o FILE"]);
    let ended = start(directory.path(), &["-o", "missing/file", &Peer::start(&[ANSWER]).url()]).end();
    assert_eq!((ended.status, ended.errors.len()), (Some(1), 1));
    assert!(ended.errors[0].starts_with("error: cannot store in missing/file: "), "{ended:?}");
}

#[test]
fn what_cannot_be_fetched_is_a_usage_error_on_one_line() {
    let directory = tempdir().unwrap();
    for (args, said) in [
        (&["https://127.0.0.1/file"][..], "https is not spoken, only plain http"),
        (&["ftp://127.0.0.1/file"], "ftp is not spoken, only plain http"),
        (&["127.0.0.1/file"], "expected http://HOST[:PORT]/PATH"),
        (&["http://127.0.0.1/\r\n\r\nHost: other"], "'\\r' cannot stand in a URL"),
        (&["http://127.0.0.1/\x1b[31m"], "'\\u{1b}' cannot stand in a URL"),
        (&["http://127.0.0.1/a file"], "' ' cannot stand in a URL"),
        (&["http://127.0.0.1:0/file"], "the port '0' is not a number from 1 to 65535"),
        (&["http://user@127.0.0.1/file"], "a user name in a URL is not understood"),
        (&["http://127.0.0.1/"], "http://127.0.0.1/ ends in no name for a file: give -o FILE"),
        (&["http://127.0.0.1/file", "-o", ""], "'--output <FILE>'"),
        (&["http://127.0.0.1/file", "--timeout", "0"], "expected seconds above 0"),
        (&["http://127.0.0.1/file", "--max-size", "-1"], "'-1'"),
        (&["http://127.0.0.1/file", "--max-size", "1x"], "expected bytes above 0"),
        (&[], "<URL>"),
    ] {
        let ended = start(directory.path(), args).end();
        assert_eq!((ended.status, ended.lines.len(), ended.errors.len()), (Some(2), 0, 1), "{ended:?}");
        assert!(ended.errors[0].starts_with("error: ") && ended.errors[0].contains(said), "{ended:?}");
        assert!(!ended.errors[0].contains(|c: char| c.is_control()), "{ended:?}");
    }
    assert_eq!(files(directory.path()), []);
}

#[test]
fn a_refused_connection_names_the_address_and_leaves_no_file() {
    let directory = tempdir().unwrap();
    // Taken, but nobody listens.
    let taken = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    taken.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = taken.local_addr().unwrap().as_socket().unwrap();
    let ended = start(directory.path(), &[&format!("http://{address}/file")]).end();
    assert_eq!(ended.status, Some(1));
    assert!(ended.errors[0].starts_with(&format!("error: cannot connect to {address}: ")), "{ended:?}");
    assert_eq!(files(directory.path()), []);
}
