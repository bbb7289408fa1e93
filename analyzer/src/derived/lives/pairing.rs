//! Brings allocations together with what ended them.

use std::collections::VecDeque;

use arrow::array::{
    Array, AsArray, Int32Array, Int64Array, RecordBatch, StringViewArray, TimestampNanosecondArray,
};
use arrow::datatypes::{Int32Type, Int64Type, SchemaRef, TimestampNanosecondType};
use datafusion::common::HashMap;
use datafusion::error::Result;

use super::column;
use super::ends::Ends;
use super::made::{End, Made, UNMATCHED, Whose};
use super::sites::{Numbered, Site, Thread, Who};

/// Rows of a batch.
const ROWS: usize = 8192;

/// Changes of the address space: allocators get their memory there.
const MAPPINGS: [&str; 4] = ["mmap", "munmap", "mremap", "brk"];

/// What may leave memory where it is and give it another size.
const RESIZES: [&str; 2] = ["realloc", "reallocarray"];

/// An allocation that has not ended. There may be many: what they have in common is their site.
#[derive(Clone, Copy)]
pub struct Life {
    pub ts: i64,
    pub size: i64,
    /// What its process held with it.
    pub held: i64,
    /// How many its thread had made with it.
    made: i64,
    site: u32,
    pub cpu: i32,
}

/// What a process holds.
struct Process {
    upid: i64,
    /// By address.
    lives: HashMap<i64, Life>,
    held: i64,
    /// When it next runs another program or ends, which ends all it holds.
    next_end: Option<i64>,
}

/// How an allocation ended.
enum Cause<'a> {
    /// A thread gave it back or changed its size.
    By { ts: i64, tid: i32, thread: u32, operation: &'a str },
    /// The allocator gave its address to another: it was given back, and nobody saw when.
    Reused,
    /// The process ended, ran another program, or outlived the recording.
    WithProcess,
}

/// The pass: what lives, and rows of what has ended.
pub struct Pairing {
    ends: Ends,
    lost_until: Option<i64>,
    hosts: Numbered<String>,
    comms: Numbered<String>,
    operations: Numbered<String>,
    whos: Numbered<Who>,
    sites: Numbered<Site>,
    threads: Numbered<Thread>,
    /// Allocations of each thread so far.
    counts: Vec<i64>,
    /// Where the process of an `upid` is.
    places: HashMap<i64, usize>,
    last: Option<(i64, usize)>,
    processes: Vec<Process>,
    is_over: bool,
    /// What ended with its process and is no row yet.
    ending: VecDeque<std::vec::IntoIter<(i64, Life)>>,
    made: Made,
}

impl Pairing {
    pub fn new(schema: SchemaRef, ends: Ends, lost_until: Option<i64>) -> Pairing {
        Pairing {
            ends,
            lost_until,
            hosts: Numbered::default(),
            comms: Numbered::default(),
            operations: Numbered::default(),
            whos: Numbered::default(),
            sites: Numbered::default(),
            threads: Numbered::default(),
            counts: Vec::new(),
            places: HashMap::default(),
            last: None,
            processes: Vec::new(),
            is_over: false,
            ending: VecDeque::new(),
            made: Made::new(schema),
        }
    }

    /// Takes the next rows in the order of time.
    pub fn take(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns = Columns::of(batch)?;
        for row in 0..batch.num_rows() {
            let operation = columns.operation.value(row);
            if columns.address.is_null(row) || MAPPINGS.contains(&operation) {
                continue;
            }
            self.call(&columns, row, operation);
        }
        Ok(())
    }

    fn call(&mut self, columns: &Columns, row: usize, operation: &str) {
        // Who allocates before anything is known of the process has its number only.
        let upid = match columns.upid.is_valid(row) {
            true => columns.upid.value(row),
            false => i64::from(columns.pid.value(row)),
        };
        let (ts, tid) = (columns.ts.value(row), columns.tid.value(row));
        let host = self.hosts.number(columns.host.value(row));
        let thread = self.threads.number(&(host, tid));
        if self.counts.len() <= thread as usize {
            self.counts.push(0);
        }
        let at = self.process(upid);
        if self.processes[at].next_end.is_some_and(|end| ts > end) {
            self.next_program(at, ts);
        }
        let process = &mut self.processes[at];
        let address = columns.address.value(row);
        let before = process.lives.remove(&address);
        if let Some(life) = &before {
            process.held -= life.bytes(&self.sites);
        }
        let gives = columns.size.is_valid(row);
        let by = Cause::By { ts, tid, thread, operation };
        match &before {
            Some(life) if gives && !RESIZES.contains(&operation) => {
                self.end(address, life, Cause::Reused);
            }
            Some(life) => self.end(address, life, by),
            None => {}
        }
        if gives || before.is_none() {
            let who = Who {
                host,
                comm: self.comms.number(columns.comm.value(row)),
                pid: columns.pid.value(row),
                tid,
                upid,
                cgroup_id: columns.cgroup_id.value(row),
            };
            let site = Site {
                who: self.whos.number(&who),
                operation: self.operations.number(operation),
                one_in: columns.one_in.value(row).max(1),
                stack: columns.stack.is_valid(row).then(|| columns.stack.value(row)),
            };
            let mut life = Life {
                ts,
                size: if gives { columns.size.value(row) } else { 0 },
                held: 0,
                made: 0,
                site: self.sites.number(&site),
                cpu: columns.cpu.value(row),
            };
            if !gives {
                let end = End {
                    ts: Some(ts),
                    tid: Some(tid),
                    by: UNMATCHED,
                    verdict: "unknown",
                    between: None,
                };
                return self.push(address, &life, &end);
            }
            let count = &mut self.counts[thread as usize];
            *count += i64::from(site.one_in);
            life.made = *count;
            let process = &mut self.processes[at];
            process.held = process.held.saturating_add(life.bytes(&self.sites));
            life.held = process.held;
            process.lives.insert(address, life);
        }
    }

