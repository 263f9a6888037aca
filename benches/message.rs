//! The application protocol's codec beside what else one would write, and beside the system calls that move the same bytes.
//!
//! `cargo bench --bench message` prints the table and then runs criterion over selkey's bodies; `--table` behind `--` leaves criterion out.

#[path = "peers/value.rs"]
mod value;

mod support;

use std::hint::black_box;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use criterion::{Criterion, Throughput};
use selkey::load::pair::Spread;
use selkey::message::{Decoded, Decoder, Header, dumps, encode};
use support::{Mode, Progress, paired, range, ratio, table, timed};

const RESULT: &str = "Follow the white rabbit. 🐰";
const PIPELINED: usize = 1000;
const SLICE: Duration = Duration::from_millis(10);
const ROUNDS: usize = 25;

type Body = Box<dyn FnMut()>;

/// What is done, by selkey and by the way over `serde_json::Value`.
struct Row {
    name: &'static str,
    what: &'static str,
    bytes: usize,
    selkey: fn() -> Body,
    value: fn() -> Body,
}

fn rows() -> [Row; 4] {
    let (request, reply) = (request().len(), reply().len());
    [
        Row {
            name: "encode",
            what: "encode the reply",
            bytes: reply,
            selkey: || {
                let mut out = Vec::new();
                Box::new(move || encode_reply(&mut out))
            },
            value: || {
                let mut out = Vec::new();
                Box::new(move || value_reply(&mut out))
            },
        },
        Row {
            name: "decode",
            what: "decode the request",
            bytes: request,
            selkey: || {
                let wire = self::request();
                Box::new(move || assert_eq!(decode_requests(&wire), 1))
            },
            value: || {
                let wire = self::request();
                Box::new(move || assert_eq!(value_requests(&wire), 1))
            },
        },
        Row {
            name: "pipelined",
            what: "decode 1,000 requests",
            bytes: request * PIPELINED,
            selkey: || {
                let wire = self::request().repeat(PIPELINED);
                Box::new(move || assert_eq!(decode_requests(&wire), PIPELINED))
            },
            value: || {
                let wire = self::request().repeat(PIPELINED);
                Box::new(move || assert_eq!(value_requests(&wire), PIPELINED))
            },
        },
        Row {
            name: "exchange",
            what: "decode and encode",
            bytes: request + reply,
            selkey: || {
                let (wire, mut out) = (self::request(), Vec::new());
                Box::new(move || {
                    assert_eq!(decode_requests(&wire), 1);
                    encode_reply(&mut out);
                })
            },
            value: || {
                let (wire, mut out) = (self::request(), Vec::new());
                Box::new(move || {
                    assert_eq!(value_requests(&wire), 1);
                    value_reply(&mut out);
                })
            },
        },
    ]
}

fn request() -> Vec<u8> {
    let mut wire = Vec::new();
    let content = dumps(&[("action", "search"), ("value", "morpheus")]).to_string();
    encode("text/json", "utf-8", content.as_bytes(), &mut wire).unwrap();
    wire
}

fn reply() -> Vec<u8> {
    let mut wire = Vec::new();
    encode_reply(&mut wire);
    wire
}

fn encode_reply(out: &mut Vec<u8>) {
    out.clear();
    let members = [("result", black_box(RESULT))];
    let content = dumps(&members);
    Header::new("text/json", "utf-8", content.len()).encode(|bytes| out.extend_from_slice(bytes)).unwrap();
    write!(out, "{content}").unwrap();
    black_box(out);
}

fn value_reply(out: &mut Vec<u8>) {
    out.clear();
    value::encode(&serde_json::json!({ "result": black_box(RESULT) }), false, out);
    black_box(out);
}

/// Reads action and value of each, and answers how many there were.
fn decode_requests(wire: &[u8]) -> usize {
    let (mut decoder, mut rest, mut count) = (Decoder::new(), black_box(wire), 0);
    while let Ok(Decoded::Message { message, used }) = decoder.decode(rest) {
        let content = message.object().unwrap();
        black_box((content.string("action").unwrap(), content.string("value").unwrap()));
        rest = &rest[used..];
        count += 1;
    }
    count
}

fn value_requests(wire: &[u8]) -> usize {
    let (mut rest, mut count) = (black_box(wire), 0);
    while let Some((header, content, used)) = value::decode(rest) {
        black_box((header, value::request(content)));
        rest = &rest[used..];
        count += 1;
    }
    count
}

/// Sends the request over loopback and receives it, on one thread.
fn loopback() -> Body {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    sender.set_nodelay(true).unwrap();
    let mut receiver = listener.accept().unwrap().0;
    let wire = request();
    let mut buffer = vec![0; wire.len()];
    Box::new(move || {
        sender.write_all(&wire).unwrap();
        receiver.read_exact(&mut buffer).unwrap();
    })
}

/// A Python that does the same, and takes the time itself.
struct Python {
    child: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Python {
    fn start() -> Option<Python> {
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/message/peer.py");
        let mut child =
            Command::new("python3").arg(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
        let (ask, answers) = (child.stdin.take()?, BufReader::new(child.stdout.take()?));
        Some(Python { child, ask, answers })
    }

    fn time(&mut self, name: &str, times: usize) -> f64 {
        writeln!(self.ask, "{name} {times}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line.trim().parse().expect("Python says how many seconds it took")
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn measure(row: &Row, python: Option<&mut Python>) -> Vec<Spread> {
    let mut slices: Vec<Box<dyn FnMut() -> f64>> = vec![
        timed((row.selkey)(), SLICE),
        timed((row.selkey)(), SLICE),
        timed((row.value)(), SLICE),
        timed(loopback(), SLICE),
    ];
    if let Some(python) = python {
        let once = python.time(row.name, 3);
        let times = (SLICE.as_secs_f64() / once).ceil() as usize;
        slices.push(Box::new(move || python.time(row.name, times)));
    }
    paired(ROUNDS, &mut slices)
}

fn ratios() -> String {
    let (progress, mut python) = (Progress::new(), Python::start());
    let head = ["", "floor", "serde_json::Value", "Python", "one loopback send + recv", "spread"];
    let mut lines = vec![head.map(String::from).to_vec()];
    for row in rows() {
        progress.show(row.what);
        let ratios = measure(&row, python.as_mut());
        let show = |at: usize| ratios.get(at).map_or("n/a".into(), |spread: &Spread| ratio(spread.median));
        let spread = ratios[2..].iter().map(range).collect::<Vec<_>>().join(" ");
        lines.push(vec![row.what.into(), range(&ratios[1]), show(2), show(4), show(3), spread]);
    }
    format!("Time as a ratio to selkey's (median of {ROUNDS} paired slices)\n\n{}", table(&lines))
}

fn main() {
    match Mode::from_args() {
        Mode::Test => {
            loopback()();
            for row in rows() {
                (row.selkey)()();
                (row.value)()();
                if let Some(mut python) = Python::start() {
                    assert!(python.time(row.name, 1) > 0.0);
                }
            }
            return;
        }
        Mode::Table => return print!("{}", ratios()),
        Mode::Full => println!("{}", ratios()),
    }
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("message");
    for row in rows() {
        let mut body = (row.selkey)();
        group.throughput(Throughput::Bytes(row.bytes as u64));
        group.bench_function(row.name, |bencher| bencher.iter(&mut body));
    }
    group.finish();
    criterion.final_summary();
}
