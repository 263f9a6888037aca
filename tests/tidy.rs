//! The house rules as tests: simple checks of the source text, each a function from files to faults, each tested on planted faults and near misses.

use std::fs;
use std::path::Path;

#[path = "tidy/planted.rs"]
mod planted;
#[path = "tidy/source.rs"]
mod source;

use source::{File, tokens, words};

/// Who may import whom; every arrow of the house is here and nowhere else. The index `lib.rs` is no room: it re-exports and may name them all,
/// and nobody comes back in through it (`crate::Selector` is a way around this table). `cli` and `main` are the binary: they say `selkey::…`.
const ROOMS: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("events", &[]),
    ("buffer", &[]),
    ("sys", &["events"]),
    ("selector", &["error", "events", "sys"]),
    ("select", &["error", "sys"]),
    ("socket", &["buffer", "error", "sys"]),
    ("message", &["buffer", "error"]),
    ("reactor", &["buffer", "error", "events", "selector", "socket"]),
    ("apps", &["error", "events", "buffer", "sys", "selector", "select", "socket", "message", "reactor"]),
    // Datagrams do not go through the loop: a generator of them watches its sockets with a selector of its own. Pairing servers takes processes and their clocks.
    ("load", &["buffer", "error", "events", "sys", "selector", "socket", "reactor"]),
    // `sys` for what no program needs and so no room offers: a socket that hears nothing, a thread without a right. What a sweep measures is an echo on
    // the loop, as servers run it.
    ("lab", &["error", "events", "sys", "socket", "select", "selector", "reactor", "load"]),
    ("cli", &[]),
    ("main", &["cli"]),
];
/// The one file in `apps` that its siblings may use.
const SHARED_APP: &str = "transcript";
/// All that may lie at the top, beside dot-files.
const TOP_LEVEL: &str =
    "Cargo.toml Cargo.lock src tests benches README.md LICENSE-MIT LICENSE-APACHE CHANGELOG.md rustfmt.toml target";
const LONGEST: usize = 400;
const LONGEST_MAIN: usize = 30;

type Check = fn(&[File]) -> Vec<String>;
const CHECKS: &[Check] = &[arrows, fence, first_line, length, platforms, quiet, leftovers, attributes];

#[test]
fn the_tree_keeps_the_house_rules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tree = Vec::new();
    ["src", "tests", "benches"].iter().for_each(|dir| read(root, Path::new(dir), &mut tree));
    assert!(tree.iter().any(|file| file.path == "src/lib.rs") && tree.iter().any(|file| file.path == "tests/tidy.rs"));
    let names = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut faults = top_level(names);
    faults.extend(CHECKS.iter().flat_map(|check| check(&tree)));
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

fn read(root: &Path, dir: &Path, tree: &mut Vec<File>) {
    for entry in fs::read_dir(root.join(dir)).unwrap() {
        let path = dir.join(entry.unwrap().file_name());
        if root.join(&path).is_dir() {
            read(root, &path, tree);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            let name = path.to_str().unwrap().replace('\\', "/");
            tree.push(File::new(&name, &fs::read_to_string(root.join(&path)).unwrap()));
        }
    }
}

fn arrows(files: &[File]) -> Vec<String> {
    let mut faults = Vec::new();
    for (file, room) in files.iter().filter_map(|file| Some((file, file.room()?))).filter(|(_, room)| *room != "lib") {
        let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else {
            faults.push(file.fault(1, format!("`{room}` is not a room of the table")));
            continue;
        };
        let app = file.modules().get(1).copied().filter(|_| room == "apps");
        for (line, path) in file.paths() {
            let why = match *path {
                ["crate"] => "names the crate's root".into(),
                ["crate", to, ref rest @ ..] if to == room => match (app, rest.first().unwrap_or(&"*")) {
                    (Some(app), to) if *to != app && *to != SHARED_APP => {
                        format!("app `{app}` may not import its sibling `{to}`")
                    }
                    _ => continue,
                },
                ["crate", to, ..] if allowed.contains(&to) => continue,
                ["crate", to, ..] if ROOMS.iter().any(|(name, _)| *name == to) => {
                    format!("`{room}` may not import `{to}`")
                }
                ["crate", to, ..] => format!("`crate::{to}` goes around the table: `{to}` is not a room"),
                _ if room == "message" && does_io(&path) => format!("`message` may not use `{}`", path.join("::")),
                _ => continue,
            };
            faults.push(file.fault(line, why));
        }
    }
    faults.dedup();
    faults
}

/// Does the path lead to I/O or a clock?
fn does_io(path: &[&str]) -> bool {
    match path {
        ["std" | "core", "net" | "time", ..] => true,
        ["std", rest @ ..] | rest => matches!(rest, ["io", "Read" | "Write" | "prelude" | "*", ..]),
    }
}

