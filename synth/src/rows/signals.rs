//! Signals, as they are sent and as they are taken.

use super::{At, Row};
use crate::columns::Columns;
use crate::rows::NOBODY;
use crate::world::{Process, Thread, World};

/// A signal sent or received.
#[derive(Clone, Copy, Default)]
pub(crate) struct Signal {
    pub at: At,
    pub is_sent: bool,
    pub signal: &'static str,
    pub code: &'static str,
    pub target: u32,
    /// The thread that sent it, or [`NOBODY`] for the kernel.
    pub sender: u32,
    /// Whether it was for the whole process.
    pub is_of_process: bool,
    /// Of one that was received, what the thread does.
    pub action: &'static str,
}

impl Signal {
    fn own(rows: &[Signal], world: &World, out: &mut Columns) {
        let rows = || rows.iter();
        out.text("event", rows().map(|row| Some(if row.is_sent { "sent" } else { "received" })));
        out.text("signal", rows().map(|row| Some(row.signal)));
        out.text("code", rows().map(|row| Some(row.code)));
        let who = |thread: u32| -> Option<(&Thread, &Process)> {
            (thread != NOBODY).then(|| (&world.threads[thread as usize], world.process_of(thread)))
        };
        let targets = || rows().map(|row| who(row.target).filter(|_| row.is_sent));
        out.int64("target_upid", targets().map(|target| Some(target?.1.upid)));
        out.int32("target_pid", targets().map(|target| Some(target?.1.pid)));
        out.int32("target_tid", targets().map(|target| Some(target?.0.tid)));
        out.text("target_comm", targets().map(|target| Some(target?.0.comm.as_str())));
        let sender = |row: &Signal| who(row.sender);
        let comm = |row: &Signal| sender(row).filter(|_| row.is_sent);
        out.text("sender_comm", rows().map(|row| Some(comm(row)?.0.comm.as_str())));
        out.int32("sender_pid", rows().map(|row| Some(sender(row)?.1.pid)));
        out.text("result", rows().map(|row| row.is_sent.then_some("delivered")));
        let reach = |row: &Signal| if row.is_of_process { "process" } else { "thread" };
        out.text("reach", rows().map(|row| row.is_sent.then(|| reach(row))));
        out.text("action", rows().map(|row| Some(row.action).filter(|_| !row.is_sent)));
    }
}
of_threads!(Signal, "signals", |row| match row.is_sent {
    true => "signal_sent",
    false => "signal_received",
});
