//! Packets as pcapng: what Wireshark and tcpdump read.
//!
//! A block for each interface when its first packet comes, then the packets in the order of time. The
//! thread that a packet belongs to is its comment.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;
use std::time::Duration;

use analyzer::Session;
use anyhow::{Context, Result, anyhow, bail};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type, TimestampNanosecondType};
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::{DataLink, PcapError};

use crate::text;

/// Bytes of a packet, at most: what Wireshark takes of one.
const PACKET_MAX: usize = 262_144;
/// Characters of a name, at most.
const NAME_MAX: usize = 256;
/// Fractions of a second in a time: ten to the minus nine.
const NANOSECONDS: u8 = 9;
/// Directions, in the flags of a packet.
const INBOUND: u32 = 1;
const OUTBOUND: u32 = 2;

/// What is read of each packet.
const COLUMNS: &str = "ts, host, pid, comm, direction, length_bytes, ifindex, netns, interface, \
                       source_mac IS NOT NULL AS has_ethernet, captured";

/// What to record, so that there is something to export.
const REMEDY: &str = "record with `ebrec record -s packets --snaplen 9200`";

/// An interface as one of a file: of a machine, a network namespace, and with one kind of header.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Interface {
    host: String,
    netns: Option<i64>,
    index: Option<i64>,
    name: Option<String>,
    has_ethernet: bool,
}

/// Writes the packets for which `condition` is true into what `open` gives, once it is known that
/// there are any. Returns what is to be said about them.
pub fn write<W: Write>(
    session: &Session,
    condition: Option<&str>,
    open: impl FnOnce() -> Result<W>,
) -> Result<Vec<String>> {
    let condition = condition.unwrap_or("true");
    let (packets, with_bytes) = count(session, condition)?;
    if with_bytes == 0 {
        bail!(why_empty(session, packets));
    }
    let sql = format!(
        "SELECT {COLUMNS} FROM packets WHERE (\n{condition}\n) AND captured IS NOT NULL ORDER BY ts, host"
    );
    let mut rows = session.sql(&sql)?;
    let mut file = CaptureFile::begin(open()?)?;
    for batch in rows.by_ref() {
        file.add(&batch?)?;
    }
    file.writer.into_inner().flush().map_err(PcapError::IoError)?;
    let mut notes: Vec<String> = session.notes(&rows)?.iter().map(ToString::to_string).collect();
    if packets > with_bytes {
        let without = packets - with_bytes;
        notes.push(format!("{without} of {packets} packets were recorded without bytes: left out"));
    }
    Ok(notes)
}

/// How many packets there are, and of how many there are bytes.
fn count(session: &Session, condition: &str) -> Result<(i64, i64)> {
    let sql = format!("SELECT count(*), count(captured) FROM packets WHERE (\n{condition}\n)");
    let rows = session.sql(&sql).map_err(|error| {
        if condition == "true" { error.into() } else { anyhow!("--where: {error}") }
    })?;
    let (mut packets, mut with_bytes) = (0, 0);
    for batch in rows {
        let batch = batch?;
        let sum = |column: usize| {
            batch.column(column).as_primitive::<Int64Type>().iter().flatten().sum::<i64>()
        };
        packets += sum(0);
        with_bytes += sum(1);
    }
    Ok((packets, with_bytes))
}

fn why_empty(session: &Session, packets: i64) -> String {
    if !session.traces().iter().any(|trace| !trace.files("packets").is_empty()) {
        return format!("packets was not recorded: {REMEDY}");
    }
    match packets {
        0 => "there is nothing to export: no packet matches".into(),
        _ => format!("none of {packets} packets was recorded with its bytes: {REMEDY}"),
    }
}

struct CaptureFile<W: Write> {
    writer: PcapNgWriter<W>,
    interfaces: HashMap<Interface, u32>,
}

impl<W: Write> CaptureFile<W> {
    fn begin(out: W) -> Result<CaptureFile<W>> {
        let program = format!("ebrec {}", env!("CARGO_PKG_VERSION"));
        let section = SectionHeaderBlock {
            endianness: pcap_file::Endianness::Little,
            options: vec![SectionHeaderOption::UserApplication(program.into())],
            ..SectionHeaderBlock::default()
        };
        let writer = PcapNgWriter::with_section_header(out, section)?;
        Ok(CaptureFile { writer, interfaces: HashMap::new() })
    }

    fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let column = |name: &str| batch.column_by_name(name).context("a column is missing");
        let ts = column("ts")?.as_primitive_opt::<TimestampNanosecondType>();
        let ts = ts.context("`ts` is no time")?;
        let text = |name: &str| {
            column(name)?.as_string_opt::<i32>().with_context(|| format!("`{name}` is no text"))
        };
        let (hosts, comms) = (text("host")?, text("comm")?);
        let (directions, names) = (text("direction")?, text("interface")?);
        let number = |name: &str| {
            let column = column(name)?.as_primitive_opt::<Int64Type>();
            column.with_context(|| format!("`{name}` is no number"))
        };
        let (lengths, indexes, netns) =
            (number("length_bytes")?, number("ifindex")?, number("netns")?);
        let pids = column("pid")?.as_primitive_opt::<Int32Type>().context("`pid` is no number")?;
        let has_ethernet = column("has_ethernet")?.as_boolean_opt().context("no truth")?;
        let captured =
            column("captured")?.as_binary_opt::<i32>().context("`captured` is no bytes")?;
        let long = |values: &arrow::array::PrimitiveArray<Int64Type>, row: usize| {
            values.is_valid(row).then(|| values.value(row))
        };
        let short = |values: &arrow::array::StringArray, row: usize| {
            values.is_valid(row).then(|| shown(values.value(row)))
        };
        for row in 0..batch.num_rows() {
            let interface = Interface {
                host: short(hosts, row).unwrap_or_default(),
                netns: long(netns, row),
                index: long(indexes, row),
                name: short(names, row),
                has_ethernet: has_ethernet.value(row),
            };
            let bytes = captured.value(row);
            let bytes = &bytes[..bytes.len().min(PACKET_MAX)];
            let length = long(lengths, row).and_then(|length| u32::try_from(length).ok());
            let mut options = Vec::new();
            if let Some(comm) = short(comms, row) {
                let comment = format!("{comm}[{}]", pids.value(row));
                options.push(EnhancedPacketOption::Comment(comment.into()));
            }
            let is_sent = directions.is_valid(row) && directions.value(row) == "sent";
            options.push(EnhancedPacketOption::Flags(if is_sent { OUTBOUND } else { INBOUND }));
            let packet = EnhancedPacketBlock {
                interface_id: self.interface(interface)?,
                timestamp: Duration::from_nanos(u64::try_from(ts.value(row)).unwrap_or(0)),
                original_len: length.unwrap_or(0).max(bytes.len() as u32),
                data: Cow::Borrowed(bytes),
                options,
            };
            self.writer.write_pcapng_block(packet)?;
        }
        Ok(())
    }

    /// The number of an interface in the file; one that is new is described first.
    fn interface(&mut self, interface: Interface) -> Result<u32> {
        if let Some(number) = self.interfaces.get(&interface) {
            return Ok(*number);
        }
        let number = self.interfaces.len() as u32;
        let index = interface.index.unwrap_or(0);
        let name = interface.name.clone().unwrap_or_else(|| format!("interface {index}"));
        let namespace = interface.netns.map(|netns| format!(", network namespace {netns}"));
        let about = format!("{}{}", interface.host, namespace.unwrap_or_default());
        let block = InterfaceDescriptionBlock {
            linktype: if interface.has_ethernet { DataLink::ETHERNET } else { DataLink::RAW },
            snaplen: 0,
            options: vec![
                InterfaceDescriptionOption::IfName(name.into()),
                InterfaceDescriptionOption::IfDescription(about.into()),
                InterfaceDescriptionOption::IfTsResol(NANOSECONDS),
            ],
        };
        self.writer.write_pcapng_block(block)?;
        self.interfaces.insert(interface, number);
        Ok(number)
    }
}

/// A name of the trace, safe to show.
fn shown(name: &str) -> String {
    text::escape(name).chars().take(NAME_MAX).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        ArrayRef, BinaryArray, BooleanArray, Int32Array, Int64Array, StringArray,
        TimestampNanosecondArray,
    };
    use pcap_file::pcapng::{Block, PcapNgReader};

    use super::*;

    #[test]
    fn each_interface_is_described_before_its_first_packet() {
        let columns: Vec<(&str, ArrayRef)> = vec![
            (
                "ts",
                Arc::new(TimestampNanosecondArray::from(vec![1_700_000_000_123_456_789, 5, -1])),
            ),
            ("host", Arc::new(StringArray::from(vec!["vm", "vm", "vm"]))),
            ("pid", Arc::new(Int32Array::from(vec![7, 0, 9]))),
            ("comm", Arc::new(StringArray::from(vec![Some("a\x1b[2m"), None, Some("b")]))),
            ("direction", Arc::new(StringArray::from(vec!["sent", "received", "sent"]))),
            ("length_bytes", Arc::new(Int64Array::from(vec![1500, 2, i64::MAX]))),
            ("ifindex", Arc::new(Int64Array::from(vec![1, 2, 1]))),
            ("netns", Arc::new(Int64Array::from(vec![Some(4026531840), None, Some(4026531840)]))),
            ("interface", Arc::new(StringArray::from(vec![Some("lo"), None, Some("lo")]))),
            ("has_ethernet", Arc::new(BooleanArray::from(vec![true, false, true]))),
            ("captured", Arc::new(BinaryArray::from(vec![&[1; 20][..], &[0x45, 0, 0], &[]]))),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut file = CaptureFile::begin(Vec::new()).unwrap();
        file.add(&batch).unwrap();
        let bytes = file.writer.into_inner();

        let mut reader = PcapNgReader::new(&bytes[..]).unwrap();
        let mut seen = Vec::new();
        while let Some(block) = reader.next_block() {
            seen.push(match block.unwrap() {
                Block::InterfaceDescription(block) => {
                    format!("{:?} {:?}", block.linktype, block.options)
                }
                Block::EnhancedPacket(block) => format!(
                    "{} {} {} {:?} {:?}",
                    block.interface_id,
                    block.timestamp.as_nanos(),
                    block.original_len,
                    block.data.len(),
                    block.options
                ),
                other => panic!("{other:?}"),
            });
        }
        assert_eq!(
            seen,
            [
                "ETHERNET [IfName(\"lo\"), IfDescription(\"vm, network namespace 4026531840\"), IfTsResol(9)]",
                "0 1700000000123456789 1500 20 [Comment(\"a\\\\x1b[2m[7]\"), Flags(2)]",
                "RAW [IfName(\"interface 2\"), IfDescription(\"vm\"), IfTsResol(9)]",
                "1 5 3 3 [Flags(1)]",
                "0 0 0 0 [Comment(\"b[9]\"), Flags(2)]",
            ]
        );
    }
}
