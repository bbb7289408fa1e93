//! Records that get lost, and the counts that account for all of them.

use std::collections::BTreeMap;

use crate::random::Random;

const SECOND: i64 = 1_000_000_000;

/// Decides what is lost.
pub(crate) struct Loss {
    random: Random,
    /// Of 32 random bits, those below it are a loss.
    below: u64,
}

impl Loss {
    pub fn new(seed: u64, percent: f64) -> Loss {
        let share = (percent / 100.0).clamp(0.0, 1.0);
        Loss { random: Random::new(seed, "loss"), below: (share * 4_294_967_296.0) as u64 }
    }

    /// Whether the next record is lost.
    pub fn takes(&mut self) -> bool {
        self.below > 0 && u64::from(self.random.bits()) < self.below
    }
}

/// What there is to know of the records of a kind.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Count {
    /// Stored in this segment.
    pub stored: i64,
    /// Stored in earlier ones.
    pub stored_before: i64,
    /// Emitted until the end of this segment.
    pub emitted: i64,
    /// Lost until then.
    pub lost: i64,
    /// First and last of those stored in this segment.
    pub span: Option<(i64, i64)>,
}

/// Records by kind, and what was lost in the segment by second, kind and CPU.
#[derive(Clone, Default)]
pub(crate) struct Counts {
    pub kinds: BTreeMap<&'static str, Count>,
    pub lost: BTreeMap<(i64, &'static str, u16), i64>,
}

impl Counts {
    /// The counts that the next segment begins with.
    pub fn next(&self) -> Counts {
        let kinds = self.kinds.iter().map(|(kind, count)| {
            let stored_before = count.stored_before + count.stored;
            (*kind, Count { stored: 0, stored_before, span: None, ..*count })
        });
        Counts { kinds: kinds.collect(), lost: BTreeMap::new() }
    }

    /// Counts a record.
    pub fn add(&mut self, kind: &'static str, ts: i64, cpu: u16, is_lost: bool) {
        let count = self.kinds.entry(kind).or_default();
        count.emitted += 1;
        if is_lost {
            count.lost += 1;
            *self.lost.entry((ts - ts.rem_euclid(SECOND), kind, cpu)).or_default() += 1;
        } else {
            count.stored += 1;
            let (first, last) = count.span.unwrap_or((ts, ts));
            count.span = Some((first.min(ts), last.max(ts)));
        }
    }

    /// All that were lost so far.
    pub fn lost_all(&self) -> i64 {
        self.kinds.values().map(|count| count.lost).sum()
    }
}
