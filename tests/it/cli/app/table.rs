//! `--table`: what is found is read from a file.

use std::fs;
use std::path::Path;

use tempfile::{TempDir, tempdir};

use super::*;

/// The path of a new file with this content.
fn file(directory: &TempDir, name: &str, content: &[u8]) -> String {
    let path = directory.path().join(name);
    fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_table_replaces_the_one_that_is_built_in() {
    let files = tempdir().unwrap();
    let table = file(&files, "table.json", " {\"ring\": \"One\", \"\": \"nothing\", \"🐶\\n\": \"🐾\"} \n".as_bytes());
    let server = server(&["--table", &table, "--quiet"]);
    for (value, result) in [("ring", "One"), ("", "nothing"), ("🐶\\n", "🐾"), ("morpheus", "No match for 'morpheus'.")]
    {
        assert_eq!(answered(server.address, &json(&search(value))).result(), result);
    }
    server.program.interrupt();
    let empty = file(&files, "empty.json", b"{}");
    let server = self::server(&["--table", &empty, "--quiet"]);
    assert_eq!(answered(server.address, &json(&search("ring"))).result(), "No match for 'ring'.");
    server.program.interrupt();
}

#[test]
fn a_table_of_ten_thousand_entries_works() {
    let files = tempdir().unwrap();
    let entries: Vec<String> = (0..10_000).map(|n| format!("\"value {n}\":\n\"result {n}\"")).collect();
    let table = file(&files, "table.json", format!("{{{}}}", entries.join(",")).as_bytes());
    let server = server(&["--table", &table, "--quiet"]);
    let mut stream = dial(server.address);
    for n in (0..10_000).step_by(97).chain([9999]) {
        stream.write_all(&kept(&search(&format!("value {n}")))).unwrap();
        assert_eq!(Reply::read(&mut stream).result(), format!("result {n}"));
    }
    drop(stream);
    server.program.interrupt();
}

#[test]
fn a_table_that_is_none_is_refused_at_the_start() {
    let files = tempdir().unwrap();
    let missing = files.path().join("missing.json").to_str().unwrap().to_owned();
    for (file, says) in [
        (file(&files, "broken", b"{\"ring\": \"One\",\n  \"x\" 1}"), "line 2 column 7"),
        (file(&files, "cut", b"{\"ring\": \"On"), "line 1 column 12"),
        (file(&files, "array", b"[\"ring\"]"), "line 1 column 0"),
        (file(&files, "number", b"{\n\n\"ring\": 1}"), "line 3 column 9"),
        (file(&files, "null", b"{\"ring\": null}"), "line 1 column 13"),
        (file(&files, "more", b"{}\n{}"), "line 2 column 1"),
        (file(&files, "empty", b""), "line 1 column 0"),
        (file(&files, "binary", b"{\"ring\": \"\xff\"}"), "line 1 column 11"),
        (missing, "No such file"),
        (files.path().to_str().unwrap().to_owned(), "directory"),
    ] {
        let (said, lines) = failure(Program::start(&["app-server", "127.0.0.1", "0", "--table", &file]), 1);
        let why = said.strip_prefix(&format!("cannot use the table {file}: ")).unwrap_or_else(|| panic!("{said}"));
        assert!(why.contains(says) && lines.is_empty(), "{}: {said}", Path::new(&file).display());
    }
}
