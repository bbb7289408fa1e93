//! Records as columns: each column of an event table from the fields of the kinds that become rows.

use std::fmt::Write;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Float64Array, Int32Array, Int64Array, RecordBatch,
    StringBuilder, TimestampNanosecondArray,
};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use schema::events::{EventDef, KINDS, Tail};
use schema::gauges;
use schema::sockets;
use schema::tables::{COMMON, ColumnType, Table};
use schema::types::{DNS_COLUMNS, FieldType, NOT_RETURNED};

use crate::dns::Decoded;
use crate::identity::{Identity, Who};
use crate::names::{self, Names, block, signals};
use crate::packets;
use crate::record::{HEADER_SIZE, Record};
use crate::segment::SegmentMeta;
use crate::stacks::resolve::{self, Stacks};
use crate::text::{End, push_ip, push_lossy, push_tail, until_nul};

/// What rows need besides their records.
pub(crate) struct Context<'a> {
    pub meta: &'a SegmentMeta,
    pub identity: &'a Identity,
    pub stacks: &'a Stacks,
}

/// How a kind fills a column: with the n-th column of a field.
#[derive(Clone, Copy)]
struct FieldSource {
    ty: FieldType,
    offset: usize,
    part: usize,
}

/// What a column is filled with.
enum Source {
    Ts,
    Host,
    Cpu,
    Pid,
    Tid,
    Upid,
    Comm,
    CgroupId,
    Event,
    Truncated,
    Tail(Tail),
    /// The n-th column of what a message says.
    Message(usize),
    Field(Box<[Option<FieldSource>; KINDS]>),
}

/// The columns of a table and how they are filled.
pub(crate) struct Plan {
    schema: SchemaRef,
    columns: Vec<(ColumnType, Source)>,
    event_names: [&'static str; KINDS],
    /// Bytes of text of each column in the batch before: what to reserve for the next.
    text_bytes: Vec<usize>,
    names: Names,
    /// What the messages of the batch say, where columns are made of that.
    messages: Vec<Decoded>,
}

/// Records that become one batch, in the order of their rows.
#[derive(Default)]
pub(crate) struct Rows {
    bytes: Vec<u8>,
    rows: Vec<Range<u32>>,
}

impl Rows {
    pub fn push(&mut self, record: Record) {
        let begin = self.bytes.len() as u32;
        self.bytes.extend_from_slice(record.bytes());
        self.rows.push(begin..self.bytes.len() as u32);
    }

    pub fn clear(&mut self) {
        self.bytes.clear();
        self.rows.clear();
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    fn records(&self) -> impl Iterator<Item = Record<'_>> {
        let record =
            |row: &Range<u32>| Record::first(&self.bytes[row.start as usize..row.end as usize]);
        self.rows.iter().map(move |row| record(row).expect("a record that was pushed is whole"))
    }
}

impl Plan {
    /// The plan for an event table of a machine of this architecture.
    pub fn new(table: &Table, arch: &str) -> Plan {
        let events: Vec<&EventDef> = table.events().collect();
        let columns: Vec<_> = table
            .columns()
            .iter()
            .map(|column| (column.ty, source(column.name, &events)))
            .collect();
        let mut event_names = [""; KINDS];
        events.iter().for_each(|event| event_names[usize::from(event.id)] = event.in_table());
        let text_bytes = vec![0; columns.len()];
        Plan {
            schema: schema::arrow::schema(table),
            columns,
            event_names,
            text_bytes,
            names: Names::new(arch),
            messages: Vec::new(),
        }
    }

    /// Makes the columns of `rows`.
    pub fn batch(&mut self, rows: &Rows, context: &Context) -> Result<RecordBatch, ArrowError> {
        let who: Vec<Option<Who>> = rows.records().map(|record| who(record, context)).collect();
        self.messages =
            match self.columns.iter().any(|column| matches!(column.1, Source::Message(_))) {
                true => rows.records().map(message).collect(),
                false => Vec::new(),
            };
        let mut arrays = Vec::with_capacity(self.columns.len());
        for index in 0..self.columns.len() {
            let array = match self.columns[index].0 {
                ColumnType::Text => self.text(index, rows, &who, context),
                ColumnType::Bool => self.flags(index, rows, context),
                ColumnType::Binary => self.binary(index, rows),
                _ => self.numbers(index, rows, &who, context),
            };
            arrays.push(array);
        }
        RecordBatch::try_new(self.schema.clone(), arrays)
    }

