//! What goes on on any machine: services that are there all the time, and commands that come and go.

use crate::random::Random;
use crate::world::{New, World};

const SECOND: i64 = 1_000_000_000;

/// Commands that a timer runs, and what they return.
const COMMANDS: [(&str, &str, i32); 5] = [
    ("run-parts", "--report /etc/cron.hourly", 0),
    ("logrotate", "/etc/logrotate.conf", 0),
    ("df", "-h", 0),
    ("grep", "-q degraded /proc/mdstat", 1),
    ("uptime", "", 0),
];

/// Adds processes that have nothing to do with what is planted.
pub(crate) fn begin(world: &mut World, seed: u64) {
    let mut random = Random::new(seed, "background");
    world.process(New::service("dbus-daemon", "dbus.service"));
    world.process(New::service("sshd", "ssh.service"));
    let cron = world.process(New::service("cron", "cron.service"));
    let cron = world.threads[cron as usize].process;
    let mut start = world.span.begin + random.between(SECOND / 10, SECOND);
    let mut commands = 0;
    while start < world.span.end - 2 * SECOND && commands < 2000 {
        let (comm, args, exit_code) = random.pick(&COMMANDS);
        let end = Some(start + random.between(SECOND / 50, SECOND));
        let new = New { start, end, exit_code, args, ..New::service(comm, "cron.service") };
        world.child(new, Some(cron));
        start += random.between(SECOND / 5, SECOND);
        commands += 1;
    }
}