    /// Where the process is; a new one where it has not allocated before.
    fn process(&mut self, upid: i64) -> usize {
        if let Some((last, at)) = self.last
            && last == upid
        {
            return at;
        }
        let at = *self.places.entry(upid).or_insert_with(|| {
            let next_end = self.ends.after(upid, i64::MIN).map(|(end, _)| end);
            self.processes.push(Process { upid, lives: HashMap::default(), held: 0, next_end });
            self.processes.len() - 1
        });
        self.last = Some((upid, at));
        at
    }

    /// Ends what a process held when it ran another program before `ts`.
    fn next_program(&mut self, at: usize, ts: i64) {
        let process = &mut self.processes[at];
        process.next_end = self.ends.after(process.upid, ts).map(|(end, _)| end);
        process.held = 0;
        let lives = std::mem::take(&mut process.lives);
        self.ending.push_back(in_order(lives));
    }

    /// Ends what is left when there are no more rows.
    pub fn finish(&mut self) {
        self.processes.sort_unstable_by_key(|process| std::cmp::Reverse(process.upid));
        self.is_over = true;
    }

    /// The next rows, if there are enough of them; of the last ones any. Much ends at once where a process does:
    /// not more than a batch of it is made at a time.
    pub fn made(&mut self) -> Option<Result<RecordBatch>> {
        while self.made.len < ROWS {
            match self.ending.front_mut().map(Iterator::next) {
                Some(Some((address, life))) => self.end(address, &life, Cause::WithProcess),
                Some(None) => _ = self.ending.pop_front(),
                None if self.is_over => match self.processes.pop() {
                    Some(process) => self.ending.push_back(in_order(process.lives)),
                    None => break,
                },
                None => break,
            }
        }
        let is_enough = self.made.len >= ROWS || self.is_over && self.made.len > 0;
        is_enough.then(|| self.made.batch())
    }

    fn end(&mut self, address: i64, life: &Life, cause: Cause) {
        let is_sure = self.lost_until.is_none_or(|until| life.ts > until);
        let site = self.sites.value(life.site);
        let who = self.whos.value(site.who);
        let nobody = End { ts: None, tid: None, by: "none", verdict: "freed", between: None };
        let end = match cause {
            Cause::By { ts, tid, thread, operation } => {
                let is_same = *self.threads.value(thread) == (who.host, who.tid);
                let between = is_same.then(|| self.counts[thread as usize] - life.made);
                End { ts: Some(ts), tid: Some(tid), by: operation, between, ..nobody }
            }
            Cause::Reused => End { by: "reused", ..nobody },
            Cause::WithProcess => match self.ends.after(who.upid, life.ts) {
                // The kernel takes it back when a program makes room for another.
                Some((ts, true)) => End { ts: Some(ts), by: "exec", ..nobody },
                Some((ts, false)) => {
                    let verdict = if is_sure { "leaked" } else { "unknown" };
                    End { ts: Some(ts), by: "exit", verdict, ..nobody }
                }
                None => End { verdict: if is_sure { "alive" } else { "unknown" }, ..nobody },
            },
        };
        self.push(address, life, &end);
    }

    fn push(&mut self, address: i64, life: &Life, end: &End) {
        let site = self.sites.value(life.site);
        let who = self.whos.value(site.who);
        let whose = Whose {
            who,
            host: self.hosts.value(who.host),
            comm: self.comms.value(who.comm),
            operation: self.operations.value(site.operation),
            one_in: site.one_in,
            stack: site.stack,
            address,
        };
        self.made.push(life, &whose, end);
    }
}

impl Life {
    /// Its bytes, and those of what it stands for.
    fn bytes(&self, sites: &Numbered<Site>) -> i64 {
        self.size.saturating_mul(i64::from(sites.value(self.site).one_in))
    }
}

/// What lives in the order of time, since a table has none.
fn in_order(lives: HashMap<i64, Life>) -> std::vec::IntoIter<(i64, Life)> {
    let mut lives: Vec<_> = lives.into_iter().collect();
    lives.sort_unstable_by_key(|(address, life)| (life.ts, *address));
    lives.into_iter()
}

/// The columns that a pass reads.
struct Columns<'a> {
    ts: &'a TimestampNanosecondArray,
    host: &'a StringViewArray,
    cpu: &'a Int32Array,
    pid: &'a Int32Array,
    tid: &'a Int32Array,
    upid: &'a Int64Array,
    comm: &'a StringViewArray,
    cgroup_id: &'a Int64Array,
    operation: &'a StringViewArray,
    address: &'a Int64Array,
    size: &'a Int64Array,
    one_in: &'a Int32Array,
    stack: &'a Int64Array,
}

impl Columns<'_> {
    fn of(batch: &RecordBatch) -> Result<Columns<'_>> {
        let long = |name| column(batch, name).map(|column| column.as_primitive::<Int64Type>());
        let int = |name| column(batch, name).map(|column| column.as_primitive::<Int32Type>());
        let text = |name| column(batch, name).map(|column| column.as_string_view());
        Ok(Columns {
            ts: column(batch, "ts")?.as_primitive::<TimestampNanosecondType>(),
            host: text("host")?,
            cpu: int("cpu")?,
            pid: int("pid")?,
            tid: int("tid")?,
            upid: long("upid")?,
            comm: text("comm")?,
            cgroup_id: long("cgroup_id")?,
            operation: text("operation")?,
            address: long("address")?,
            size: long("size_bytes")?,
            one_in: int("one_in")?,
            stack: long("stack_id")?,
        })
    }
}
