//! What a message of the domain name system says, as columns.
//!
//! Messages come from whoever sends them. They are read with the crate `domain`, which follows
//! pointers in names backwards only and a bounded number of times; what is shown is bounded here. What
//! is wrong with a message is said in a column, with all that could be read before.

use std::fmt::{self, Write};

use domain::base::iana::Class;
use domain::base::name::ToName;
use domain::base::wire::ParseError;
use domain::base::{Message, ParsedRecord, Rtype};
use domain::rdata::AllRecordData;
use schema::types::DNS_COLUMNS;

/// Records of an answer that are shown.
const ANSWERS_MAX: usize = 16;
/// Bytes of one of them.
const ANSWER_BYTES: usize = 256;

/// A message as columns: those of [`DNS_COLUMNS`], in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Decoded {
    kind: Option<&'static str>,
    id: Option<u16>,
    name: Option<String>,
    rtype: Option<String>,
    class: Option<String>,
    opcode: Option<String>,
    rcode: Option<String>,
    flags: Option<String>,
    questions: Option<u16>,
    answer_count: Option<u16>,
    answers: Option<String>,
    ttl_min_s: Option<u32>,
    malformed: Option<String>,
}

impl Decoded {
    /// Reads a message, or what is kept of it.
    pub fn read(bytes: &[u8], is_cut: bool) -> Decoded {
        let mut decoded = Decoded::default();
        // What ends too early is wrong only if it was sent so.
        let wrong = |what: &str, error: ParseError| match error {
            ParseError::ShortInput if is_cut => None,
            ParseError::ShortInput => Some(format!("{what}: ends too early")),
            ParseError::Form(error) => Some(format!("{what}: {error}")),
        };
        decoded.id = bytes.first_chunk::<2>().map(|id| u16::from_be_bytes(*id));
        let Ok(message) = Message::from_octets(bytes) else {
            decoded.kind = bytes.get(2).map(|flags| kind(flags & 0x80 != 0));
            decoded.malformed = wrong("header", ParseError::ShortInput);
            return decoded;
        };
        let header = message.header();
        decoded.kind = Some(kind(header.qr()));
        decoded.opcode = Some(header.opcode().to_string());
        decoded.rcode = header.qr().then(|| message.opt_rcode().to_string());
        decoded.flags = Some(flags(&header));
        decoded.questions = Some(message.header_counts().qdcount());
        decoded.answer_count = Some(message.header_counts().ancount());
        decoded.malformed = match message.question().next() {
            Some(Ok(question)) => {
                decoded.name = Some(question.qname().fmt_with_dot().to_string());
                decoded.rtype = Some(question.qtype().to_string());
                decoded.class = Some(question.qclass().to_string());
                decoded.read_answers(&message, wrong)
            }
            Some(Err(error)) => wrong("question", error),
            None => decoded.read_answers(&message, wrong),
        };
        decoded
    }

    /// Reads the answer; what is wrong with it.
    fn read_answers(
        &mut self,
        message: &Message<&[u8]>,
        wrong: impl Fn(&str, ParseError) -> Option<String>,
    ) -> Option<String> {
        let records = match message.answer() {
            Ok(records) => records,
            Err(error) => return wrong("question", error),
        };
        let mut answers = Bounded::default();
        let mut shown = 0;
        let mut malformed = None;
        for (index, record) in records.enumerate() {
            let text = match record {
                Ok(record) => {
                    let ttl_s = record.ttl().as_secs();
                    self.ttl_min_s = Some(self.ttl_min_s.map_or(ttl_s, |least| least.min(ttl_s)));
                    answer(&record)
                }
                Err(error) => {
                    malformed = wrong(&format!("answer {}", index + 1), error);
                    break;
                }
            };
            if let Err(error) = &text {
                malformed = malformed.or(wrong(&format!("answer {}", index + 1), *error));
            }
            if shown == ANSWERS_MAX {
                continue;
            }
            if let Ok(text) = text {
                let comma = if shown == 0 { "" } else { ", " };
                answers.text.push_str(comma);
                answers.text.push_str(&text);
                shown += 1;
            }
        }
        if usize::from(self.answer_count.unwrap_or(0)) > ANSWERS_MAX && shown == ANSWERS_MAX {
            answers.text.push_str(", ...");
        }
        self.answers = (shown > 0).then_some(answers.text);
        malformed
    }

