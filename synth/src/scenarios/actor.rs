//! A thread whose whole time is accounted for: it is on a CPU or off it, and nothing in between.

use std::collections::BTreeMap;

use crate::rows::{At, NOBODY, Offcpu, Rows, Slice};
use crate::truth::Truth;
use crate::world::World;

/// A stay on the CPU, what came before it and what comes after.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    pub from: i64,
    pub to: i64,
    /// Of the time before: how long it was ready and waited for the CPU.
    pub wait_ns: i64,
    /// Who woke it for this.
    pub waker: u32,
    pub waker_stack_id: i64,
    /// The state it leaves in, and the stack; 0 for none.
    pub end_state: &'static str,
    pub stack_id: i64,
}

impl Run {
    /// After which it sleeps.
    pub fn sleeping(from: i64, to: i64, wait_ns: i64, stack_id: i64) -> Run {
        let end_state = "sleeping";
        Run { from, to, wait_ns, waker: NOBODY, waker_stack_id: 0, end_state, stack_id }
    }
}

/// A thread.
pub(crate) struct Actor {
    pub thread: u32,
    cpu: u16,
    /// Since when it is off the CPU, in which state and with which stack.
    off: Option<(i64, &'static str, i64)>,
    first: i64,
    on_cpu_ns: i64,
    run_queue_ns: i64,
    slices: i64,
    /// Time off the CPU without what it was ready, by state.
    blocked: BTreeMap<&'static str, i64>,
}

impl Actor {
    pub fn new(thread: u32, cpu: u16) -> Actor {
        Actor {
            thread,
            cpu,
            off: None,
            first: 0,
            on_cpu_ns: 0,
            run_queue_ns: 0,
            slices: 0,
            blocked: BTreeMap::new(),
        }
    }

    /// Makes the rows of a stay on the CPU and of the time before it; returns how long that was.
    pub fn run(&mut self, run: Run, rows: &mut Rows) -> i64 {
        let mut wait_ns = 0;
        let mut off_ns = 0;
        match self.off {
            None => self.first = run.from,
            Some((ts, state, stack_id)) => {
                wait_ns = run.wait_ns;
                off_ns = run.from - ts;
                rows.offcpu.push(Offcpu {
                    at: At { ts, thread: self.thread, cpu: self.cpu },
                    duration_ns: off_ns,
                    wait_ns,
                    state,
                    waker: run.waker,
                    stack_id,
                    waker_stack_id: run.waker_stack_id,
                });
                self.run_queue_ns += wait_ns;
                *self.blocked.entry(state).or_default() += off_ns - wait_ns;
            }
        }
        let duration_ns = run.to - run.from;
        rows.sched_slices.push(Slice {
            at: At { ts: run.from, thread: self.thread, cpu: self.cpu },
            duration_ns,
            wait_ns,
            end_state: run.end_state,
        });
        self.on_cpu_ns += duration_ns;
        self.slices += 1;
        self.off = Some((run.to, run.end_state, run.stack_id));
        off_ns
    }

    /// Since when it is off the CPU.
    pub fn off_since(&self) -> Option<i64> {
        self.off.map(|(since, _, _)| since)
    }

    /// Says where its time went, from when it first ran until it last did.
    pub fn account(&self, world: &World, truth: &mut Truth) {
        let Some((last, _, _)) = self.off else { return };
        let comm = world.threads[self.thread as usize].comm.as_str();
        truth.ns("wall_ns", comm, last - self.first);
        truth.ns("on_cpu_ns", comm, self.on_cpu_ns);
        truth.ns("run_queue_ns", comm, self.run_queue_ns);
        truth.count("slices", comm, self.slices);
        for (state, ns) in &self.blocked {
            truth.ns("blocked_ns", format!("{comm}|{state}"), *ns);
        }
    }
}
