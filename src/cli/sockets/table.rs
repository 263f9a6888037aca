//! How the rows look: aligned columns for people, one line of JSON for programs.

use serde_json::{Value, json};

use super::{End, Found, Row};
use crate::cli::output::columns;

const HEADER: [&str; 7] = ["Proto", "Recv-Q", "Send-Q", "Local Address", "Foreign Address", "State", "PID/Program"];
/// Numbers stand on the right.
const RIGHT: [bool; 7] = [false, true, true, false, false, false, false];

const GROWS: &str = "A growing Recv-Q: the program does not read what has arrived. \
    A growing Send-Q: the other end does not read or the network does not deliver.";
const LISTENS: &str = "In a LISTEN row a growing Recv-Q: connections wait because the program does not accept them.";
const HIDDEN: &str = "Not run as root: the programs of other users are not shown.";

pub fn text(found: &Found) -> String {
    let lines: Vec<[String; 7]> = [HEADER.map(str::to_owned)].into_iter().chain(found.rows.iter().map(cells)).collect();
    let mut text = columns(&lines, &RIGHT);
    let listens = found.rows.iter().any(|row| row.state == "LISTEN" && row.recv_q.is_some());
    let notes = [(true, GROWS), (listens, LISTENS), (found.programs_hidden, HIDDEN)];
    for (_, note) in notes.iter().filter(|(shown, _)| *shown) {
        text += note;
        text.push('\n');
    }
    text
}

fn cells(row: &Row) -> [String; 7] {
    let number = |n: Option<u32>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
    let program = row.program.as_ref().map(|(pid, name)| format!("{pid}/{}", printable(name)));
    [
        row.proto.to_owned(),
        number(row.recv_q),
        number(row.send_q),
        end(&row.local),
        row.foreign.as_ref().map_or_else(|| "-".to_owned(), end),
        row.state.to_owned(),
        program.unwrap_or_else(|| "-".to_owned()),
    ]
}

/// Port 0 is no port: any may come.
fn end(end: &End) -> String {
    match end {
        End::Net(address) => {
            let text = address.to_string();
            text.strip_suffix(":0").map_or(text.clone(), |host| format!("{host}:*"))
        }
        End::Path(path) => printable(path),
    }
}

/// Programs and paths name themselves; what they choose must not reach the terminal as commands.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// One line.
pub fn json(found: &Found) -> String {
    let sockets: Vec<Value> = found.rows.iter().map(object).collect();
    format!("{}\n", json!({ "sockets": sockets, "programs_hidden": found.programs_hidden }))
}

fn object(row: &Row) -> Value {
    let address = |end: &End| match end {
        End::Net(address) => address.ip().to_string(),
        End::Path(path) => path.clone(),
    };
    // Port 0 is "none".
    let port = |end: &End| end.port().filter(|port| *port > 0);
    let foreign = row.foreign.as_ref().filter(|end| port(end).is_some());
    json!({
        "proto": row.proto,
        "recv_q": row.recv_q,
        "send_q": row.send_q,
        "local_address": address(&row.local),
        "local_port": port(&row.local),
        "foreign_address": foreign.map(address),
        "foreign_port": foreign.and_then(port),
        "state": Some(row.state).filter(|state| !state.is_empty()),
        "pid": row.program.as_ref().map(|(pid, _)| *pid),
        "program": row.program.as_ref().map(|(_, name)| name),
    })
}
