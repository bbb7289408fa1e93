//! For every check of `queries/checks/` what it has to find, and what looks like that and is none: two
//! scenarios that are played among services which do their work. `stage` is what they are played with; the
//! other files have a function for each check and each of the two.

mod cast;
mod credentials;
mod evasion;
mod execution;
mod impact;
mod peers;
mod persistence;
mod privilege;
mod quiet;
mod rates;
mod scans;
mod shells;
mod stage;

use crate::random::Random;
use crate::rows::Rows;
use crate::scenarios::Play;
use crate::truth::Truth;
use crate::world::World;

use self::quiet::Quiet;
use self::stage::{Image, Planted, SECOND, Stage};

/// The scenarios are no shorter than this: some things show over minutes only.
pub(super) const SECONDS: i64 = 1_800;
/// How often an attack is made, from and to, and a look-alike.
const ATTACKS: (i64, i64) = (3, 5);
const LOOKALIKES: usize = 2;

/// What is planted for a check.
struct Plant {
    /// Name of the check.
    check: &'static str,
    /// Plants what it has to find.
    attack: fn(&mut Stage),
    /// Plants what it has to leave alone.
    lookalike: fn(&mut Stage),
}

const fn plant(check: &'static str, attack: fn(&mut Stage), lookalike: fn(&mut Stage)) -> Plant {
    Plant { check, attack, lookalike }
}

/// All plants, by what they are about.
const GROUPS: &[&[Plant]] = &[
    execution::PLANTS,
    shells::PLANTS,
    privilege::PLANTS,
    persistence::PLANTS,
    credentials::PLANTS,
    evasion::PLANTS,
    peers::PLANTS,
    scans::PLANTS,
    impact::PLANTS,
    rates::PLANTS,
];

struct Played {
    /// What is planted, all of it.
    rows: Rows,
    quiet: Quiet,
    found: Planted,
    looked: Planted,
}

/// Plants what every check has to find.
pub(super) fn attacks(world: &mut World, seed: u64, events: i64) -> Box<dyn Play> {
    play(world, seed, events, "attacks")
}

/// Plants what looks like it, and is none.
pub(super) fn lookalikes(world: &mut World, seed: u64, events: i64) -> Box<dyn Play> {
    play(world, seed, events, "lookalikes")
}

fn play(world: &mut World, seed: u64, events: i64, name: &'static str) -> Box<dyn Play> {
    let mut random = Random::new(seed, name);
    let span = world.span;
    let mut stage = Stage::new(world, seed, name);
    for plant in GROUPS.iter().copied().flatten() {
        let (act, turns) = match name {
            "attacks" => (plant.attack, random.between(ATTACKS.0, ATTACKS.1) as usize),
            _ => (plant.lookalike, LOOKALIKES),
        };
        for turn in 0..turns {
            let (turn_at, turns) = (turn as i64, turns as i64);
            let from = 20 + 750 * turn_at / turns;
            let thousandths = random.between(from, from + 600 / turns);
            stage.go(
                plant.check,
                turn,
                span.at(thousandths) + random.below(span.duration_ns() / 1_000),
            );
            act(&mut stage);
        }
    }
    jobs(&mut stage);
    let (rows, cast, found, looked) = stage.finish();
    let quiet = Quiet::new(world, &cast, seed, events - rows.len() as i64);
    Box::new(Played { rows, quiet, found, looked })
}

/// What a timer starts, all day.
fn jobs(stage: &mut Stage) {
    let span = stage.world.span;
    let mut next = span.begin + SECOND;
    while next < span.end - 10 * SECOND {
        stage.go("jobs", 0, next);
        let job =
            stage.random.pick(&["run-parts /etc/cron.hourly", "logrotate /etc/logrotate.conf"]);
        let shell = Image::new("/usr/bin/dash", "").path("/bin/sh");
        let shell = stage.start(stage.cast.cron, shell.argv(format!("/bin/sh -c 'cd / && {job}'")));
        let (exe, args) = match job.starts_with("run") {
            true => ("/usr/bin/run-parts", "/etc/cron.hourly"),
            false => ("/usr/sbin/logrotate", "/etc/logrotate.conf"),
        };
        let child = stage.start(shell, Image::new(exe, args).cwd("/"));
        stage.read(child, args);
        stage.exit(child, 0);
        stage.exit(shell, 0);
        next += stage.random.between(50 * SECOND, 70 * SECOND);
    }
}

impl Play for Played {
    fn advance(&mut self, until: i64, world: &World, rows: &mut Rows) {
        rows.append(self.rows.take(until));
        self.quiet.advance(until, world, rows);
    }

    fn finish(self: Box<Self>, _: &World, truth: &mut Truth) {
        for (fact, planted) in [("finding", self.found), ("lookalike", self.looked)] {
            for (subject, (count, ts)) in planted {
                truth.at(fact, subject, Some(count), "count", ts);
            }
        }
    }
}
