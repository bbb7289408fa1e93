//! Where attacks and their look-alikes are played: who is there, the time that goes on with each act, and
//! what acts leave behind. `files` and `network` have the acts on those.

mod files;
mod image;
mod network;

use std::collections::BTreeMap;

use crate::random::{Random, hash};
use crate::rows::{At, NOBODY, ProcessEvent, Rows, Signal, TaskUsage};
use crate::scenarios::attacks::cast::Cast;
use crate::state::NETNS;
use crate::world::{CPUS, Container, Place, Program, Users, World};

pub(super) use files::{CREATE, Call, READ, READ_WRITE, TRUNCATE, WRITE};
pub(super) use image::Image;
pub(super) use network::{LOCAL, Link, Lookup, segment};

pub(super) const MICROSECOND: i64 = 1_000;
pub(super) const MILLISECOND: i64 = 1_000_000;
pub(super) const SECOND: i64 = 1_000_000_000;
/// All capabilities that Linux 5.9 and later has.
pub(super) const ALL_CAPABILITIES: i64 = (1 << 41) - 1;

/// The place of a control group outside of all containers.
pub(super) fn place(cgroup: &str) -> Place {
    let group = store::container::Group::of_path(cgroup);
    Place {
        cgroup: cgroup.to_string(),
        cgroup_id: 10_000 + (hash(cgroup) % 10_000_000) as i64,
        netns: NETNS,
        unit: group.unit.map(str::to_string),
        container: None,
    }
}

/// What was planted, by check and process: how often, and when first.
pub(super) type Planted = BTreeMap<String, (i64, i64)>;

pub(super) struct Stage<'a> {
    pub world: &'a mut World,
    pub random: Random,
    /// The time; each act takes some.
    pub now: i64,
    /// Which time of all in which the same is planted.
    pub turn: usize,
    pub rows: Rows,
    pub cast: Cast,
    pub found: Planted,
    pub looked: Planted,
    next_connection: i64,
    /// Numbers that have been given to names and addresses.
    next_name: i64,
    next_address: i64,
    check: &'static str,
}

