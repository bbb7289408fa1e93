//! Makes times of the processor's ticks that are in the rings.
//!
//! Programs write the counter of the processor (TSC) as it is. It is looked up here next to
//! `CLOCK_MONOTONIC` whenever rings are drained; between two looks time goes along the straight line
//! that joins them, and so is within the error of a look (some 10 ns) of the kernel's. All rings of a
//! recording go through the same lines, each of which begins where the last one that was used ended:
//! later ticks never have earlier times.

use std::fs;
use std::thread;
use std::time::Duration;

use crate::control;
use crate::layout::{CLOCK_NANOSECONDS, CLOCK_TICKS};

/// What is later than the recorder's own time by more was not written by the library.
const SLACK_NS: u64 = 1_000_000_000;
/// How often a new line is begun.
const LOOK_EVERY_NS: u64 = 20_000_000;
/// Least time between the two looks that the first line joins.
const FIRST_NS: u64 = 2_000_000;
/// How far back the look is that the frequency is reckoned from, to twice as much.
const BASELINE_NS: u64 = 10_000_000_000;
/// Lines that are kept: minutes. What has waited in its ring for longer goes by the first of them.
const LINES_MAX: usize = 16 << 10;

/// Ticks and nanoseconds at the same time.
#[derive(Clone, Copy)]
struct Point {
    ticks: u64,
    ns: u64,
}

/// How time goes from a point on.
#[derive(Clone, Copy)]
struct Line {
    from: Point,
    slope: Slope,
}

/// Nanoseconds of 2³² ticks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Slope(u64);

impl Slope {
    fn between(from: Point, to: Point) -> Slope {
        let ns = u128::from(to.ns.saturating_sub(from.ns)) << 32;
        let ticks = u128::from(to.ticks.saturating_sub(from.ticks).max(1));
        Slope(u64::try_from(ns / ticks).unwrap_or(u64::MAX))
    }
}

impl Line {
    fn ns(&self, ticks: u64) -> u64 {
        let since = u128::from(ticks.saturating_sub(self.from.ticks)) * u128::from(self.slope.0);
        // Before the first line: as if it had begun earlier.
        let before = u128::from(self.from.ticks.saturating_sub(ticks)) * u128::from(self.slope.0);
        let clamp = |ns: u128| u64::try_from(ns >> 32).unwrap_or(u64::MAX);
        self.from.ns.saturating_add(clamp(since)).saturating_sub(clamp(before))
    }
}

/// Ticks as times.
struct Timeline {
    /// In the order of their ticks; empty before the first look.
    lines: Vec<Line>,
    /// Two looks that the frequency may be reckoned from: one for now, and one for later.
    baseline: [Point; 2],
    looked_ns: u64,
    /// What is earlier may have been asked for, and must not change any more.
    used: u64,
}

impl Timeline {
    fn new(now: Point) -> Timeline {
        Timeline { lines: Vec::new(), baseline: [now; 2], looked_ns: now.ns, used: now.ticks }
    }

    /// Takes a look into account.
    fn look(&mut self, now: Point) {
        if now.ticks <= self.used {
            // The counter was set back, as some machines do in their sleep.
            let slope = self.lines.last().map_or(Slope(1 << 32), |line| line.slope);
            *self = Timeline::new(now);
            self.lines.push(Line { from: now, slope });
            return;
        }
        let frequency = Slope::between(self.baseline[0], now);
        match self.lines.last() {
            None => self.lines.push(Line { from: self.baseline[0], slope: frequency }),
            Some(last) => {
                let from = Point { ticks: self.used, ns: last.ns(self.used) };
                // Should it have run ahead, it goes slowly until it is right again, but not back.
                let slope = Slope::between(from, now).max(Slope(frequency.0 / 2));
                let joining = Line { from, slope };
                let from = Point { ticks: now.ticks, ns: joining.ns(now.ticks) };
                self.lines.extend([joining, Line { from, slope: frequency }]);
            }
        }
        if self.lines.len() > LINES_MAX {
            self.lines.drain(..LINES_MAX / 2);
        }
        if now.ns.saturating_sub(self.baseline[1].ns) > BASELINE_NS {
            self.baseline = [self.baseline[1], now];
        }
        (self.looked_ns, self.used) = (now.ns, now.ticks);
    }

    fn ns(&self, ticks: u64) -> u64 {
        let line = self.lines.iter().rev().find(|line| line.from.ticks <= ticks);
        line.or(self.lines.first()).map_or(0, |line| line.ns(ticks))
    }
}

/// The clock of a recording.
pub(crate) struct Clock {
    /// `None`: what is in the rings are nanoseconds already.
    ticks: Option<Timeline>,
    now_ns: u64,
}

impl Clock {
    pub fn new() -> Clock {
        let ticks = is_trusted().then(|| Timeline::new(point()));
        Clock { ticks, now_ns: control::now_ns() }
    }

    /// [`crate::layout::Control::clock`].
    pub fn unit(&self) -> u32 {
        if self.ticks.is_some() { CLOCK_TICKS } else { CLOCK_NANOSECONDS }
    }

    /// Compares the clocks, if that was not done just now.
    pub fn look(&mut self) {
        self.now_ns = control::now_ns();
        let Some(timeline) = &mut self.ticks else { return };
        let since_ns = self.now_ns.saturating_sub(timeline.looked_ns);
        if timeline.lines.is_empty() {
            thread::sleep(Duration::from_nanos(FIRST_NS.saturating_sub(since_ns)));
        } else if since_ns < LOOK_EVERY_NS {
            return;
        }
        timeline.look(point());
    }

