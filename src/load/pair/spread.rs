//! Slices in alternation, and what is left of the noise.

/// A figure over many rounds: the median and the two quartiles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The lower quartile.
    pub low: f64,
    /// The median.
    pub median: f64,
    /// The upper quartile.
    pub high: f64,
}

impl Spread {
    /// Of these values; `None` where there are none.
    ///
    /// ```
    /// use selkey::load::pair::Spread;
    ///
    /// assert_eq!(Spread::of(vec![5.0, 1.0, 2.0, 4.0, 3.0]), Some(Spread { low: 2.0, median: 3.0, high: 4.0 }));
    /// ```
    pub fn of(mut values: Vec<f64>) -> Option<Spread> {
        values.sort_by(f64::total_cmp);
        let at = |quarter: usize| values.get(values.len().checked_sub(1)? * quarter / 4).copied();
        Some(Spread { low: at(1)?, median: at(2)?, high: at(3)? })
    }
}

/// Where the quartiles of a server against itself leave 1 ± this, nothing can be said.
pub const NOISE: f64 = 0.03;

/// What a ratio says beside the noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The noise is too large to say anything.
    Inconclusive,
    /// The quartiles of the ratio lie below those of the noise.
    Less,
    /// They overlap.
    Same,
    /// The quartiles of the ratio lie above those of the noise.
    More,
}

impl Spread {
    /// What this ratio says, where `floor` is that of a server to itself.
    pub fn verdict(&self, floor: Spread) -> Verdict {
        if floor.low < 1.0 - NOISE || floor.high > 1.0 + NOISE {
            Verdict::Inconclusive
        } else if self.high < floor.low {
            Verdict::Less
        } else if self.low > floor.high {
            Verdict::More
        } else {
            Verdict::Same
        }
    }
}

/// Runs rounds of one slice each: `slice` is called with the number of each, below `many`. Answers what the slices of each round came to.
///
/// On a shared machine no absolute figure holds from one minute to the next, but what happens within a round hits all alike. Each round starts one slice further on, every
/// second one goes backwards, so that nobody always follows the same one.
///
/// # Errors
/// The first that a slice answers.
pub fn alternate<T, E>(
    rounds: usize,
    many: usize,
    mut slice: impl FnMut(usize) -> Result<T, E>,
) -> Result<Vec<Vec<T>>, E> {
    let round = |round: usize| {
        let order = (0..many).map(|turn| if round.is_multiple_of(2) { turn } else { many - 1 - turn });
        let slices = order.map(|turn| (round + turn) % many).map(|at| Ok((at, slice(at)?)));
        let mut slices = slices.collect::<Result<Vec<_>, E>>()?;
        slices.sort_by_key(|(at, _)| *at);
        Ok(slices.into_iter().map(|(_, outcome)| outcome).collect())
    };
    (0..rounds).map(round).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_round_has_every_slice_and_nobody_always_follows_the_same_one() {
        let (mut order, mut calls) = (Vec::new(), 0);
        let rounds = alternate(6, 3, |at| {
            order.push(at);
            calls += 1;
            Ok::<_, ()>((at, calls))
        })
        .unwrap();
        assert_eq!(rounds.len(), 6);
        for round in rounds {
            assert_eq!(round.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 1, 2]);
        }
        let first: Vec<usize> = order.chunks(3).map(|round| round[0]).collect();
        assert!((0..3).all(|at| first.iter().filter(|first| **first == at).count() == 2), "{first:?}");
        let before_1: Vec<usize> = order.windows(2).filter(|two| two[1] == 1).map(|two| two[0]).collect();
        assert!(before_1.contains(&0) && before_1.contains(&2), "{before_1:?}");
    }

    #[test]
    fn an_error_ends_the_rounds() {
        let mut calls = 0;
        let outcome = alternate(2, 2, |_| {
            calls += 1;
            if calls == 3 { Err(calls) } else { Ok(()) }
        });
        assert_eq!((outcome, calls), (Err(3), 3));
    }

    #[test]
    fn a_verdict_needs_a_quiet_floor_and_quartiles_apart() {
        let spread = |low, median, high| Spread { low, median, high };
        let floor = spread(0.98, 1.0, 1.02);
        assert_eq!(spread(0.90, 0.94, 0.97).verdict(floor), Verdict::Less);
        assert_eq!(spread(0.90, 0.94, 0.98).verdict(floor), Verdict::Same);
        assert_eq!(spread(1.02, 1.10, 1.20).verdict(floor), Verdict::Same);
        assert_eq!(spread(1.03, 1.10, 1.20).verdict(floor), Verdict::More);
        assert_eq!(spread(5.0, 5.0, 5.0).verdict(spread(0.96, 1.0, 1.0)), Verdict::Inconclusive);
        assert_eq!(spread(5.0, 5.0, 5.0).verdict(spread(1.0, 1.0, 1.04)), Verdict::Inconclusive);
    }

    #[test]
    fn of_nothing_there_is_no_spread() {
        assert_eq!(Spread::of(Vec::new()), None);
        assert_eq!(Spread::of(vec![2.0]), Some(Spread { low: 2.0, median: 2.0, high: 2.0 }));
    }
}
