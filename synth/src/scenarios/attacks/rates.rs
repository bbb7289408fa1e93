//! What a program does once, suddenly, or more and more.

use super::stage::{Call, Image, Link, MILLISECOND, SECOND, Stage};
use super::{Plant, plant};

pub(super) const PLANTS: &[Plant] = &[
    plant("process_rarity", process_rarity, no_process_rarity),
    plant("rate_anomaly", rate_anomaly, no_rate_anomaly),
    plant("rate_drift", rate_drift, no_rate_drift),
];

/// A program that runs others all the time.
fn runner(stage: &mut Stage) -> u32 {
    let exe = stage.fresh("/usr/lib/ops/runner");
    stage.start(stage.cast.systemd, Image::new(exe, ""))
}

/// A process that always runs the same programs runs another, once.
fn process_rarity(stage: &mut Stage) {
    let runner = runner(stage);
    let runs = stage.random.between(54, 70);
    let once = stage.random.between(20, 50);
    for at in 0..runs {
        let usual = stage.random.pick(&["/usr/bin/df", "/usr/bin/du", "/usr/bin/vmstat"]);
        let other = at == once;
        let exe = if other { "/usr/bin/getfacl" } else { usual };
        let child = stage.run(runner, Image::new(exe, ""));
        if other {
            stage.finding(child);
        }
        stage.wait_between(SECOND / 10, 2 * SECOND);
    }
}

/// Processes that run many programs, or few times, or the other one twice.
fn no_process_rarity(stage: &mut Stage) {
    for (runs, programs, others) in [(60, 8, 1), (30, 3, 1), (60, 3, 2)] {
        let runner = runner(stage);
        for at in 0..runs {
            let exe = match (20..20 + others).contains(&at) {
                true => "/usr/bin/getfacl".to_string(),
                false => format!("/usr/lib/ops/step{}", at % programs),
            };
            stage.run(runner, Image::new(exe, ""));
        }
        stage.lookalike(runner);
    }
}

/// So many calls in the second that is now.
fn second(stage: &mut Stage, who: u32, calls: i64) {
    let begin = stage.now - stage.now.rem_euclid(SECOND);
    let step = SECOND * 9 / 10 / calls.max(1);
    for at in 0..calls {
        let ts = begin + at * step + MILLISECOND;
        stage.call_at(who, ts, Call::new("read").arg("fd", 5).arg("count", 512).ret(512));
    }
    stage.now = begin + SECOND;
}

/// A process that works at a steady rate does far more, for a second.
fn rate_anomaly(stage: &mut Stage) {
    let exe = stage.fresh("/usr/lib/shop/steady");
    let child = stage.start(stage.cast.systemd, Image::new(exe, ""));
    stage.wait(SECOND);
    let burst = stage.random.between(20, 35);
    for at in 0..stage.random.between(42, 52) {
        let calls = match at == burst {
            true => stage.random.between(160, 260),
            false => stage.random.between(12, 16),
        };
        second(stage, child, calls);
    }
    stage.finding(child);
    stage.exit(child, 0);
}

/// A start that is lively, work that varies, bursts that are a habit, and too little to go by.
fn no_rate_anomaly(stage: &mut Stage) {
    type Calls = fn(i64, i64) -> i64;
    let works: [(i64, Calls); 5] = [
        (40, |at, _| if at < 4 { 150 } else { 12 }),
        (40, |_, chance| 8 << (chance % 3)),
        (40, |at, _| if at % 8 == 7 { 150 } else { 12 }),
        (25, |at, _| if at == 15 { 150 } else { 12 }),
        (40, |at, _| if at == 20 { 150 } else { 3 }),
    ];
    for (seconds, calls) in works.into_iter().skip(stage.turn).step_by(2) {
        let exe = stage.fresh("/usr/lib/shop/works");
        let child = stage.start(stage.cast.systemd, Image::new(exe, ""));
        stage.wait(SECOND);
        for at in 0..seconds {
            let chance = stage.random.below(30);
            second(stage, child, calls(at, chance));
        }
        stage.lookalike(child);
        stage.exit(child, 0);
    }
}

/// A connection over which something is sent in each second: so many bytes.
fn sends(stage: &mut Stage, begin: &str, seconds: i64, bytes: impl Fn(i64) -> i64) {
    let exe = stage.fresh(begin);
    let child = stage.start(stage.cast.systemd, Image::new(exe, ""));
    let remote = format!("10.0.5.{}", stage.random.between(2, 250));
    let from = stage.now - stage.now.rem_euclid(SECOND) + SECOND;
    for at in 0..seconds {
        let mean = bytes(at);
        let bytes = stage.random.between(mean * 9 / 10, mean * 11 / 10);
        let ts = from + at * SECOND + stage.random.between(0, 100 * MILLISECOND);
        let link = Link::to(remote.clone(), 9_200).bytes(bytes, 2_000);
        // The same connection all the time: only what passes the interface is new.
        if at == 0 {
            stage.now = ts;
            stage.link(child, &link.open());
        } else {
            stage.flow(child, ts, &link);
        }
    }
    stage.now = from + seconds * SECOND;
    match begin.contains("leak") {
        true => stage.finding(child),
        false => stage.lookalike(child),
    }
    stage.exit(child, 0);
}

/// A process that sends more and more.
fn rate_drift(stage: &mut Stage) {
    let more = stage.random.between(8, 20);
    sends(stage, "/usr/lib/shop/leak", 90, |at| if at < 40 { 5_000 } else { 5_000 * more });
}

/// Traffic that stays, that rises for some seconds only, and by too little.
fn no_rate_drift(stage: &mut Stage) {
    sends(stage, "/usr/lib/shop/same", 90, |_| 5_000);
    let short = |at| if (50..58).contains(&at) { 60_000 } else { 5_000 };
    sends(stage, "/usr/lib/shop/short", 90, short);
    sends(stage, "/usr/lib/shop/little", 90, |at| if at < 40 { 5_000 } else { 9_000 });
}