    fn flags(&self, index: usize, rows: &Rows, context: &Context) -> ArrayRef {
        let records = rows.records();
        Arc::new(match &self.columns[index].1 {
            Source::Field(sources) => BooleanArray::from_iter(records.map(|record| {
                let source = sources[usize::from(record.kind())]?;
                number(source, record, context).map(|flag| flag != 0)
            })),
            _ => BooleanArray::from_iter(
                records.map(|record| Some(record.tails().any(|(_, truncated, _)| truncated))),
            ),
        })
    }

    fn numbers(
        &self,
        index: usize,
        rows: &Rows,
        who: &[Option<Who>],
        context: &Context,
    ) -> ArrayRef {
        let (ty, source) = &self.columns[index];
        let records = rows.records();
        match source {
            Source::Ts => {
                let array = TimestampNanosecondArray::from_iter_values(
                    records.map(|record| context.meta.clocks.utc_ns(record.ts_ns())),
                );
                Arc::new(array.with_timezone("UTC"))
            }
            Source::Cpu => Arc::new(Int32Array::from_iter_values(
                records.map(|record| i32::from(record.cpu())),
            )),
            Source::Pid => {
                Arc::new(Int32Array::from_iter_values(records.map(|record| record.pid() as i32)))
            }
            Source::Tid => {
                Arc::new(Int32Array::from_iter_values(records.map(|record| record.tid() as i32)))
            }
            Source::Upid => Arc::new(Int64Array::from_iter(
                who.iter().map(|who| who.as_ref()?.upid.map(|upid| upid as i64)),
            )),
            Source::CgroupId => Arc::new(Int64Array::from_iter(
                who.iter().map(|who| who.as_ref()?.cgroup_id.map(|id| id as i64)),
            )),
            Source::Field(sources) if *ty == ColumnType::Float64 => {
                Arc::new(Float64Array::from_iter(records.map(|record| {
                    let source = sources[usize::from(record.kind())]?;
                    let bits = record.u64_at(source.offset).filter(|bits| *bits != u64::MAX)?;
                    Some(f64::from_bits(bits))
                })))
            }
            Source::Field(sources) => {
                let values = records.map(|record| {
                    sources[usize::from(record.kind())]
                        .and_then(|source| number(source, record, context))
                });
                match ty {
                    ColumnType::Int32 => Arc::new(Int32Array::from_iter(
                        values.map(|value| value.and_then(|value| i32::try_from(value).ok())),
                    )),
                    _ => Arc::new(Int64Array::from_iter(values)),
                }
            }
            Source::Message(column) => {
                let values = self.messages.iter().map(|message| message.number(*column));
                match ty {
                    ColumnType::Int32 => Arc::new(Int32Array::from_iter(
                        values.map(|value| value.map(|value| value as i32)),
                    )),
                    _ => Arc::new(Int64Array::from_iter(values)),
                }
            }
            Source::Host | Source::Comm | Source::Event | Source::Truncated | Source::Tail(_) => {
                unreachable!("a text column is not asked for numbers")
            }
        }
    }

    fn binary(&self, index: usize, rows: &Rows) -> ArrayRef {
        let Source::Tail(tag) = self.columns[index].1 else {
            unreachable!("only variable parts are columns of bytes")
        };
        let values = rows.records().map(|record| record.tail(tag).map(|(bytes, _)| bytes));
        Arc::new(BinaryArray::from_iter(values))
    }

