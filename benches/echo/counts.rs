//! What is the same in every run: system calls and instructions of a server for a message or a connection.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, fs, process};

use selkey::load::pair::{Scenario, Server};
use selkey::load::{Echo, Goal, Session};

use crate::peers::{ECHO, Peer};
use crate::support::{Progress, ratio, table};

const COUNTED: [&str; 2] = ["one", "connect"];
/// The first ones of the list.
const PEERS: usize = 2;
/// valgrind takes its time.
const PATIENCE: Duration = Duration::from_secs(60);

/// The table.
pub fn counted() -> String {
    let progress = Progress::new();
    let mut rows = vec![["Counted", "", "system calls", "instructions", "ratio"].map(str::to_owned).to_vec()];
    for scenario in COUNTED.map(|name| Scenario::named(name).unwrap()) {
        progress.show(&format!("counting, {scenario}"));
        let mut first = None;
        for peer in &ECHO[..PEERS] {
            let calls = count(&scenario, peer, &["strace", "-f", "-c", "-o", "OUT"], |text| {
                let total = text.lines().find(|line| line.trim_end().ends_with("total"))?;
                total.split_whitespace().nth(3)?.parse().ok()
            });
            let tool = ["valgrind", "--tool=callgrind", "--callgrind-out-file=OUT"];
            let instructions = count(&scenario, peer, &tool, |text| {
                text.lines().find_map(|line| line.strip_prefix("totals: "))?.trim().parse().ok()
            });
            let show = |count: Option<f64>| count.map_or("n/a".into(), |count| format!("{count:.1}"));
            let reference = *first.get_or_insert(instructions);
            let against = reference.zip(instructions).map(|(bare, this)| this / bare);
            let against = against.map_or("n/a".into(), ratio);
            rows.push(vec![scenario.to_string(), peer.name.to_owned(), show(calls), show(instructions), against]);
        }
    }
    table(&rows)
}

/// Runs a server under a tool that counts, twice, and answers how much more it counted for how many more.
fn count(scenario: &Scenario, peer: &Peer, tool: &[&str], read: impl Fn(&str) -> Option<f64>) -> Option<f64> {
    Command::new(tool[0]).arg("--version").stdout(Stdio::null()).status().ok()?;
    let out = env::temp_dir().join(format!("selkey-count-{}", process::id()));
    let tool = tool.iter().map(|word| word.replace("OUT", out.to_str().unwrap()));
    let words: Vec<String> = tool.chain(peer.command()?).collect();
    let counted = |messages: u64| {
        let server = Server::start(&words, &[], PATIENCE, &mut || Ok(())).unwrap();
        let mut session = Session::open(&scenario.plan(server.address()), Echo::new(scenario.size)).unwrap();
        assert_eq!(session.until(Goal::Messages(messages)).unwrap().messages, messages);
        drop((session, server));
        take(&out).and_then(|text| read(&text))
    };
    let (few, many) = (500, 2_500);
    let (less, more) = (counted(few)?, counted(many)?);
    Some((more - less) / (many - few) as f64)
}

fn take(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    fs::remove_file(path).ok()?;
    Some(text)
}
