//! A large file from Python's own server.

use std::fs;
use std::process::Stdio;

use tempfile::tempdir;

use super::{files, start};
use crate::cli::addresses::ipv6_is_there;
use crate::cli::support::Program;
use crate::harness::python3;

/// Ten megabytes with no pattern.
fn noise() -> Vec<u8> {
    let mut state = u64::from(std::process::id()) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..10_000_000 / 8).flat_map(|_| next()).collect()
}

fn byte_for_byte(host: &str) {
    let Some(mut python) = python3() else { return };
    let (served, fetched) = (tempdir().unwrap(), tempdir().unwrap());
    let noise = noise();
    fs::write(served.path().join("noise"), &noise).unwrap();
    python.args(["-u", "-m", "http.server", "0", "--bind", host]).current_dir(served.path());
    let mut server = Program::of(python.stdout(Stdio::piped()).stderr(Stdio::null()));
    // It ends in `(http://127.0.0.1:40000/) ...`.
    let line = server.line();
    let url = line.split_once('(').and_then(|(_, rest)| rest.split_once(')')).unwrap_or_else(|| panic!("{line}")).0;
    let lines = start(fetched.path(), &[&format!("{url}noise")]).succeed();
    assert!(lines.contains(&"Content-Length: 10000000".to_owned()), "{lines:?}");
    let files = files(fetched.path());
    assert!(files.len() == 1 && files[0].0 == "noise" && files[0].1 == noise);
}

#[test]
fn a_large_file_comes_byte_for_byte_from_pythons_server() {
    byte_for_byte("127.0.0.1");
}

#[test]
fn a_large_file_comes_byte_for_byte_over_ipv6() {
    if ipv6_is_there() {
        byte_for_byte("::1");
    }
}
