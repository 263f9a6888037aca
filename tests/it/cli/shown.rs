//! Bytes in a transcript are what Python shows.

use std::io::Write;
use std::process::{Command, Stdio};

use selkey::python;

use super::support::{Server, exchange};
use super::transcripts::take_pieces;
use crate::harness::python3;

/// As many bytes are shown before the length is named instead.
const SHOWN: usize = 256;

fn nasty() -> Vec<Vec<u8>> {
    let all: Vec<u8> = (0..=255).collect();
    let mut table: Vec<Vec<u8>> = [
        &b"it's"[..],
        b"\"so\" it is",
        b"it's \"so\"",
        b"'",
        b"\"",
        b"''\"\"",
        b"\\",
        b"\\'",
        b"\\\"'\\",
        b"\\x00 is not \x00",
        b"\r\n\t\x0b\x0c\x07\x08\x1b[31m",
        b"\x7f\x80\xff",
        b"{} {0} %s %d",
        b" trailing blank ",
        "Follow the white rabbit. \u{1f430}".as_bytes(),
        b"\xf0\x9f not UTF-8",
        b"b'Message 1 from client.'",
    ]
    .map(<[u8]>::to_vec)
    .into();
    table.extend((0..=255).map(|byte| vec![byte]));
    table.push(all.iter().rev().copied().collect());
    // One too many; quotes on either side of the cut; escapes across it.
    table.push([&all[..], b"x"].concat());
    table.push([&[b'x'; SHOWN][..], b"'"].concat());
    table.push([&b"'"[..], &[b'x'; SHOWN], b"\""].concat());
    table.push(vec![0; SHOWN + 1]);
    table.push(all.repeat(5));
    table.push(all);
    table
}

/// Python's own answer for each, cut where ours is.
fn repr(mut python: Command, table: &[Vec<u8>]) -> Vec<String> {
    let code = format!(
        "import sys\n\
         for line in sys.stdin:\n\
         \x20   data = bytes.fromhex(line)\n\
         \x20   print(repr(data[:{SHOWN}]) + (f'... ({{len(data)}} bytes)' if len(data) > {SHOWN} else ''))\n"
    );
    let mut child = python.args(["-c", &code]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let hex = |bytes: &Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let lines: String = table.iter().map(|bytes| hex(bytes) + "\n").collect();
    let mut stdin = child.stdin.take().unwrap();
    // Aside, so that neither side waits for the other with a full pipe.
    let feeding = std::thread::spawn(move || stdin.write_all(lines.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    feeding.join().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn nasty_bytes_are_shown_as_python_shows_them() {
    let Some(python3) = python3() else { return };
    let mut table = nasty();
    table.push(Vec::new());
    table.push(b"'\0".repeat(50_000));
    let shown: Vec<String> = table.iter().map(|bytes| python(bytes).to_string()).collect();
    assert_eq!(shown, repr(python3, &table));
}

#[test]
fn nasty_bytes_come_back_and_are_told() {
    let mut server = Server::start(&["--once", "1"]);
    let (mut stream, name) = server.meet();
    let table = nasty();
    for bytes in &table {
        exchange(&mut stream, bytes);
    }
    drop(stream);
    let lines = server.program.succeed();
    let mut lines = lines.iter().map(String::as_str);
    for bytes in &table {
        take_pieces(&mut lines, "Echoing ", bytes, &format!(" to {name}"));
    }
    assert_eq!(lines.next(), Some(&*format!("Closing connection to {name}")));
    assert_eq!(lines.next(), None);
}
