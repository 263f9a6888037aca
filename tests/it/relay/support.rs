//! A loop on a thread, and a relay on one.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use selkey::apps::relay::{Control, Network, Relay, Settings, Tally};
use selkey::socket::{Address, Options, listen};
use selkey::{Protocol, Reactor};

use crate::reactor::support::Running;

pub type Loop = Reactor<Box<dyn Protocol>>;

/// A bad network.
pub struct Bad {
    pub address: SocketAddr,
    pub control: Control,
    pub tally: Arc<Mutex<Tally>>,
    _running: Running,
}

impl Bad {
    pub fn before(target: SocketAddr, network: impl Into<Network>) -> Bad {
        let mut settings = Settings::new(target);
        settings.network = network.into();
        let tally = Arc::new(Mutex::new(Tally::default()));
        let told = tally.clone();
        let (running, (address, control)) = Running::start(
            move |reactor: &mut Loop| {
                let listener = listen(&Address::from("127.0.0.1:0"), &Options::default()).unwrap();
                let address = listener.bound().unwrap();
                let relay = Relay::start(reactor, listener, settings).unwrap();
                let control = relay.control();
                (relay, (address, control))
            },
            move |mut reactor, mut relay| {
                while relay.turn(&mut reactor).unwrap() {
                    *told.lock().unwrap() = relay.tally();
                }
            },
        );
        Bad { address, control, tally, _running: running }
    }

    pub fn tally(&self) -> Tally {
        *self.tally.lock().unwrap()
    }
}

/// How many this process has open. For a process of one's own.
pub fn descriptors() -> usize {
    std::fs::read_dir("/dev/fd").unwrap().count()
}