fn fence(files: &[File]) -> Vec<String> {
    let (mut faults, mut blocks, mut allows) = (Vec::new(), Vec::new(), Vec::new());
    for file in files.iter().filter(|file| file.room().is_some()) {
        let (in_sys, in_selector) = (file.room() == Some("sys"), file.room() == Some("selector"));
        for at in file.find("unsafe") {
            let line = file.tokens[at].0;
            if in_selector && file.is(at, "unsafe { self.backend.add(") {
                blocks.push(file.fault(line, "a second `unsafe {` in `selector`"));
            } else if !in_sys {
                faults.push(file.fault(line, "`unsafe` outside its places"));
            }
            let statement = (0..at).rfind(|&i| [";", "{", "}"].contains(&file.word(i))).map_or(0, |i| i + 1);
            let needs = file.is(at, "unsafe {") || file.is(at, "unsafe impl");
            if needs && !file.is_justified(line) && !file.is_justified(file.tokens[statement].0) {
                faults.push(file.fault(line, "no `// SAFETY:` directly above"));
            }
        }
        for at in file.find("unsafe_code") {
            let line = file.tokens[at].0;
            let level = (1..at).rfind(|&i| file.is(i, "(")).map_or("", |open| &file.tokens[open - 1].1);
            match (level, &*file.path) {
                ("deny" | "forbid", _) | (_, "src/sys/mod.rs") => {}
                _ if in_selector => allows.push(file.fault(line, "a second `allow(unsafe_code)` in `selector`")),
                _ => faults.push(file.fault(line, "`allow(unsafe_code)` outside its places")),
            }
        }
    }
    if let Some(door) = files.iter().find(|file| file.path == "src/selector/mod.rs" && blocks.is_empty()) {
        faults.push(door.fault(1, "the call of `Backend::add` is gone from `selector`"));
    }
    faults.extend(blocks.into_iter().skip(1).chain(allows.into_iter().skip(1)));
    faults
}

fn first_line(files: &[File]) -> Vec<String> {
    let begins = |file: &File| match file.text.lines().next().unwrap_or_default() {
        r#"#![doc = include_str!("../README.md")]"# => file.path == "src/lib.rs",
        line => line.starts_with("//!"),
    };
    files.iter().filter(|file| !begins(file)).map(|file| file.fault(1, "the first line is not `//!`")).collect()
}

fn length(files: &[File]) -> Vec<String> {
    let longest = |file: &File| if file.path == "src/main.rs" { LONGEST_MAIN } else { LONGEST };
    let long = files.iter().filter(|file| file.text.lines().count() > longest(file));
    long.map(|file| file.fault(file.text.lines().count(), format!("more than {} lines", longest(file)))).collect()
}

/// The program reads the system's tables with a crate that Linux alone has, and cannot reach what is private to the library.
const PLATFORM_TABLES: &str = "src/cli/sockets.rs";

fn platforms(files: &[File]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in
        files.iter().filter(|file| file.room().is_some_and(|room| room != "sys") && file.path != PLATFORM_TABLES)
    {
        let asks = ["cfg(", "cfg!(", "cfg_attr("].map(|ask| file.find(ask).map(move |at| at + words(ask).len() - 1));
        let inside = asks.into_iter().flatten().flat_map(|open| open..file.close(open));
        let named = inside.filter(|&at| ["unix", "windows"].contains(&file.word(at)));
        let found = named.chain(file.find("target_os")).chain(file.find("target_family"));
        faults.extend(found.map(|at| file.fault(file.tokens[at].0, "a platform is named outside `sys`")));
    }
    faults
}

fn quiet(files: &[File]) -> Vec<String> {
    const PRINTS: &[&str] = &["println!", "print!", "eprintln!", "eprint!", "dbg!"];
    const PANICS: &[&str] = &[".unwrap()", ".expect(", "panic!", "todo!", "unimplemented!"];
    const TESTS: &str = "#[cfg(test)] mod tests {";
    let mut faults = Vec::new();
    for file in files.iter().filter(|file| file.room().is_some_and(|room| room != "cli" && room != "main")) {
        let tests = file.find(TESTS).next().map_or(0..0, |at| at..file.close(at + words(TESTS).len() - 1));
        for (word, why) in PRINTS.iter().map(|p| (p, "prints")).chain(PANICS.iter().map(|p| (p, "panics"))) {
            let found = file.find(word).filter(|at| !tests.contains(at));
            faults.extend(found.map(|at| file.fault(file.tokens[at].0, format!("a library room {why}: `{word}`"))));
        }
    }
    faults
}

fn leftovers(files: &[File]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files {
        let bare = file.find("#[ignore").filter(|&at| !file.is(at, "#[ignore = \""));
        faults.extend(bare.map(|at| file.fault(file.tokens[at].0, "ignored without a reason")));
        faults.extend(file.find("todo!").map(|at| file.fault(file.tokens[at].0, "left over: `todo!`")));
        for (line, word) in file.tokens.iter().chain(&tokens(&file.comments)) {
            if ["FIXME", "XXX"].contains(&&**word) {
                faults.push(file.fault(*line, format!("left over: `{word}`")));
            }
        }
    }
    faults
}

fn attributes(files: &[File]) -> Vec<String> {
    const WANTED: &[&str] = &["#![deny(missing_docs, unsafe_code)]", "#![deny(clippy::undocumented_unsafe_blocks)]"];
    let lib = files.iter().filter(|file| file.path == "src/lib.rs");
    lib.flat_map(|file| {
        let missing = WANTED.iter().filter(|wanted| file.find(wanted).next().is_none());
        missing.map(|wanted| file.fault(1, format!("`{wanted}` is missing"))).collect::<Vec<_>>()
    })
    .collect()
}

fn top_level(names: impl Iterator<Item = String>) -> Vec<String> {
    let strange = names.filter(|name| !name.starts_with('.') && !TOP_LEVEL.split(' ').any(|known| known == name));
    strange.map(|name| format!("{name}: does not belong at the top level")).collect()
}
