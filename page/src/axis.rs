//! The one axis of time that everything on the page shares, cut into stretches of the same length.

use schema::human;

/// Stretches of the axis, at most: a pixel or more for each on most screens.
const SLOTS_MAX: i64 = 300;

/// Stretches that are put together where time is one of several dimensions.
pub const COARSE: usize = 5;

/// The axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axis {
    /// The first event of the recording, from which commands and some reports count, ns since 1970.
    pub origin: i64,
    /// Its beginning: the first thing that happened, ns since 1970.
    pub first: i64,
    /// The last event.
    pub last: i64,
    /// Length of a stretch, ns.
    pub width: i64,
    /// Number of stretches; 0 when there are no events.
    pub slots: usize,
}

impl Axis {
    /// The axis of a recording with these bounds that counts from `origin` on.
    pub fn of(bounds: Option<(i64, i64)>, origin: i64) -> Axis {
        let Some((first, last)) = bounds.filter(|(first, last)| first <= last) else {
            return Axis { origin: 0, first: 0, last: 0, width: 1, slots: 0 };
        };
        let span = last.saturating_sub(first).max(1);
        let width = round((span / SLOTS_MAX).max(1_000));
        let slots = usize::try_from(span / width).unwrap_or(0) + 1;
        Axis { origin, first, last, width, slots }
    }

    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.slots == 0
    }

    /// How much later than the first event it begins, ns.
    pub fn shift(&self) -> i64 {
        self.first.saturating_sub(self.origin)
    }

    /// The whole length, ns.
    pub fn span(&self) -> i64 {
        self.last.saturating_sub(self.first)
    }

    /// The stretch with this number; what lies a little outside belongs to the first or the last.
    pub fn slot(&self, number: i64) -> usize {
        usize::try_from(number.max(0)).unwrap_or(usize::MAX).min(self.slots.saturating_sub(1))
    }

    /// The stretch with this number, if it is on the axis.
    pub fn known(&self, number: i64) -> Option<usize> {
        usize::try_from(number).ok().filter(|slot| *slot < self.slots)
    }

    /// The stretch that a moment lies in.
    pub fn slot_of(&self, ts: i64) -> usize {
        self.slot(ts.saturating_sub(self.first).div_euclid(self.width))
    }

    /// Number of coarse stretches.
    pub fn coarse_slots(&self) -> usize {
        self.slots.div_ceil(COARSE)
    }

    /// A length for the stretches of reports that have them: few enough to read.
    pub fn report_width(&self) -> i64 {
        round((self.span() / 40).max(1_000_000))
    }

    /// Length of a stretch, for people.
    pub fn width_text(&self) -> String {
        human::duration(self.width)
    }
}

/// The next of 1, 2, 5, 10, 20, ... that is not less.
fn round(least: i64) -> i64 {
    let mut unit = 1i64;
    loop {
        for factor in [1, 2, 5] {
            let width = unit.saturating_mul(factor);
            if width >= least {
                return width;
            }
        }
        unit = unit.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_are_round_and_not_too_many() {
        let check = |span: i64, width: i64, slots: usize| {
            let axis = Axis::of(Some((7, 7 + span)), 0);
            assert_eq!((axis.width, axis.slots), (width, slots), "{span}");
            assert_eq!(axis.slot_of(7 + span), slots - 1);
        };
        check(0, 1_000, 1);
        check(30_000_000_000, 100_000_000, 301);
        check(86_400_000_000_000, 500_000_000_000, 173);
        assert!(Axis::of(None, 0).is_empty());
        assert_eq!(Axis::of(Some((0, i64::MAX)), 0).slots, 185);
    }
}
