//! Bad input and bad luck: one clear line on standard error, a status that says which, nothing that looks like success.

use std::net::TcpListener;
use std::process::{Command, Stdio};

use super::support::{Program, selkey};
pub use crate::harness::nobody;

pub const FAILED: i32 = 1;
pub const USAGE: i32 = 2;

/// What is said about it, without the `error: ` in front.
pub fn refused(args: &[&str], status: i32) -> String {
    is_refusal(Program::start(args), status)
}

fn is_refusal(program: Program, status: i32) -> String {
    let ended = program.end();
    assert_eq!((ended.status, ended.errors.len()), (Some(status), 1), "{ended:?}");
    // A client has told by then whom it dials.
    assert!(ended.lines.iter().all(|line| line.starts_with("Starting connection ")), "{ended:?}");
    ended.errors[0].strip_prefix("error: ").unwrap_or_else(|| panic!("{ended:?}")).to_owned()
}

#[test]
fn a_port_that_is_none_is_a_usage_error_that_names_the_range() {
    for (args, from) in [(&["multiconn-server", "127.0.0.1"][..], 0), (&["multiconn-client", "127.0.0.1"], 1)] {
        for port in ["65536", "-1", "-65432", "abc", "", "0x50", "1.5", "99999999999999999999", " 80", "80\n"] {
            let count: &[&str] = if from == 1 { &["3"] } else { &[] };
            let said = refused(&[args, &[port], count].concat(), USAGE);
            // What is no line of its own is a blank in one.
            assert!(said.contains(&format!("'{}'", port.replace('\n', " "))), "{port:?}: {said}");
            assert!(said.contains("PORT") && said.contains(&format!("from {from} to 65535")), "{port:?}: {said}");
        }
    }
}

#[test]
fn a_client_cannot_dial_port_0() {
    let said = refused(&["multiconn-client", "127.0.0.1", "0", "3"], USAGE);
    assert!(said.contains("'0'") && said.contains("from 1 to 65535"), "{said}");
}

#[test]
fn what_is_missing_is_a_usage_error_that_names_it() {
    for (args, missing) in [
        (&["multiconn-server", "127.0.0.1"][..], &["<PORT>"][..]),
        (&["multiconn-client"], &["<HOST>", "<PORT>", "<N>"]),
        (&["multiconn-client", "127.0.0.1"], &["<PORT>", "<N>"]),
        (&["multiconn-client", "127.0.0.1", "65432"], &["<N>"]),
        (&["multiconn-server", "--once"], &["<N>"]),
    ] {
        let said = refused(args, USAGE);
        for name in missing {
            assert!(said.contains(name), "{said}");
        }
    }
}

#[test]
fn a_count_that_is_none_is_a_usage_error() {
    for count in ["0", "-1", "abc", "", "1.5", "4294967296", "99999999999999999999"] {
        let said = refused(&["multiconn-client", "127.0.0.1", "65432", count], USAGE);
        assert!(said.contains("<N>") && said.contains("from 1 to "), "{count:?}: {said}");
        if count != "4294967296" {
            let said = refused(&["multiconn-server", "127.0.0.1", "0", "--once", count], USAGE);
            assert!(said.contains("--once") && said.contains("from 1 to "), "{count:?}: {said}");
        }
    }
}

#[test]
fn what_is_not_known_is_a_usage_error_that_names_it_and_what_is() {
    for (args, words) in [
        (&["multiconn-sever"][..], &["multiconn-sever", "multiconn-server"][..]),
        (&["multiconn-server", "--backend", "x"], &["'x'", "epoll", "poll", "select"]),
        (&["multiconn-server", "--quite"], &["--quite", "--quiet"]),
        (&["multiconn-server", "127.0.0.1", "0", "more"], &["'more'", "--help"]),
        (&["demo", "more"], &["'more'", "--help"]),
    ] {
        let said = refused(args, USAGE);
        for word in words {
            assert!(said.contains(word), "{said}");
        }
    }
}

#[test]
fn no_command_at_all_shows_the_commands_and_is_a_usage_error() {
    let ended = Program::start::<&str>(&[]).end();
    assert_eq!((ended.status, ended.lines.len()), (Some(USAGE), 0));
    assert!(ended.errors.iter().any(|line| line.contains("multiconn-server")), "{ended:?}");
}

#[test]
fn a_host_that_is_not_known_is_named() {
    // No name has a part as long as that, so nobody outside is asked.
    let host = "x".repeat(64) + ".invalid";
    for args in [&["multiconn-server", &host, "0"][..], &["multiconn-client", &host, "1", "3"]] {
        let said = refused(args, FAILED);
        assert!(said.contains(&host), "{said}");
    }
}

#[test]
fn a_busy_port_is_named_with_what_to_do() {
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = busy.local_addr().unwrap();
    let said = refused(&["multiconn-server", "127.0.0.1", &address.port().to_string()], FAILED);
    assert!(said.contains(&address.to_string()) && said.contains("in use") && said.contains("port 0"), "{said}");
}

#[test]
fn an_address_that_is_not_ours_cannot_be_listened_on() {
    let said = refused(&["multiconn-server", "192.0.2.1", "0"], FAILED);
    assert!(said.contains("cannot listen on 192.0.2.1:0"), "{said}");
}

#[test]
fn a_refused_connection_names_the_address_and_likely_causes() {
    let (_taken, address) = nobody();
    let port = address.port().to_string();
    for (count, starts) in [("1", "cannot connect"), ("3", "3 of 3 connections failed, the first: cannot connect")] {
        for quiet in [&[][..], &["--quiet"]] {
            let said = refused(&[&["multiconn-client", "127.0.0.1", &port, count], quiet].concat(), FAILED);
            assert!(said.starts_with(starts), "{said}");
            assert!(said.contains(&address.to_string()) && said.contains("refused"), "{said}");
            assert!(["port", "server", "firewall"].iter().all(|cause| said.contains(cause)), "{said}");
        }
    }
}

#[test]
fn more_connections_than_descriptors_are_refused_before_the_first() {
    let script = "ulimit -n 64 && exec \"$SELKEY\" multiconn-client 127.0.0.1 1 $0";
    for count in ["64", "1000", "4294967295"] {
        let mut command = Command::new("sh");
        command.args(["-c", script, count]).env("SELKEY", selkey().get_program());
        let program = Program::of(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
        let said = is_refusal(program, FAILED);
        assert!(said.contains(count) && said.contains("64") && said.contains("ulimit -n"), "{said}");
    }
}
