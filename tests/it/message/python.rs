//! A Python to ask about messages and encodings.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::Value;

use crate::harness::python3;

pub struct Python {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Python {
    /// None where there is no Python, which was said then.
    pub fn start() -> Option<Python> {
        let mut command = python3()?;
        command.args(["-X", "utf8", "-c", include_str!("codec.py")]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Some(Python { child, to, from })
    }

    /// The function's name and its arguments.
    pub fn ask(&mut self, call: &Value) -> String {
        writeln!(self.to, "{call}").unwrap();
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "no answer to {call}");
        line.trim_end().to_owned()
    }

    /// The same where the answer is JSON.
    pub fn ask_json(&mut self, call: &Value) -> Value {
        serde_json::from_str(&self.ask(call)).unwrap()
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // One that failed has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