    /// From here on times are asked for of what was written before now.
    pub fn reach_now(&mut self) {
        if let Some(timeline) = &mut self.ticks {
            timeline.used = timeline.used.max(ticks());
        }
    }

    /// The latest that may be in a ring: of the library, what it wrote before
    /// [`Clock::reach_now`].
    pub fn latest(&self) -> u64 {
        match &self.ticks {
            // One tick is less than a nanosecond, or about one.
            Some(timeline) => timeline.used.saturating_add(4 * SLACK_NS),
            None => self.now_ns.saturating_add(SLACK_NS),
        }
    }

    /// The time of what is in a ring.
    pub fn ns(&self, stamp: u64) -> u64 {
        match &self.ticks {
            Some(timeline) => timeline.ns(stamp.min(timeline.used)),
            None => stamp,
        }
    }
}

/// Both clocks now.
fn point() -> Point {
    // The one that was interrupted least.
    let looks = (0..5).map(|_| {
        let before = ticks();
        let ns = control::now_ns();
        (ticks().wrapping_sub(before), before, ns)
    });
    let (took, before, ns) = looks.min().unwrap_or_default();
    Point { ticks: before + took / 2, ns }
}

/// The processor's counter.
fn ticks() -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every processor with 64 bits has both instructions.
    unsafe {
        std::arch::x86_64::_mm_lfence();
        std::arch::x86_64::_rdtsc()
    }
    #[cfg(not(target_arch = "x86_64"))]
    0
}

/// Whether the counter goes at one speed, in all states of all processors, and the same on all of
/// them: the processor says so, and the kernel, which watches it, agrees by offering it as a clock.
/// It need not have chosen it: machines under KVM have a clock that is the same counter, scaled.
/// aarch64 has a counter too, but its ticks are long and the kernel's clock is no slower.
fn is_trusted() -> bool {
    const FOLDER: &str = "/sys/devices/system/clocksource/clocksource0";
    let read = |name: &str| fs::read_to_string(format!("{FOLDER}/{name}_clocksource"));
    let (Ok(current), Ok(available)) = (read("current"), read("available")) else { return false };
    let Ok(about) = fs::read_to_string("/proc/cpuinfo") else { return false };
    let flags = about.lines().find_map(|line| line.strip_prefix("flags")).unwrap_or_default();
    let has = |text: &str, word: &str| text.split_whitespace().any(|one| one == word);
    cfg!(target_arch = "x86_64")
        && ["tsc", "kvm-clock"].contains(&current.trim())
        && has(&available, "tsc")
        && has(flags, "constant_tsc")
        && has(flags, "nonstop_tsc")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::mix;

    /// A counter of `per_us` ticks in a microsecond, looked at with an error.
    fn look(timeline: &mut Timeline, ns: u64, per_us: u64, error: i64) -> u64 {
        let ticks = 1_000_000 + ns * per_us / 1000;
        timeline.look(Point { ticks, ns: ns.saturating_add_signed(error) });
        ticks
    }

    #[test]
    fn times_are_near_and_never_go_back() {
        let start = 5_000_000_000;
        let mut timeline =
            Timeline::new(Point { ticks: 1_000_000 + start * 2445 / 1000, ns: start });
        let (mut before, mut ns) = (0, start);
        for step in 1..20_000u64 {
            ns += 3_000_000 + mix(step) % 40_000_000;
            let error = (mix(step * 7) % 61) as i64 - 30;
            let until = look(&mut timeline, ns, 2445, error);
            // What was written between the looks, and a little after.
            for at in [until - 2_000_000, until - 1000, until - 3, until, until + 24_450] {
                timeline.used = timeline.used.max(at);
                let is = timeline.ns(at);
                assert!(is >= before || at < until, "back by {}", before - is);
                let should = (at - 1_000_000) * 1000 / 2445;
                assert!(is.abs_diff(should) < 200, "{is} instead of {should}");
                before = before.max(is);
            }
        }
        assert!(timeline.lines.len() <= LINES_MAX);
    }

    #[test]
    fn what_was_told_does_not_change() {
        let mut timeline = Timeline::new(Point { ticks: 0, ns: 0 });
        timeline.look(Point { ticks: 10_000_000, ns: 5_000_000 });
        timeline.used = 20_000_000;
        let told: Vec<u64> = (0..200).map(|at| timeline.ns(at * 100_000)).collect();
        // It has run ahead by far, as after a pause of the machine.
        timeline.look(Point { ticks: 40_000_000, ns: 9_000_000 });
        timeline.look(Point { ticks: 90_000_000, ns: 40_000_000 });
        assert_eq!(told, (0..200).map(|at| timeline.ns(at * 100_000)).collect::<Vec<_>>());
        let times: Vec<u64> = (0..1000).map(|at| timeline.ns(at * 100_000)).collect();
        assert!(times.is_sorted());
        // Set back: it goes on from the kernel's time.
        timeline.look(Point { ticks: 500, ns: 50_000_000 });
        assert_eq!(timeline.ns(500), 50_000_000);
    }

    #[test]
    fn the_clock_follows_the_kernel_s() {
        let mut clock = Clock::new();
        for _ in 0..20 {
            clock.look();
            thread::sleep(Duration::from_millis(7));
            clock.look();
            let Some(timeline) = &mut clock.ticks else { return };
            let point = point();
            timeline.used = point.ticks;
            assert!(clock.ns(point.ticks).abs_diff(point.ns) < 10_000);
        }
    }
}
