//! The checks, checked: each finds what is planted and stays quiet at a near miss.

use super::source::{File, split};
use super::*;

fn faults(check: Check, files: &[(&str, &str)]) -> Vec<String> {
    check(&files.iter().map(|(path, text)| File::new(path, text)).collect::<Vec<_>>())
}

/// What the check says to one file, without the path.
fn said(check: Check, path: &str, text: &str) -> Vec<String> {
    faults(check, &[(path, text)]).iter().map(|fault| fault[path.len() + 1..].into()).collect()
}

#[track_caller]
fn finds(check: Check, path: &str, text: &str, wanted: &[&str]) {
    assert_eq!(said(check, path, text), wanted, "{path}: {text}");
}

#[track_caller]
fn passes(check: Check, path: &str, text: &str) {
    finds(check, path, text, &[]);
}

#[test]
fn splitting_keeps_lines_and_columns() {
    for (text, code) in [
        ("a // b\nc /// \"d", "a     \nc       "),
        ("a /* b /* c\n */ d */ e", "a          \n         e"),
        (r#"f("a // \" b", 'c') /"#, r#"f("         ", " ") /"#),
        (r###"(r#"a " \"# , br"\", r##""#"##)"###, r#"("        " , "   ", "       ")"#),
        ("\"a\n/* b\" c", "\" \n    \" c"),
        (r"['\'', '\\', '\u{7f}', b'\n', '/', '\x00']", r#"["  ", "  ", "      ", b"  ", " ", "    "]"#),
        ("'\"' // '", "\" \"     "),
        (
            "f::<'a, 'b>(x: &'a str, 'c') -> &'static { 'l: loop {} }",
            "f::<'a, 'b>(x: &'a str, \" \") -> &'static { 'l: loop {} }",
        ),
        ("r#type + r\"\" + bar + 1..2 + 'é'", "r#type + \" \" + bar + 1..2 + \" \""),
        ("/* open", "       "),
        ("\"open\\", "\"    \""),
    ] {
        let (found, comments) = split(text);
        assert_eq!(found, code, "{text}");
        for ((c, from_code), from_comments) in text.chars().zip(found.chars()).zip(comments.chars()) {
            assert!(from_comments == c || from_comments == ' ' && from_code != '\n', "{text}");
        }
        assert_eq!(comments.chars().count(), text.chars().count(), "{text}");
    }
    assert_eq!(split("a // b\n\"// c\" /* d\n'e' */ f").1, "  // b\n       /* d\n'e' */  ");
}

#[test]
fn paths_are_resolved_and_groups_taken_apart() {
    let text = "use crate::{a, b::{self, c as d}, e::*,};\nuse super::x; mod t { use super::super::{y}; }\nuse ::std::net; crate::f::<u8>(self::super::z!());";
    let file = File::new("src/r/m.rs", text);
    let found: Vec<String> = file.paths().iter().map(|(line, path)| format!("{line} {}", path.join("::"))).collect();
    let wanted = "1 crate::a|1 crate::b|1 crate::b::c|1 crate::e::*|2 crate::r::x|2 crate::r::y|3 std::net|3 crate::f|3 crate::r::z";
    assert_eq!(found.join("|"), wanted);
}

#[test]
fn an_arrow_that_is_not_in_the_table() {
    let no = "1: `socket` may not import `selector`";
    finds(arrows, "src/socket/dial.rs", "use crate::selector::Key;", &[no]);
    finds(arrows, "src/socket.rs", "use crate::{error::Error, selector::{Key, Map}};", &[no]);
    finds(arrows, "src/socket/mod.rs", "use super::{selector};", &[no]);
    finds(
        arrows,
        "src/socket/dial.rs",
        "fn f() {\n    super::super::selector::f()\n}",
        &["2: `socket` may not import `selector`"],
    );
    finds(arrows, "src/socket/dial.rs", "#[cfg(test)] mod tests { use super::super::super::selector::Key; }", &[no]);
    finds(arrows, "src/socket/mod.rs", "macro_rules! m { () => { $crate::selector::f() } }", &[no]);
    finds(arrows, "src/sys/poll.rs", "use crate::error::Error;", &["1: `sys` may not import `error`"]);
    finds(arrows, "src/events.rs", "use crate::sys;", &["1: `events` may not import `sys`"]);
    finds(arrows, "src/cli/echo.rs", "use crate::apps::Echo;", &["1: `cli` may not import `apps`"]);
    passes(
        arrows,
        "src/socket/dial.rs",
        "// crate::selector\n/// [`crate::selector`]\nfn f() { g(\"crate::selector\") }",
    );
    passes(
        arrows,
        "src/socket/dial.rs",
        "pub(crate) use super::listen; use crate::{buffer, error::Error, sys, socket::state};",
    );
    passes(arrows, "src/socket/dial.rs", "#[cfg(test)] mod tests { use super::*; use crate::sys::check; }");
    passes(arrows, "src/cli/mod.rs", "use selkey::apps::Echo; use crate::cli::text; mod limits;");
    passes(arrows, "src/main.rs", "mod cli; fn main() { crate::cli::run(); cli::run() }");
    passes(arrows, "src/lib.rs", "pub use crate::selector::Key; fn f() { crate::Key }");
    passes(arrows, "tests/x.rs", "use crate::selector::Key;");
}

#[test]
fn a_way_around_the_table() {
    let room = "src/reactor/mod.rs";
    for name in ["Selector", "EVENT_READ", "backend"] {
        let wanted = format!("1: `crate::{name}` goes around the table: `{name}` is not a room");
        finds(arrows, room, &format!("use crate::{name};"), &[&wanted]);
    }
    finds(arrows, room, "use crate::*;", &["1: `crate::*` goes around the table: `*` is not a room"]);
    finds(arrows, room, "use crate as all;", &["1: names the crate's root"]);
    finds(arrows, room, "use super::{self as all};", &["1: names the crate's root"]);
    finds(arrows, "src/util.rs", "", &["1: `util` is not a room of the table"]);
    finds(arrows, "src/util/mod.rs", "", &["1: `util` is not a room of the table"]);
}

#[test]
fn a_sibling_app() {
    let no = "1: app `relay` may not import its sibling `echo`";
    finds(arrows, "src/apps/relay.rs", "use crate::apps::echo::Echo;", &[no]);
    finds(arrows, "src/apps/relay.rs", "use super::{echo, transcript};", &[no]);
    finds(arrows, "src/apps/relay/way.rs", "use super::super::echo;", &[no]);
    finds(arrows, "src/apps/relay.rs", "use super::*;", &["1: app `relay` may not import its sibling `*`"]);
    finds(
        arrows,
        "src/apps/transcript.rs",
        "use super::echo;",
        &["1: app `transcript` may not import its sibling `echo`"],
    );
    passes(
        arrows,
        "src/apps/relay.rs",
        "use crate::apps::transcript::line; use super::transcript; use crate::apps::relay::X;",
    );
    passes(arrows, "src/apps/relay/way.rs", "use super::Relay; use crate::message::Frame;");
    passes(arrows, "src/apps/mod.rs", "pub use crate::apps::echo::Echo;");
}

#[test]
fn a_message_with_io_or_clock() {
    let room = "src/message/frame.rs";
    for (text, name) in [
        ("use std::net::TcpStream;", "std::net::TcpStream"),
        ("use std::{fmt, io::{self, Write}};", "std::io::Write"),
        ("fn f(x: impl io::Read) {}", "io::Read"),
        ("fn f(at: std::time::Instant) {}", "std::time::Instant"),
        ("use core::time::Duration;", "core::time::Duration"),
        ("use std::io::prelude::*;", "std::io::prelude::*"),
        ("use ::std::time;", "std::time"),
    ] {
        finds(arrows, room, text, &[&format!("1: `message` may not use `{name}`")]);
    }
    passes(
        arrows,
        room,
        "use std::fmt::Write; use std::io::{self, ErrorKind}; /* std::net */ fn f(x: io::Error) { g(\"std::time\") }",
    );
    passes(arrows, "src/reactor/mod.rs", "use std::time::Instant; use std::io::Read;");
}

#[test]
fn unsafe_outside_its_places() {
    const SAID: &str = "// SAFETY: x.\n";
    const ADD: &str = "// SAFETY: x.\nunsafe { self.backend.add(1) }";
    let no = "1: `unsafe` outside its places";
    finds(fence, "src/socket/mod.rs", "unsafe fn f() {}", &[no]);
    finds(fence, "src/selector/key.rs", "unsafe fn f() {}", &[no]);
    finds(fence, "src/selector/key.rs", &format!("{SAID}unsafe {{ f() }}"), &["2: `unsafe` outside its places"]);
    finds(fence, "src/main.rs", &format!("{SAID}unsafe {{ f() }}"), &["2: `unsafe` outside its places"]);
    finds(fence, "src/selector/mod.rs", "", &["1: the call of `Backend::add` is gone from `selector`"]);
    let two = [("src/selector/mod.rs", ADD), ("src/selector/key.rs", ADD)];
    assert_eq!(faults(fence, &two), ["src/selector/key.rs:2: a second `unsafe {` in `selector`"]);
    passes(fence, "src/selector/mod.rs", ADD);
    passes(fence, "src/sys/poll.rs", "unsafe fn f() {}");
    passes(fence, "src/socket/mod.rs", "// unsafe\n/// unsafe { x }\nfn f() { g(\"unsafe {\"); unsafely() }");
    passes(fence, "benches/echo.rs", "fn f() { unsafe { g() } }");
}

#[test]
fn unsafe_without_a_reason() {
    let no = |line: usize| format!("{line}: no `// SAFETY:` directly above");
    for (text, line) in [
        ("fn f() {\n    unsafe { g() }\n}", 2),
        ("fn f() {\n    // Safe enough.\n    unsafe { g() }\n}", 3),
        ("fn f() {\n    // SAFETY: x.\n\n    unsafe { g() }\n}", 4),
        ("fn f() {\n    // SAFETY: x.\n    g();\n    unsafe { g() }\n}", 4),
        ("fn f() {\n    g(\"// SAFETY: x.\");\n    unsafe { g() }\n}", 3),
        ("unsafe impl Send for X {}", 1),
    ] {
        finds(fence, "src/sys/poll.rs", text, &[&no(line)]);
    }
    passes(fence, "src/sys/poll.rs", "// SAFETY: x,\n// and y.\nlet a = b(\n    c,\n    unsafe { d() },\n);");
    passes(fence, "src/sys/poll.rs", "f(\n    // SAFETY: x.\n    unsafe { d() },\n);");
    passes(fence, "src/sys/poll.rs", "// SAFETY: x.\n#[allow(dead_code)]\nunsafe { d() };");
}

#[test]
fn unsafe_code_allowed() {
    let no = "1: `allow(unsafe_code)` outside its places";
    finds(fence, "src/sys/poll.rs", "#![allow(unsafe_code)]", &[no]);
    finds(fence, "src/lib.rs", "#[allow(dead_code, unsafe_code)] // deny(\nmod x;", &[no]);
    finds(fence, "src/socket/mod.rs", "#[expect(unsafe_code)]", &[no]);
    let twice = "#[allow(unsafe_code)]\n#[allow(unsafe_code)]";
    finds(fence, "src/selector/key.rs", twice, &["2: a second `allow(unsafe_code)` in `selector`"]);
    passes(fence, "src/selector/key.rs", "#[allow(unsafe_code)]");
    passes(fence, "src/sys/mod.rs", "#![allow(unsafe_code)]");
    passes(fence, "src/lib.rs", "#![deny(missing_docs, unsafe_code)] // allow(unsafe_code)");
}

#[test]
fn a_file_without_a_first_line_or_end() {
    let no = "1: the first line is not `//!`";
    finds(first_line, "src/main.rs", "fn main() {}", &[no]);
    finds(first_line, "tests/x.rs", "\n//! Late.", &[no]);
    finds(first_line, "benches/x.rs", "/// Not the file's.", &[no]);
    finds(first_line, "src/sys/mod.rs", "#![doc = include_str!(\"../README.md\")]", &[no]);
    passes(first_line, "src/lib.rs", "#![doc = include_str!(\"../README.md\")]\n");
    passes(first_line, "src/sys/mod.rs", "//! Words.");

    finds(length, "src/sys/mod.rs", &"\n".repeat(401), &["401: more than 400 lines"]);
    finds(length, "tests/x.rs", &"\n".repeat(401), &["401: more than 400 lines"]);
    finds(length, "src/main.rs", &"\n".repeat(31), &["31: more than 30 lines"]);
    passes(length, "src/sys/mod.rs", &"\n".repeat(400));
    passes(length, "src/main.rs", &"\n".repeat(30));
}

#[test]
fn a_platform_outside_sys() {
    let no = "1: a platform is named outside `sys`";
    let named = [
        "#[cfg(unix)]",
        "#[cfg(all(test, windows))]",
        "if cfg!(unix) {}",
        "#[cfg_attr(windows, x)]",
        "#![cfg(not(target_os = \"a\"))]",
    ];
    for text in named.into_iter().chain(["#[cfg(target_family = \"unix\")]"]) {
        finds(platforms, "src/socket/mod.rs", text, &[no]);
        passes(platforms, "src/sys/epoll.rs", text);
        passes(platforms, "tests/x.rs", text);
    }
    passes(
        platforms,
        "src/socket/mod.rs",
        "use std::os::unix::net; // cfg(unix)\n#[cfg(feature = \"windows\")] mod unix { fn target_oslo() {} }",
    );
}

#[test]
fn a_library_room_that_prints_or_panics() {
    for call in ["println!(\"x\")", "print!(\"x\")", "eprintln!(\"x\")", "eprint!(\"x\")", "dbg!(x)"] {
        let wanted = format!("2: a library room prints: `{}!`", call.split('!').next().unwrap());
        finds(quiet, "src/lab/mod.rs", &format!("\n{call}"), &[&wanted]);
        passes(quiet, "src/cli/demo.rs", call);
    }
    for (call, word) in [
        ("x.unwrap()", ".unwrap()"),
        ("x\n.expect(\"y\")", ".expect("),
        ("panic!()", "panic!"),
        ("unimplemented!()", "unimplemented!"),
    ] {
        let line = call.lines().count();
        finds(quiet, "src/socket/mod.rs", call, &[&format!("{line}: a library room panics: `{word}`")]);
        passes(quiet, "src/main.rs", call);
        passes(quiet, "benches/x.rs", call);
    }
    finds(quiet, "src/lab/x.rs", "todo!()", &["1: a library room panics: `todo!`"]);
    let after = "#[cfg(test)]\nmod tests {\n    fn f() { x.unwrap(); println!() }\n}\n";
    passes(quiet, "src/lab/x.rs", after);
    finds(
        quiet,
        "src/lab/x.rs",
        &format!("{after}fn g() {{ x.unwrap() }}"),
        &["5: a library room panics: `.unwrap()`"],
    );
    finds(
        quiet,
        "src/lab/x.rs",
        "#[cfg(test)] use x; fn f() { x.unwrap() }",
        &["1: a library room panics: `.unwrap()`"],
    );
    passes(
        quiet,
        "src/lab/x.rs",
        "/// x.unwrap()\n// panic!\nfn f() { g(\"dbg!(x)\"); x.unwrap_or(1).expect_err(); assert!(y); unreachable!(); writeln!(z) }",
    );
}

#[test]
fn something_left_over() {
    finds(leftovers, "tests/x.rs", "\n#[ignore]\nfn f() {}", &["2: ignored without a reason"]);
    finds(leftovers, "src/x.rs", "todo!()", &["1: left over: `todo!`"]);
    finds(leftovers, "benches/x.rs", concat!("x\n// FIX", "ME: y"), &["2: left over: `FIXME`"]);
    finds(leftovers, "src/x.rs", concat!("/* XX", "X */"), &["1: left over: `XXX`"]);
    passes(leftovers, "tests/x.rs", "#[ignore = \"slow\"]\nfn f() { g(\"XXX todo!\", XXXX) } // ignore");
}

#[test]
fn a_missing_attribute() {
    let (docs, blocks) = ("#![deny(missing_docs, unsafe_code)]", "#![deny(clippy::undocumented_unsafe_blocks)]");
    finds(attributes, "src/lib.rs", docs, &[&format!("1: `{blocks}` is missing")]);
    finds(attributes, "src/lib.rs", &format!("{blocks}\n// {docs}"), &[&format!("1: `{docs}` is missing")]);
    finds(
        attributes,
        "src/lib.rs",
        &format!("{blocks}\n{}", docs.replace("deny", "warn")),
        &[&format!("1: `{docs}` is missing")],
    );
    passes(attributes, "src/lib.rs", &format!("{docs}\n{blocks}"));
    passes(attributes, "src/sys/mod.rs", "");
}

#[test]
fn a_stranger_at_the_top_level() {
    let names = |names: &[&str]| top_level(names.iter().map(|name| name.to_string()));
    assert_eq!(names(&["src", "examples"]), ["examples: does not belong at the top level"]);
    assert_eq!(names(&["LICENSE"]), ["LICENSE: does not belong at the top level"]);
    assert!(names(&["src", "tests", "Cargo.toml", ".ci", ".gitignore", "target", "LICENSE-MIT"]).is_empty());
}