    fn text(
        &mut self,
        index: usize,
        rows: &Rows,
        who: &[Option<Who>],
        context: &Context,
    ) -> ArrayRef {
        let mut out = StringBuilder::with_capacity(rows.len(), self.text_bytes[index]);
        match &self.columns[index].1 {
            Source::Host => who.iter().for_each(|_| out.append_value(&context.meta.start.host)),
            Source::Comm => {
                who.iter().for_each(|who| out.append_option(who.as_ref().and_then(|who| who.comm)))
            }
            Source::Event => rows
                .records()
                .for_each(|record| out.append_value(self.event_names[usize::from(record.kind())])),
            Source::Tail(tag) => {
                let mut text = String::new();
                for record in rows.records() {
                    text.clear();
                    let mut found = record.tail(*tag).is_some_and(|(bytes, truncated)| {
                        push_tail(*tag, bytes, truncated, &mut text)
                    });
                    if !found && *tag == Tail::BuildId {
                        let known = resolve::build_id(record, context.meta);
                        found = known.is_some();
                        text.push_str(&known.unwrap_or_default());
                    }
                    out.append_option(found.then_some(&*text));
                }
            }
            Source::Message(column) => {
                self.messages.iter().for_each(|message| out.append_option(message.text(*column)));
            }
            Source::Field(sources) => {
                let mut buffer = String::new();
                for record in rows.records() {
                    let source = sources[usize::from(record.kind())];
                    let value = source
                        .and_then(|source| word(source, record, &mut self.names, &mut buffer));
                    out.append_option(value);
                }
            }
            _ => unreachable!("a column of numbers is not asked for text"),
        }
        self.text_bytes[index] = out.values_slice().len();
        Arc::new(out.finish())
    }
}

/// Who made a record; nobody if the thread id belongs to another process by what is known.
fn who<'a>(record: Record, context: &Context<'a>) -> Option<Who<'a>> {
    context.identity.lookup(record.tid(), record.ts_ns()).filter(|who| who.pid == record.pid())
}

/// What the message in a record says.
fn message(record: Record) -> Decoded {
    let (bytes, truncated) = record.tail(Tail::Message).unwrap_or_default();
    Decoded::read(bytes, truncated)
}

/// Finds what fills the column called `name`.
fn source(name: &str, events: &[&EventDef]) -> Source {
    if COMMON.iter().any(|column| column.name == name) {
        return match name {
            "ts" => Source::Ts,
            "host" => Source::Host,
            "cpu" => Source::Cpu,
            "pid" => Source::Pid,
            "tid" => Source::Tid,
            "upid" => Source::Upid,
            "comm" => Source::Comm,
            "cgroup_id" => Source::CgroupId,
            _ => unreachable!("a common column is of the header or of the identity"),
        };
    }
    let mut sources = Box::new([None; KINDS]);
    for event in events {
        for field in event.fields {
            let columns = field.ty.columns(field.name, field.doc);
            if let Some(part) = columns.iter().position(|column| column.name == name) {
                if field.ty == FieldType::DnsMessage && part < DNS_COLUMNS.len() {
                    return Source::Message(part);
                }
                sources[usize::from(event.id)] =
                    Some(FieldSource { ty: field.ty, offset: field.offset, part });
            }
        }
    }
    if sources.iter().any(Option::is_some) {
        return Source::Field(sources);
    }
    match (name, Tail::ALL.into_iter().find(|tail| tail.column() == Some(name))) {
        (_, Some(tail)) => Source::Tail(tail),
        ("truncated", None) => Source::Truncated,
        _ => Source::Event,
    }
}

