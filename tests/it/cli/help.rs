//! What `--help` says works when pasted.

use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, iter};

use tempfile::tempdir;

use super::http_get::Peer;
use super::support::{Program, Server, selkey};

/// The ports that examples take; a test takes one that is free.
const PORTS: [&str; 3] = ["65432", "65433", "9999"];

/// What `--help` says of a command, or of the whole where its name is empty.
fn help(command: &str) -> Vec<String> {
    let args: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
    Program::start(&args).succeed()
}

/// The subcommands, as `--help` lists them, each with its own behind it.
fn commands(of: &str) -> Vec<String> {
    let lines = help(of);
    let listed = lines.iter().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // A long explanation goes on in a line that is indented further.
    let names = listed.filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')));
    let names = names.map(|line| format!("{of} {}", line.split(' ').next().unwrap()).trim().to_owned());
    names.flat_map(|name| [vec![name.clone()], commands(&name)].concat()).collect()
}

/// The line to paste from the help of a subcommand, or from that of the whole.
fn example(command: &str) -> String {
    let lines = help(command);
    let mut examples = lines.iter().filter_map(|line| line.strip_prefix("Example: "));
    let example = examples.next().unwrap_or_else(|| panic!("no example: {lines:#?}"));
    assert_eq!(examples.next(), None, "one example is enough");
    assert!(example.starts_with("selkey "), "{example}");
    example.to_owned()
}

/// The line with another port.
fn on(example: &str, port: u16) -> String {
    PORTS.iter().fold(example.to_owned(), |line, known| line.replace(known, &port.to_string()))
}

/// What a shell makes of the line, in a directory where it may leave something.
fn paste(example: &str, directory: &Path) -> Program {
    let here = Path::new(selkey().get_program()).parent().unwrap().to_owned();
    let others = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(iter::once(here).chain(env::split_paths(&others))).unwrap();
    let line = format!("exec {example}");
    let mut shell = Command::new("sh");
    shell.args(["-c", &line]).env("PATH", path).current_dir(directory);
    Program::of(shell.stdout(Stdio::piped()).stderr(Stdio::piped()))
}

#[test]
fn every_example_works_when_pasted() {
    let (commands, directory) = (commands(""), tempdir().unwrap());
    let paste = |example: &str| paste(example, directory.path());
    assert!(
        ["demo", "lab", "lab run"].iter().all(|known| commands.iter().any(|command| command == known)),
        "{commands:?}"
    );
    for command in &commands {
        let example = example(command);
        assert!(example.starts_with(&format!("selkey {command}")), "{example}");
        if command.starts_with("bench") {
            // What it measures is tried below.
            continue;
        }
        if example.contains("http://") {
            let peer = Peer::start(&[b"HTTP/1.1 200 OK\r\n\r\nHello"]);
            paste(&on(&example, peer.address.port())).succeed();
            continue;
        }
        let Some((family, side)) = command.rsplit_once('-').filter(|(_, side)| ["server", "client"].contains(side))
        else {
            match PORTS.iter().filter_map(|port| Some((example.find(port)?, port))).min() {
                // Where it listens; whom it may dial later need not be there.
                Some((_, port)) if listens(command) => interrupt(Server::of(paste(&example.replacen(port, "0", 1)))),
                // It opens no port: the one of the example is as good as any.
                _ => drop(paste(&example).succeed()),
            }
            continue;
        };
        // Each side is tried with the other.
        let server = self::example(&format!("{family}-server"));
        let server = Server::of(paste(&on(&server, 0)));
        if side == "client" {
            assert!(!paste(&on(&example, server.address.port())).succeed().is_empty());
        }
        interrupt(server);
    }
}

/// Who answers what is measured.
const MEASURED: [(&str, &str); 4] =
    [("app", "app-server"), ("connect", "multiconn-server"), ("echo", "multiconn-server"), ("udp", "udp-server")];

#[test]
fn every_measurement_works_when_pasted() {
    let directory = tempdir().unwrap();
    for (what, server) in MEASURED {
        let example = example(&format!("bench {what}"));
        assert!(example.starts_with(&format!("selkey bench {what} ")), "{example}");
        let server = Server::named(server, &[]);
        let lines = paste(&on(&example, server.address.port()), directory.path()).succeed();
        assert!(lines.iter().any(|line| line.starts_with("throughput ")), "{lines:?}");
    }
    // This one starts its servers itself.
    let lines = paste(&example("bench compare"), directory.path()).succeed();
    assert!(lines.iter().any(|line| line.starts_with("CPU time of the server ")), "{lines:?}");
}

/// Whether the help of the command speaks of what only a program that accepts has.
fn listens(command: &str) -> bool {
    help(command).iter().any(|line| line.contains("--backlog"))
}

fn interrupt(server: Server) {
    // What it was about to say when the interrupt came may stand behind it.
    let lines = server.program.interrupt();
    assert!(lines.iter().any(|line| line == "Caught keyboard interrupt, exiting"), "{lines:?}");
}

#[test]
fn the_first_help_names_a_first_thing_to_try() {
    assert_eq!(example(""), "selkey demo");
    paste("selkey demo", tempdir().unwrap().path()).succeed();
}

#[test]
fn the_version_is_the_packages() {
    let version = concat!("selkey ", env!("CARGO_PKG_VERSION"));
    assert_eq!(Program::start(&["--version"]).succeed(), [version]);
}
