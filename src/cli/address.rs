//! ADDRESS as arguments: `HOST PORT` or `unix:PATH`, and what may follow it.

use selkey::socket::Address;

use super::usage::{refuse, within};

/// The address at the head of these arguments, and what follows it. `least` is the lowest port that makes sense; `missing` names what is to
/// come when nothing does.
fn take<'a>(words: &'a [String], least: u16, missing: &str) -> (Address, &'a [String]) {
    match words {
        [] => refuse(&format!("an address is missing: <HOST> <PORT>{missing} or unix:PATH{missing}")),
        [path, rest @ ..] if path.starts_with("unix:") => match path.strip_prefix("unix:") {
            Some("") => refuse("the path after 'unix:' is missing"),
            _ => (path.as_str().into(), rest),
        },
        [host] => refuse(&format!("after the host '{host}' comes <PORT>{missing}")),
        [host, port, rest @ ..] => match within(least, u16::MAX)(port) {
            Ok(port) => ((host.as_str(), port).into(), rest),
            Err(expected) => refuse(&format!("invalid value '{}' for <PORT>: {expected}", one_line(port))),
        },
    }
}

/// Line ends as blanks.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

/// The one address of a server in these arguments, or the default where there are none.
pub fn of_server(words: &[String], default: (&str, u16)) -> Address {
    if words.is_empty() {
        return default.into();
    }
    alone(take(words, 0, ""))
}

/// The address that nothing may follow.
fn alone((address, rest): (Address, &[String])) -> Address {
    match rest {
        [] => address,
        [unexpected, ..] => refuse(&format!("unexpected argument '{}' after the address", one_line(unexpected))),
    }
}

/// The address of a client and the messages behind it, or the default where there are no arguments.
pub fn of_client_with_messages<'a>(words: &'a [String], default: (&str, u16)) -> (Address, &'a [String]) {
    if words.is_empty() { (default.into(), words) } else { take(words, 1, "") }
}

/// The one address to dial in these arguments, or the default where there are none.
pub fn of_client(words: &[String], default: (&str, u16)) -> Address {
    alone(of_client_with_messages(words, default))
}

/// The address to dial and what must follow it, as `missing` names it.
pub fn of_client_with_words<'a>(words: &'a [String], missing: &str) -> (Address, &'a [String]) {
    take(words, 1, missing)
}

/// Where to listen and whom to dial, one address behind the other.
pub fn of_relay(words: &[String]) -> (Address, Address) {
    match take(words, 0, " <TARGET>") {
        (_, []) => refuse("after the address to listen on comes that of the target: <HOST> <PORT> or unix:PATH"),
        (listen, target) => (listen, alone(take(target, 1, ""))),
    }
}

/// The address to dial, and the whole number from 1 on that must follow it, `<NAME>`.
pub fn of_client_with_number(words: &[String], name: &str) -> (Address, u32) {
    match take(words, 1, &format!(" <{name}>")) {
        (_, []) => refuse(&format!("after the address comes <{name}>")),
        (address, [number]) => match within(1u32, u32::MAX)(number) {
            Ok(number) => (address, number),
            Err(expected) => refuse(&format!("invalid value '{}' for <{name}>: {expected}", one_line(number))),
        },
        (_, [_, unexpected, ..]) => refuse(&format!("unexpected argument '{}' after <{name}>", one_line(unexpected))),
    }
}