/// The number that a field holds; `None` for NULL.
fn number(source: FieldSource, record: Record, context: &Context) -> Option<i64> {
    use FieldType::*;
    let FieldSource { ty, offset, part } = source;
    let word = || record.u32_at(offset).filter(|value| *value != u32::MAX);
    match ty {
        DurationNs => record.u64_at(offset).and_then(|value| i64::try_from(value).ok()),
        // Nobody has the number 0: it is the idle thread, or a field that was not filled.
        Tid | Pid => word().filter(|value| *value != 0).map(i64::from),
        CpuId | Uid | Gid | Priority => word().map(i64::from),
        Upid | CgroupId => record
            .u64_at(offset)
            .filter(|value| *value != 0 && *value != u64::MAX)
            .map(|value| value as i64),
        Bits => record.u64_at(offset).filter(|value| *value != u64::MAX).map(|value| value as i64),
        Args => record.u64_at(offset + part * 8).map(|value| value as i64),
        Return => {
            record.u64_at(offset).map(|value| value as i64).filter(|value| *value != NOT_RETURNED)
        }
        PeerTid => {
            let tid = word().filter(|tid| *tid != 0)?;
            if part == 0 {
                return Some(i64::from(tid));
            }
            // The first field of these kinds is how long it lasted; the peer acted at the end of it.
            let duration_ns =
                record.u64_at(HEADER_SIZE).filter(|value| *value != u64::MAX).unwrap_or(0);
            let who = context.identity.lookup(tid, record.ts_ns().saturating_add(duration_ns))?;
            who.upid.map(|upid| upid as i64)
        }
        ExitStatus => {
            word().filter(|status| status & 0x7f == 0).map(|status| i64::from(status >> 8 & 0xff))
        }
        Address | Inode => record
            .u64_at(offset)
            .filter(|value| *value != 0 && *value != u64::MAX)
            .map(|value| value as i64),
        SizeBytes => {
            record.u64_at(offset).filter(|value| *value != u64::MAX).map(|value| value as i64)
        }
        StackId => context.stacks.id(record.u64_at(offset)?),
        OneIn => word().map(i64::from),
        Port | FewOf => word().map(i64::from),
        ConnectionId | Count => {
            record.u64_at(offset).filter(|value| *value != u64::MAX).map(|value| value as i64)
        }
        Flag => word().map(|flag| i64::from(flag != 0)),
        LocalEnd | RemoteEnd if part == 1 => {
            let end = End::read(record.field(offset, ty.size())?).filter(End::is_ip)?;
            Some(i64::from(end.port)).filter(|port| *port != 0)
        }
        IpAddress | LocalEnd | RemoteEnd | Errno | SocketProtocol | SocketRole | SocketState
        | SocketEvent | Word => None,

        Sequence => {
            record.u64_at(offset).filter(|value| *value != u64::MAX).map(|value| value as i64)
        }
        Number | Bytes => word().map(i64::from),
        Name | MacAddress | EtherType | IpProtocol | Direction | TcpFlags | IpFlags
        | ArpOperation | Malformed => None,

        DnsMessage => word().map(i64::from),
        Transport | DnsSide => None,

        Sector => {
            record.u64_at(offset).filter(|value| *value != u64::MAX).map(|value| value as i64)
        }
        Times => word().map(i64::from),
        BlockFlags | BlockStatus | DiskName | SignalCode | SignalResult | SignalReach
        | SignalHandler | GaugeId | Real => None,

        Comm | SyscallId | IoUringOp | TaskState | AllocationOp | CpuMode | FaultKind | Device
        | RawId | Plain | Reserved => None,
    }
}

