//! Before a wait: how long it may be, and what no event tells.

use std::ops::ControlFlow;

use super::*;

impl<P: Protocol, B: Backend> Reactor<P, B> {
    #[inline(always)]
    pub(super) fn wait(&mut self, timeout: Option<Duration>) -> io::Result<usize> {
        match self.busy_poll {
            None => self.selector.wait(timeout),
            Some(time) => self.wait_busily(time, timeout),
        }
    }

    #[inline(never)]
    fn wait_busily(&mut self, time: Duration, timeout: Option<Duration>) -> io::Result<usize> {
        let (start, most) = (Instant::now(), timeout.unwrap_or(Duration::MAX));
        loop {
            let count = self.selector.wait(Some(Duration::ZERO))?;
            let spun = start.elapsed();
            if count > 0 || spun >= most {
                return Ok(count);
            }
            if spun >= time {
                return self.selector.wait(timeout.map(|timeout| timeout.saturating_sub(spun)));
            }
        }
    }

    /// What is looked after between messages only: what was asked through a handle, listeners that rest, whether anything is left. Answers how
    /// long to wait then, or that the loop ends.
    #[inline(never)]
    pub(super) fn look_up(&mut self) -> io::Result<ControlFlow<(), Option<Duration>>> {
        if let Some(error) = self.broken.take() {
            return Err(error);
        }
        match self.handle.asked() {
            Asked::Stop => return Ok(ControlFlow::Break(())),
            Asked::Drain => {
                let now = self.desk.shared.now;
                if self.desk.shared.draining.is_none() {
                    self.desk.shared.draining = Some(now);
                    self.close_listeners()?;
                }
            }
            Asked::Nothing => {}
        }
        self.feed_starved();
        // Whoever turns the loop sees what came of them before the next wait.
        let busy = self.run_due() | self.redial_rested();
        let empty = if self.desk.shared.draining.is_some() {
            self.desk.shared.stats.connections == 0 && self.listeners.is_empty()
        } else {
            self.timers.timeout().is_none()
                && self.redials.is_empty()
                && self.selector.get_map().len() == self.clock.entries()
        };
        // An empty loop stays at its end until something is put in.
        let timeout = self.timeout();
        self.look_up = empty || timeout.is_some();
        Ok(match timeout {
            _ if empty => ControlFlow::Break(()),
            _ if busy => ControlFlow::Continue(Some(Duration::ZERO)),
            timeout => ControlFlow::Continue(timeout),
        })
    }

    /// How long to wait for what no event tells.
    fn timeout(&self) -> Option<Duration> {
        let redial = self.redials.iter().map(|(at, ..)| at.saturating_duration_since(Instant::now())).min();
        [self.starved.timeout(), self.clock.timeout(), self.timers.timeout(), redial].into_iter().flatten().min()
    }
}