impl<'a> Stage<'a> {
    pub fn new(world: &'a mut World, seed: u64, name: &str) -> Stage<'a> {
        let cast = Cast::new(world);
        let mut random = Random::new(seed, name);
        Stage {
            now: world.span.begin,
            world,
            next_name: random.between(11, 60),
            next_address: random.between(0, 40),
            random,
            turn: 0,
            rows: Rows::default(),
            cast,
            found: Planted::new(),
            looked: Planted::new(),
            next_connection: 1,
            check: "",
        }
    }

    /// Goes to a moment, to plant something of a check.
    pub fn go(&mut self, check: &'static str, turn: usize, now: i64) {
        (self.check, self.turn, self.now) = (check, turn, now);
        self.random = Random::new(self.random.bits().into(), check);
    }

    /// What was made, within the recording and the lives of those who did it.
    pub fn finish(mut self) -> (Rows, Cast, Planted, Planted) {
        let (world, rows) = (&self.world, &mut self.rows);
        let end_of = |at: At| match at.thread {
            NOBODY => world.span.end,
            thread => world.process_of(thread).end.unwrap_or(world.span.end),
        };
        // Who ends closes what it has open.
        for row in &mut rows.connections {
            let left = end_of(row.at) - row.at.ts;
            if world.process_of(row.at.thread).end.is_some() {
                row.duration_ns =
                    if row.duration_ns < 0 { left } else { row.duration_ns.min(left) };
            }
        }
        for at in rows.connection_events.iter_mut().map(|row| &mut row.at) {
            at.ts = at.ts.min(end_of(*at));
        }
        for at in rows.dns.iter_mut().map(|row| &mut row.at) {
            at.ts = at.ts.min(end_of(*at));
        }
        rows.before(world.span.end);
        (self.rows, self.cast, self.found, self.looked)
    }

    /// Lets some time go by.
    pub fn wait(&mut self, ns: i64) {
        self.now += ns;
    }

    pub fn wait_between(&mut self, from: i64, to: i64) {
        self.now += self.random.between(from, to);
    }

    /// Goes to the beginning of the next minute of the clock.
    pub fn next_minute(&mut self) {
        let minute = 60 * SECOND;
        self.now += minute - self.now.rem_euclid(minute) + SECOND;
    }

    /// A name that nothing else has.
    pub fn fresh(&mut self, begin: &str) -> String {
        self.next_name += self.random.between(1, 4);
        format!("{begin}{}", self.next_name)
    }

    /// The address of a machine on the internet that nothing else has.
    pub fn outside(&mut self) -> String {
        self.next_address += 1;
        match self.next_address {
            number @ ..=253 => format!("203.0.113.{number}"),
            number => format!("198.18.{}.{}", number / 250, number % 250 + 1),
        }
    }

    pub(super) fn tick(&mut self) -> i64 {
        self.now += self.random.between(20, 90) * MICROSECOND;
        self.now
    }

    pub fn at_time(&self, thread: u32, ts: i64) -> At {
        let cpu = if thread == NOBODY { 0 } else { (i64::from(thread) % CPUS) as u16 };
        At { ts, thread, cpu }
    }

    pub fn pid(&self, who: u32) -> i32 {
        self.world.process_of(who).pid
    }

    /// Says that the check has to find this process.
    pub fn finding(&mut self, who: u32) {
        let check = self.check;
        self.finding_of(check, who);
    }

    /// Says that another check has to find it, too.
    pub fn finding_of(&mut self, check: &'static str, who: u32) {
        let subject = format!("{check}|{}", self.pid(who));
        self.found.entry(subject).or_insert((0, self.now)).0 += 1;
    }

    /// Says that the check has to find something that no process can be named for.
    pub fn finding_of_nobody(&mut self) {
        let subject = format!("{}|", self.check);
        self.found.entry(subject).or_insert((0, self.now)).0 += 1;
    }

    /// Says that this process looks like one that the check has to find, and is none.
    pub fn lookalike(&mut self, who: u32) {
        let subject = format!("{}|{}", self.check, self.pid(who));
        self.looked.entry(subject).or_insert((0, self.now)).0 += 1;
    }

    /// The same of something that no process can be named for.
    pub fn lookalike_of_nobody(&mut self) {
        let subject = format!("{}|", self.check);
        self.looked.entry(subject).or_insert((0, self.now)).0 += 1;
    }

    /// Starts a process that is a copy of `parent`.
    pub fn fork(&mut self, parent: u32) -> u32 {
        let before = &self.world.process_of(parent).program;
        let copy = Program { comm: self.comm(parent), ..before.clone() };
        let place = self.world.process_of(parent).place.clone();
        self.fork_into(parent, copy, place)
    }

    fn fork_into(&mut self, parent: u32, program: Program, place: Place) -> u32 {
        let parent_process = self.world.threads[parent as usize].process;
        // It starts with a millisecond.
        let start = self.now + MILLISECOND - 1;
        let child = self.world.fork(start, Some(parent_process), program, place);
        let start = self.world.process_of(child).start;
        self.now = start + 100 * MICROSECOND;
        let pid = self.pid(child);
        self.call(parent, Call::new("clone").arg("flags", 0x120_0011).ret(pid.into()));
        self.now = start + 400 * MICROSECOND;
        child
    }

    /// Starts a process that runs a program.
    pub fn start(&mut self, parent: u32, image: Image) -> u32 {
        let child = self.fork(parent);
        self.exec(child, image);
        child
    }

    /// Starts a process that is somewhere else than its parent.
    pub fn start_in(&mut self, parent: u32, place: Place, image: Image) -> u32 {
        let before = &self.world.process_of(parent).program;
        let copy = Program { comm: self.comm(parent), ..before.clone() };
        let child = self.fork_into(parent, copy, place);
        self.exec(child, image);
        child
    }

    /// Starts a process that runs a program and ends well after a while.
    pub fn run(&mut self, parent: u32, image: Image) -> u32 {
        self.run_with(parent, image, 0)
    }

    /// The same with an exit code.
    pub fn run_with(&mut self, parent: u32, image: Image, code: i32) -> u32 {
        let child = self.start(parent, image);
        self.wait_between(MILLISECOND, 20 * MILLISECOND);
        self.exit(child, code);
        child
    }

    /// Has a process become another program.
    pub fn exec(&mut self, who: u32, image: Image) {
        let ts = self.tick();
        let before = self.world.process_of(who).program.clone();
        let program = image.program(&before);
        let call = Call::new("execve").path(program.path.clone()).took(700 * MICROSECOND);
        self.call_at(who, ts, call);
        self.now = ts + 400 * MICROSECOND;
        self.world.threads[who as usize].comm = program.comm.clone();
        let process = self.world.process_mut(who);
        process.program = program.clone();
        process.execs.push((self.now, program));
        self.now = ts + 750 * MICROSECOND;
    }

    /// Ends a process by itself.
    pub fn exit(&mut self, who: u32, code: i32) {
        let end = self.tick();
        let process = self.world.process_mut(who);
        (process.end, process.exit_code) = (Some(end), code);
    }

    /// Ends a process by a signal.
    pub fn die(&mut self, who: u32, signal: &'static str) {
        let end = self.tick();
        let process = self.world.process_mut(who);
        (process.end, process.signal) = (Some(end), signal);
    }

    /// Ends a thread alone, by a signal.
    pub fn die_alone(&mut self, thread: u32, signal: &'static str) {
        let end = self.tick();
        let thread = &mut self.world.threads[thread as usize];
        (thread.end, thread.signal) = (Some(end), signal);
    }

    /// Has a process compute for so many seconds, all the time.
    pub fn compute(&mut self, who: u32, seconds: i64) {
        for second in 1..=seconds {
            self.rows.task_usage.push(TaskUsage {
                at: self.at_time(who, self.now + second * SECOND),
                user_ns: self.random.between(950, 999) * MILLISECOND,
                system_ns: MILLISECOND,
                wait_ns: 0,
                voluntary_switches: 1,
                involuntary_switches: 9,
            });
        }
        self.wait(seconds * SECOND);
    }

    pub fn comm(&self, who: u32) -> String {
        self.world.threads[who as usize].comm.clone()
    }

    /// Has a thread call itself something else.
    pub fn rename(&mut self, who: u32, name: &str) {
        let ts = self.tick();
        let number = self.world.text(name);
        self.rows.process_events.push(ProcessEvent::rename(ts, who, number));
        self.world.threads[who as usize].comm = name.to_string();
    }

    /// Changes the users of a thread: from real and effective to real and effective ones.
    pub fn setuid(&mut self, who: u32, from: (i64, i64), to: (i64, i64), cap_effective: i64) {
        let ts = self.tick();
        let number = self.world.users.len();
        let ((old_uid, old_euid), (uid, euid)) = (from, to);
        self.world.users.push(Users { uid, euid, old_uid, old_euid, cap_effective });
        self.rows.process_events.push(ProcessEvent::setuid(ts, who, number));
    }

    /// Sends a signal, which is taken at once; `NOBODY` is the kernel.
    pub fn signal(&mut self, sender: u32, target: u32, signal: &'static str, code: &'static str) {
        let ts = self.tick();
        let own = if sender == NOBODY { target } else { sender };
        let sent = Signal {
            at: self.at_time(own, ts),
            is_sent: true,
            signal,
            code,
            target,
            sender,
            is_of_process: true,
            action: "default",
        };
        self.rows.signals.push(sent);
        let ts = self.tick();
        self.rows.signals.push(Signal { at: self.at_time(target, ts), is_sent: false, ..sent });
    }

    /// A shell of somebody who sits before the machine.
    pub fn shell(&mut self, uid: i64) -> u32 {
        let parent = if uid == 0 { self.cast.tmux } else { self.cast.terminal };
        let home = if uid == 0 { "/root" } else { "/home/ada" };
        let shell = Image::new("/usr/bin/bash", "").path("/bin/bash").uid(uid).cwd(home);
        self.start(parent, shell)
    }

    /// A script in Python that root started by hand; it lives on.
    pub fn script(&mut self) -> u32 {
        let shell = self.shell(0);
        let name = self.fresh("/srv/tools/job");
        let image = Image::new("/usr/bin/python3.11", "").path("/usr/bin/python3");
        self.start(shell, image.argv(format!("python3 {name}.py")).comm("python3"))
    }

    /// A thread of the kernel, which is no program.
    pub fn kernel_thread(&mut self, name: &str) -> u32 {
        let program = Program { comm: name.to_string(), ..Program::default() };
        self.world.fork(0, None, program, place("/"))
    }

    /// A process that was there before the recording, and may have lost its file by then.
    pub fn old(&mut self, exe: &str) -> u32 {
        let parent = self.world.process_of(self.cast.terminal);
        let name = exe.trim_end_matches(" (deleted)").rsplit('/').next().unwrap_or_default();
        let program = Program {
            path: exe.to_string(),
            exe: exe.to_string(),
            argv: name.to_string(),
            comm: name.chars().take(15).collect(),
            ..parent.program.clone()
        };
        let (start, place) = (parent.start + SECOND, parent.place.clone());
        let parent = self.world.threads[self.cast.terminal as usize].process;
        self.world.fork(start, Some(parent), program, place)
    }

    /// Another thread of a process.
    pub fn thread(&mut self, who: u32) -> u32 {
        let (ts, comm) = (self.tick(), self.comm(who));
        self.world.thread(who, &comm, ts)
    }

    /// What the script of a package starts while it is installed.
    pub fn packaged(&mut self) -> u32 {
        let name = self.fresh("lib");
        let shell = self.shell(0);
        let apt = self.start(shell, Image::new("/usr/bin/apt-get", format!("install -y {name}")));
        let args = "--status-fd 20 --configure --pending";
        let dpkg =
            self.start(apt, Image::new("/usr/bin/dpkg", "").argv(format!("/usr/bin/dpkg {args}")));
        let script = format!("/var/lib/dpkg/info/{name}.postinst");
        let postinst = Image::new("/usr/bin/dash", "").path(script.clone());
        let postinst =
            self.start(dpkg, postinst.argv(format!("/bin/sh {script} configure 1.0")).cwd("/"));
        let helper = Image::new("/usr/bin/perl", "").path("/usr/bin/deb-systemd-helper");
        let argv = format!("/usr/bin/perl /usr/bin/deb-systemd-helper enable {name}.service");
        self.start(postinst, helper.argv(argv))
    }

    /// The same with another manager of packages.
    pub fn packaged_by_dnf(&mut self) -> u32 {
        let shell = self.shell(0);
        let dnf = Image::new("/usr/bin/python3.9", "").path("/usr/bin/dnf");
        let dnf = self.start(shell, dnf.argv("/usr/bin/python3 -s /usr/bin/dnf install -y httpd"));
        let scriptlet = Image::new("/usr/bin/bash", "").path("/bin/sh").cwd("/");
        self.start(dnf, scriptlet.argv("/bin/sh /var/tmp/rpm-tmp.sKq1Rd 1"))
    }

    /// A shell of somebody who has logged in from another machine.
    pub fn login(&mut self, uid: i64) -> u32 {
        let sshd = self.cast.sshd;
        let number = self.random.between(2, 900);
        let cgroup = format!("/user.slice/user-{uid}.slice/session-{number}.scope");
        let server = Image::new("/usr/sbin/sshd", "-D -R").uid(0).cwd("/");
        let server = self.start_in(sshd, place(&cgroup), server);
        let port = self.random.between(40_000, 60_000) as i32;
        let link = Link::from("10.0.0.5", port, 22).bytes(9_000, 4_000).open();
        self.link(server, &link);
        self.wait_between(5 * MILLISECOND, 80 * MILLISECOND);
        let home = if uid == 0 { "/root" } else { "/home/ada" };
        let shell = Image::new("/usr/bin/bash", "").path("/bin/bash").argv("-bash").comm("bash");
        self.start(server, shell.uid(uid).cwd(home))
    }

    /// The place of a new container, and a process that started in it.
    pub fn container(&mut self, image: Image) -> u32 {
        const NAMES: [(&str, &str); 4] = [
            ("shop", "registry.example/shop:3.2"),
            ("reports", "registry.example/reports:1.9"),
            ("queue", "redis:7"),
            ("gateway", "nginx:1.27"),
        ];
        let (name, source) = self.random.pick(&NAMES);
        let id: String = (0..8).map(|_| format!("{:08x}", self.random.bits())).collect();
        let cgroup = format!("/system.slice/docker-{id}.scope");
        let number = self.world.containers.len();
        let outside = place(&cgroup);
        self.world.containers.push(Container {
            id,
            name,
            image: source,
            cgroup,
            cgroup_id: outside.cgroup_id,
        });
        let netns = NETNS + 1_000 + number as i64;
        let inside = Place { container: Some(number), netns, ..outside };
        let shim = self.cast.containerd;
        let args = format!("-namespace moby -id {name} -address /run/containerd/containerd.sock");
        let shim = self.start(shim, Image::new("/usr/bin/containerd-shim-runc-v2", args));
        self.start_in(shim, inside, image.cwd("/app"))
    }
}