/// The text that a field holds; `None` for NULL.
fn word<'a>(
    source: FieldSource,
    record: Record,
    names: &'a mut Names,
    buffer: &'a mut String,
) -> Option<&'a str> {
    use FieldType::*;
    let FieldSource { ty, offset, part } = source;
    let word = || record.u32_at(offset).filter(|value| *value != u32::MAX);
    match ty {
        Comm => {
            buffer.clear();
            push_lossy(until_nul(record.field(offset, ty.size())?), buffer);
            Some(&**buffer).filter(|comm| !comm.is_empty())
        }
        TaskState => word().map(names::task_state),
        SyscallId if part == 0 => Some(names.call(word()?)),
        SyscallId => word().map(|id| if names::is_compat(id) { "compat" } else { "syscall" }),
        IoUringOp if part == 0 => Some(names.op(word()?)),
        IoUringOp => Some("io_uring"),
        Return => names.error(record.u64_at(offset)? as i64),
        ExitStatus => {
            let signal = word()? & 0x7f;
            buffer.clear();
            let _ = write!(buffer, "{}", names::signal(signal));
            Some(&**buffer).filter(|_| signal != 0)
        }
        AllocationOp => names::operation(word()?),
        CpuMode => word().map(|mode| if mode == 0 { "user" } else { "kernel" }),
        FaultKind => word().map(|fault| if fault == 0 { "minor" } else { "major" }),
        IpAddress => {
            let bytes: [u8; 16] = record.field(offset, ty.size())?.try_into().ok()?;
            buffer.clear();
            push_ip(bytes, buffer).then_some(&**buffer)
        }
        LocalEnd | RemoteEnd if part == 0 => {
            let end = End::read(record.field(offset, ty.size())?)?;
            buffer.clear();
            if end.is_ip() {
                return push_ip(end.address, buffer).then_some(&**buffer);
            }
            let tag = if ty == LocalEnd { Tail::LocalName } else { Tail::RemoteName };
            let (name, cut) = record.tail(tag)?;
            push_tail(tag, name, cut, buffer).then_some(&**buffer)
        }
        Errno => names.error(-i64::from(word()?)),
        SocketProtocol => sockets::PROTOCOLS.name(word()?),
        SocketRole => sockets::ROLES.name(word()?),
        SocketState => sockets::STATES.name(word()?),
        SocketEvent => sockets::SOCKET_EVENTS.name(word()?),
        Word => {
            buffer.clear();
            push_lossy(until_nul(record.field(offset, ty.size())?), buffer);
            Some(&**buffer).filter(|word| !word.is_empty())
        }
        Port | LocalEnd | RemoteEnd | ConnectionId | Count | FewOf | Flag => None,

        Name => {
            buffer.clear();
            push_lossy(until_nul(record.field(offset, ty.size())?), buffer);
            Some(&**buffer).filter(|name| !name.is_empty())
        }
        MacAddress => {
            let number = record.u64_at(offset).filter(|number| *number != u64::MAX)?;
            packets::mac(number, buffer);
            Some(&**buffer)
        }
        Direction => word().map(|direction| if direction == 0 { "sent" } else { "received" }),
        EtherType | IpProtocol | TcpFlags | IpFlags | ArpOperation | Malformed => {
            packets::word(ty, word()?, buffer).then_some(&**buffer)
        }
        Sequence | Number | Bytes => None,

        DnsMessage => None,
        Transport => match word()? {
            6 => Some("tcp"),
            17 => Some("udp"),
            _ => None,
        },
        DnsSide => match word()? {
            1 => Some("client"),
            2 => Some("server"),
            _ => None,
        },

        DiskName => {
            buffer.clear();
            push_lossy(until_nul(record.field(offset, ty.size())?), buffer);
            Some(&**buffer).filter(|name| !name.is_empty())
        }
        BlockFlags if part == 0 => Some(block::operation(word()?, buffer)),
        BlockFlags => block::flags(word()?, buffer),
        BlockStatus => match block::error_number(word()?) {
            0 => None,
            number if number < 0 => names.error(number),
            status => {
                buffer.clear();
                let _ = write!(buffer, "status_{status}");
                Some(buffer)
            }
        },
        SignalCode if part == 0 => {
            let number = record.u64_at(offset)? as u32;
            buffer.clear();
            let _ = write!(buffer, "{}", names::signal(number));
            Some(&**buffer).filter(|_| number != 0)
        }
        SignalCode => {
            let value = record.u64_at(offset)?;
            let code = Some((value >> 32) as i32).filter(|code| *code != i32::MAX)?;
            Some(signals::code(value as u32, code, buffer))
        }
        SignalResult => signals::result(word()?),
        SignalReach => word().map(|reach| if reach == 0 { "thread" } else { "process" }),
        SignalHandler => signals::action(word()?),
        GaugeId if part == 0 => gauges::by_id(word()?).map(|metric| metric.component),
        GaugeId => gauges::by_id(word()?).map(|metric| metric.name),
        Sector | Times | Real => None,

        Device => {
            let device = word().filter(|device| *device != 0)?;
            buffer.clear();
            let _ = write!(buffer, "{}:{}", device >> 20, device & 0xf_ffff);
            Some(&**buffer)
        }
        DurationNs | Tid | Pid | PeerTid | Upid | CpuId | Uid | Gid | Bits | CgroupId | Args
        | Priority | Address | SizeBytes | StackId | OneIn | Inode | RawId | Plain | Reserved => {
            None
        }
    }
}