    /// The number in a column.
    pub fn number(&self, column: usize) -> Option<i64> {
        match DNS_COLUMNS[column].name {
            "id" => self.id.map(i64::from),
            "question_count" => self.questions.map(i64::from),
            "answer_count" => self.answer_count.map(i64::from),
            "ttl_min_s" => self.ttl_min_s.map(i64::from),
            _ => None,
        }
    }

    /// The text in a column.
    pub fn text(&self, column: usize) -> Option<&str> {
        match DNS_COLUMNS[column].name {
            "kind" => self.kind,
            "name" => self.name.as_deref(),
            "type" => self.rtype.as_deref(),
            "class" => self.class.as_deref(),
            "opcode" => self.opcode.as_deref(),
            "rcode" => self.rcode.as_deref(),
            "flags" => self.flags.as_deref(),
            "answers" => self.answers.as_deref(),
            "malformed" => self.malformed.as_deref(),
            _ => None,
        }
    }
}

fn kind(is_response: bool) -> &'static str {
    if is_response { "response" } else { "query" }
}

fn flags(header: &domain::base::Header) -> String {
    let flags = [
        (header.aa(), "aa"),
        (header.tc(), "tc"),
        (header.rd(), "rd"),
        (header.ra(), "ra"),
        (header.ad(), "ad"),
        (header.cd(), "cd"),
    ];
    flags.iter().filter(|(is_set, _)| *is_set).map(|(_, name)| *name).collect::<Vec<_>>().join(" ")
}

/// A record as it is shown.
fn answer(record: &ParsedRecord<'_, &[u8]>) -> Result<String, ParseError> {
    let mut out = Bounded::default();
    let data = record.to_any_record::<AllRecordData<_, _>>()?;
    let is_address = matches!(record.rtype(), Rtype::A | Rtype::AAAA);
    // Cutting it short is what an error means here.
    let _ = match data.data() {
        AllRecordData::A(data) if is_address => write!(out, "{}", data.addr()),
        AllRecordData::Aaaa(data) if is_address => write!(out, "{}", data.addr()),
        AllRecordData::Cname(data) => named(&mut out, record.rtype(), data.cname()),
        AllRecordData::Ns(data) => named(&mut out, record.rtype(), data.nsdname()),
        AllRecordData::Ptr(data) => named(&mut out, record.rtype(), data.ptrdname()),
        AllRecordData::Dname(data) => named(&mut out, record.rtype(), data.dname()),
        AllRecordData::Mx(data) => {
            write!(out, "MX {} {}", data.preference(), data.exchange().fmt_with_dot())
        }
        AllRecordData::Srv(data) => write!(
            out,
            "SRV {} {} {} {}",
            data.priority(),
            data.weight(),
            data.port(),
            data.target().fmt_with_dot()
        ),
        data => write!(out, "{} {data}", record.rtype()),
    };
    if record.class() != Class::IN {
        return Ok(format!("{} {}", record.class(), out.text));
    }
    Ok(out.text)
}

fn named(out: &mut Bounded, rtype: Rtype, name: &impl ToName) -> fmt::Result {
    write!(out, "{rtype} {}", name.fmt_with_dot())
}

/// Text that takes so much and no more.
#[derive(Default)]
struct Bounded {
    text: String,
}

impl Write for Bounded {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let room = ANSWER_BYTES.saturating_sub(self.text.len());
        if part.len() <= room {
            self.text.push_str(part);
            return Ok(());
        }
        let end = (0..=room).rev().find(|end| part.is_char_boundary(*end)).unwrap_or(0);
        self.text.push_str(&part[..end]);
        self.text.push_str("...");
        Err(fmt::Error)
    }
}

#[cfg(test)]
mod tests;
