//! A loop on a thread, and a relay on one.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};

use selkey::apps::relay::{Control, Network, Relay, Settings, Tally};
use selkey::socket::{Address, Options, listen};
use selkey::{Handle, Protocol, Reactor};

use crate::harness::await_that;

pub type Loop = Reactor<Box<dyn Protocol>>;

/// Something that runs until this is dropped.
pub struct Running {
    pub handle: Handle,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Runs `run` with what `prepare` makes of a loop on a thread of its own, and answers what that told.
    pub fn start<R, T: Send + 'static>(
        prepare: impl FnOnce(&mut Loop) -> (R, T) + Send + 'static,
        run: impl FnOnce(Loop, R) + Send + 'static,
    ) -> (Running, T) {
        let (tell, told) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut reactor = Reactor::new().unwrap();
            let (prepared, what) = prepare(&mut reactor);
            tell.send((reactor.handle(), what)).unwrap();
            run(reactor, prepared);
        });
        let (handle, what) = told.recv().unwrap();
        (Running { handle, thread: Some(thread) }, what)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.stop();
        let Some(thread) = self.thread.take() else { return };
        if !thread::panicking() {
            await_that("the loop ends", || thread.is_finished());
            thread.join().expect("the loop ends well");
        }
    }
}

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
            move |reactor| {
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
