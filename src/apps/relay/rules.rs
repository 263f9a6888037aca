//! What a relay does to what passes, and how that is changed while it runs.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What happens to the bytes that go one way. The default lets them pass as they come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// How long everything is under way, at least.
    pub delay: Duration,
    /// Up to this much longer, by chance and anew for each piece. The bytes of a stream keep their order; datagrams do not.
    pub jitter: Duration,
    /// Bytes a second, of each connection for itself. What comes faster waits for its turn; a piece passes when its last byte does. 0 is 1.
    pub rate: Option<u64>,
    /// The longest piece of a stream; each is a send of its own. A receiver may still get several at once, as TCP has it. 0 is 1. Not for datagrams.
    pub chunk: Option<usize>,
    /// Nothing passes for so long from the start of a connection.
    pub freeze: Duration,
    /// After so many bytes nothing more passes, not even the end, and nobody is told: the sender's bytes are taken and dropped. A datagram that would be
    /// beyond is dropped whole.
    pub drop_after: Option<u64>,
    /// Once so many bytes have passed, both connections are reset; the peer is sent exactly these. 0 is before the first. Not for datagrams.
    pub reset_after: Option<u64>,
}

/// The rules of both directions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// For what the client sends.
    pub to_target: Rules,
    /// For what the target sends.
    pub to_client: Rules,
}

impl Rules {
    /// The longest that something is under way for its delay alone.
    pub(super) fn longest(&self) -> Duration {
        self.delay.saturating_add(self.jitter)
    }
}

impl Network {
    /// For what this end sends.
    pub(super) fn rules(&self, from: End) -> &Rules {
        match from {
            End::Client => &self.to_target,
            End::Target => &self.to_client,
        }
    }
}

/// The same rules for both directions.
impl From<Rules> for Network {
    fn from(rules: Rules) -> Network {
        Network { to_target: rules.clone(), to_client: rules }
    }
}

/// Who speaks with whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Client,
    Target,
}

impl End {
    pub(super) fn other(self) -> End {
        match self {
            End::Client => End::Target,
            End::Target => End::Client,
        }
    }
}

/// Changes the rules of a relay while it runs, from any thread; also for what is under way.
#[derive(Clone)]
pub struct Control {
    state: Arc<Mutex<State>>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) network: Network,
    /// Until when nothing passes anywhere.
    pub(super) thaw: Option<Instant>,
    changed: bool,
}

impl Control {
    pub(super) fn new(network: Network, wake: impl Fn() + Send + Sync + 'static) -> Control {
        let state = State { network, thaw: None, changed: false };
        Control { state: Arc::new(Mutex::new(state)), wake: Arc::new(wake) }
    }

    /// Changes the rules. What counts from the start of a connection, [`Rules::freeze`] and the bytes that have passed, goes on counting from there.
    pub fn change(&self, change: impl FnOnce(&mut Network)) {
        let mut state = self.lock();
        change(&mut state.network);
        state.changed = true;
        drop(state);
        (self.wake)();
    }

    /// Lets nothing pass on any connection for so long from now on; zero ends an earlier freeze.
    pub fn freeze(&self, time: Duration) {
        let mut state = self.lock();
        // A time too long for the clock is none.
        (state.thaw, state.changed) = (Instant::now().checked_add(time), true);
        drop(state);
        (self.wake)();
    }

    /// The rules as they are now.
    pub fn network(&self) -> Network {
        self.lock().network.clone()
    }

    /// The rules with all that belongs to them.
    pub(super) fn state(&self) -> State {
        self.lock().clone()
    }

    /// What was changed since the last call.
    pub(super) fn changed(&self) -> Option<State> {
        let mut state = self.lock();
        std::mem::take(&mut state.changed).then(|| state.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").field("state", &*self.lock()).finish_non_exhaustive()
    }
}

/// Chance that is the same in every run with the same seed (xorshift).
#[derive(Clone, Debug)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Chance {
        // Mixed, so that neighbouring seeds differ soon; never 0, where it would stay.
        Chance(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A time from zero to `most`, all equally likely.
    pub(super) fn below(&mut self, most: Duration) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        most.mul_f64((self.0 >> 11) as f64 / (1u64 << 53) as f64)
    }
}

/// How long so many bytes take at this rate.
pub(super) fn time_at(rate: Option<u64>, bytes: usize) -> Duration {
    rate.map_or(Duration::ZERO, |rate| {
        Duration::from_nanos(
            (bytes as u128 * 1_000_000_000).div_ceil(u128::from(rate.max(1))).min(u64::MAX.into()) as u64
        )
    })
}

/// Thirty years where the clock does not reach so far.
pub(super) fn later(then: Instant, time: Duration) -> Instant {
    then.checked_add(time).unwrap_or_else(|| then + Duration::from_secs(1 << 30))
}
