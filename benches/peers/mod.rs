//! The same echo server, written with what a user would pick; one file each, and nothing else in it.

pub mod app_tokio;
pub mod bare;
pub mod generator;
pub mod mio;
pub mod polling;
pub mod selkey;
pub mod threads;
pub mod tokio;
pub mod value;

use std::env;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use ::selkey::socket::Socket;

/// A server that the others are compared with.
pub struct Peer {
    pub name: &'static str,
    how: How,
    /// How many of ten lots it takes part in: who is far away need not be measured as often.
    pub lots: usize,
}

enum How {
    /// Runs on this listener for ever, in this program started once more with this word.
    Here(&'static str, fn(TcpListener)),
    /// A Python program of this directory, with these words behind the port; it needs the module named last.
    Python(&'static str, &'static [&'static str], &'static str),
}

const fn here(name: &'static str, lots: usize, serve: fn(TcpListener)) -> Peer {
    Peer { name, how: How::Here("serve", serve), lots }
}

const fn app(name: &'static str, lots: usize, serve: fn(TcpListener)) -> Peer {
    Peer { name, how: How::Here("serve-app", serve), lots }
}

/// Echo servers; the first is what the others are measured against.
pub const ECHO: &[Peer] = &[
    here("bare", 10, bare::serve),
    here("selkey", 10, selkey::serve),
    here("polling", 5, polling::serve),
    here("mio", 5, mio::serve),
    here("tokio", 5, tokio::serve),
    here("threads", 2, threads::serve),
    Peer { name: "Python selectors", how: How::Python("python_selectors.py", &[], "selectors"), lots: 2 },
    Peer { name: "Python asyncio", how: How::Python("python_asyncio.py", &[], "asyncio"), lots: 2 },
    Peer { name: "Python uvloop", how: How::Python("python_asyncio.py", &["uvloop"], "uvloop"), lots: 2 },
];

/// Servers of the application protocol; the first is what the others are measured against.
pub const APP: &[Peer] = &[
    app("selkey", 10, selkey::serve_app),
    app("tokio + serde_json", 5, app_tokio::serve),
    Peer { name: "Python asyncio + json", how: How::Python("app_server.py", &[], "asyncio"), lots: 2 },
];

impl Peer {
    /// What starts it on the port that stands for `{port}`; `None` where the system has not what it needs.
    pub fn command(&self) -> Option<Vec<String>> {
        let words = match self.how {
            How::Here(word, _) => vec![env::current_exe().unwrap().to_str()?.to_owned(), word.into(), self.name.into()],
            How::Python(file, _, needs) => {
                let import = ["-c", &format!("import {needs}")];
                let tried = Command::new("python3").args(import).stderr(Stdio::null()).status();
                tried.ok().filter(|status| status.success())?;
                let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers").join(file);
                vec!["python3".to_owned(), file.to_str()?.to_owned()]
            }
        };
        let more: &[&str] = if let How::Python(_, more, _) = self.how { more } else { &[] };
        Some([words, vec!["{port}".to_owned()], more.iter().map(|word| (*word).to_owned()).collect()].concat())
    }

    /// The other side of [`command`](Peer::command): runs the peer of this name here.
    pub fn serve(peers: &[Peer], name: &str, port: &str) {
        let peer = peers.iter().find(|peer| peer.name == name).expect("a peer's name");
        let How::Here(_, serve) = peer.how else { panic!("{name} is another program") };
        let port: u16 = port.parse().expect("a port");
        let listener = Socket::from(TcpListener::bind(("127.0.0.1", port)).unwrap());
        // A thousand connections come at once.
        listener.listen(4096).unwrap();
        serve(listener.into());
    }
}
