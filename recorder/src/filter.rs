//! Which packets are recorded: the words of `--packet-filter`, as a program for the kernel side.
//!
//! The words are those of tcpdump. An expression is parsed by recursive descent and brought into
//! disjunctive normal form: a packet is wanted when all terms of one clause hold.

use std::net::IpAddr;
use std::ops::Range;

/// As FILTER_CLAUSES and FILTER_TERMS in ebpf/src/packets.h.
const CLAUSES_MAX: usize = 8;
const TERMS_MAX: usize = 8;
/// Parentheses and `not` within each other: what is deeper is no filter that a person wrote.
const DEPTH_MAX: usize = 32;

/// As FILTER_ in ebpf/src/packets.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
enum Operation {
    None = 0,
    Address = 1,
    Port = 2,
    Protocol = 3,
    EtherType = 4,
    Interface = 5,
}

/// As `struct filter_term` in ebpf/src/packets.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
struct Term {
    operation: u32,
    sides: u32,
    low: u32,
    high: u32,
    address: [u8; 16],
    mask: [u8; 16],
    negated: u32,
    reserved: u32,
}

/// As `struct filter` in ebpf/src/packets.h.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Program {
    clauses: u32,
    reserved: u32,
    terms: [Term; CLAUSES_MAX * TERMS_MAX],
}

// SAFETY: integers without padding, any value is valid.
unsafe impl aya::Pod for Program {}

/// A filter that was understood.
#[derive(Clone, Debug)]
pub struct PacketFilter {
    pub(crate) program: Program,
    /// The interfaces that it names.
    pub(crate) interfaces: Vec<String>,
}

/// Why a filter was not understood.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// A word is not what can be there.
    #[error("--packet-filter: {message}\n  {text}\n  {:>width$}", "^", width = .at + 1)]
    Syntax {
        /// What is expected, and what to give.
        message: String,
        /// The filter.
        text: String,
        /// Which character of it is meant.
        at: usize,
    },
    /// It is too large for the kernel side.
    #[error(
        "--packet-filter, with --interface, comes to more than {CLAUSES_MAX} alternatives of at most {TERMS_MAX} conditions: make it shorter, with `net` and `portrange` for instance"
    )]
    TooLarge,
    /// An interface that is named is in no network namespace.
    #[error("there is no interface `{0}`: `ip link` lists those there are")]
    NoInterface(String),
}

#[derive(Clone, Debug)]
enum Expr {
    Term(Term),
    Not(Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
}

impl PacketFilter {
    /// The filter of an expression and of interfaces, one of which it must be; none if there is
    /// neither.
    ///
    /// # Errors
    /// The expression is wrong, or it is too large for the kernel side.
    pub fn parse(
        text: Option<&str>,
        interfaces: &[String],
    ) -> Result<Option<PacketFilter>, FilterError> {
        let mut wanted = Vec::new();
        let mut named = interfaces.to_vec();
        if !interfaces.is_empty() {
            wanted.push(Expr::Or(interfaces.iter().map(|name| interface(name)).collect()));
        }
        if let Some(text) = text {
            wanted.push(Parser::new(text).parse(&mut named)?);
        }
        if wanted.is_empty() {
            return Ok(None);
        }
        let clauses = normal_form(&Expr::And(wanted), false)?;
        let none = Term::new(Operation::None);
        let mut program = Program { clauses: clauses.len() as u32, reserved: 0, terms: [none; 64] };
        for (clause, at) in clauses.iter().zip((0..).step_by(TERMS_MAX)) {
            program.terms[at..at + clause.len()].copy_from_slice(clause);
        }
        Ok(Some(PacketFilter { program, interfaces: named }))
    }

    /// Whether the interfaces that it names are there, in any network namespace.
    ///
    /// # Errors
    /// One is not.
    pub fn check_interfaces(&self) -> Result<(), FilterError> {
        if self.interfaces.is_empty() {
            return Ok(());
        }
        let there = crate::interfaces::names();
        match self.interfaces.iter().find(|name| !there.contains(*name)) {
            Some(name) => Err(FilterError::NoInterface(name.clone())),
            None => Ok(()),
        }
    }
}

impl Term {
    const fn new(operation: Operation) -> Term {
        Term {
            operation: operation as u32,
            sides: 3,
            low: 0,
            high: 0,
            address: [0; 16],
            mask: [0; 16],
            negated: 0,
            reserved: 0,
        }
    }

    const fn number(operation: Operation, number: u32) -> Term {
        Term { low: number, high: number, ..Term::new(operation) }
    }
}

fn interface(name: &str) -> Expr {
    let mut address = [0; 16];
    let length = name.len().min(15);
    address[..length].copy_from_slice(&name.as_bytes()[..length]);
    Expr::Term(Term { address, mask: [0xff; 16], ..Term::new(Operation::Interface) })
}

/// Alternatives, each of terms that must all hold.
fn normal_form(expr: &Expr, negated: bool) -> Result<Vec<Vec<Term>>, FilterError> {
    let all = |parts: &[Expr]| -> Result<Vec<Vec<Term>>, FilterError> {
        let mut product = vec![Vec::new()];
        for part in parts {
            let part = normal_form(part, negated)?;
            let mut next = Vec::new();
            for (left, right) in product.iter().flat_map(|left| part.iter().map(move |r| (left, r)))
            {
                let mut clause: Vec<Term> = left.clone();
                clause.extend(right.iter().filter(|term| !left.contains(term)));
                next.push(clause);
            }
            product = next;
            check(&product)?;
        }
        Ok(product)
    };
    let any = |parts: &[Expr]| -> Result<Vec<Vec<Term>>, FilterError> {
        let mut sum: Vec<Vec<Term>> = Vec::new();
        for part in parts {
            sum.extend(normal_form(part, negated)?);
            check(&sum)?;
        }
        Ok(sum)
    };
    match (expr, negated) {
        (Expr::Term(term), _) => Ok(vec![vec![Term { negated: negated.into(), ..*term }]]),
        (Expr::Not(inner), _) => normal_form(inner, !negated),
        // Not all of them is one of them not.
        (Expr::And(parts), false) | (Expr::Or(parts), true) => all(parts),
        (Expr::Or(parts), false) | (Expr::And(parts), true) => any(parts),
    }
}

fn check(clauses: &[Vec<Term>]) -> Result<(), FilterError> {
    let fits =
        clauses.len() <= CLAUSES_MAX && clauses.iter().all(|clause| clause.len() <= TERMS_MAX);
    if fits { Ok(()) } else { Err(FilterError::TooLarge) }
}

struct Parser<'a> {
    text: &'a str,
    /// Where the words are.
    words: Vec<Range<usize>>,
    next: usize,
    depth: usize,
}

const PROTOCOLS: [(&str, Operation, u32); 12] = [
    ("ip", Operation::EtherType, 0x0800),
    ("ip6", Operation::EtherType, 0x86dd),
    ("arp", Operation::EtherType, 0x0806),
    ("tcp", Operation::Protocol, 6),
    ("udp", Operation::Protocol, 17),
    ("icmp", Operation::Protocol, 1),
    ("icmp6", Operation::Protocol, 58),
    ("igmp", Operation::Protocol, 2),
    ("gre", Operation::Protocol, 47),
    ("esp", Operation::Protocol, 50),
    ("ah", Operation::Protocol, 51),
    ("sctp", Operation::Protocol, 132),
];

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Parser<'a> {
        let mut words: Vec<Range<usize>> = Vec::new();
        let is_single = |c: char| matches!(c, '(' | ')' | '!');
        let mut joins = false;
        for (at, c) in text.char_indices() {
            let end = at + c.len_utf8();
            match words.last_mut() {
                Some(word) if joins && !c.is_whitespace() && !is_single(c) => word.end = end,
                _ if !c.is_whitespace() => words.push(at..end),
                _ => {}
            }
            joins = !c.is_whitespace() && !is_single(c);
        }
        Parser { text, words, next: 0, depth: 0 }
    }

    fn parse(mut self, interfaces: &mut Vec<String>) -> Result<Expr, FilterError> {
        let expr = self.any(interfaces)?;
        match self.peek() {
            None => Ok(expr),
            Some(")") => Err(self.wrong("there is no `(` for this `)`")),
            Some(_) => Err(self.wrong("expected `and`, `or` or the end")),
        }
    }

    fn peek(&self) -> Option<&'a str> {
        self.words.get(self.next).map(|word| &self.text[word.clone()])
    }

    fn take(&mut self, words: &[&str]) -> bool {
        let found = self.peek().is_some_and(|word| words.contains(&word));
        self.next += usize::from(found);
        found
    }

    /// An error at the word that comes next.
    fn wrong(&self, message: &str) -> FilterError {
        let at = self.words.get(self.next).map_or(self.text.len(), |word| word.start);
        FilterError::Syntax {
            message: message.into(),
            // One line, in which a column is a character.
            text: self.text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
            at: self.text[..at].chars().count(),
        }
    }

    fn any(&mut self, interfaces: &mut Vec<String>) -> Result<Expr, FilterError> {
        let mut parts = vec![self.all(interfaces)?];
        while self.take(&["or", "||"]) {
            parts.push(self.all(interfaces)?);
        }
        Ok(Expr::Or(parts))
    }

    fn all(&mut self, interfaces: &mut Vec<String>) -> Result<Expr, FilterError> {
        let mut parts = vec![self.one(interfaces)?];
        while self.take(&["and", "&&"]) {
            parts.push(self.one(interfaces)?);
        }
        Ok(Expr::And(parts))
    }

    fn one(&mut self, interfaces: &mut Vec<String>) -> Result<Expr, FilterError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.wrong("too many parentheses within each other"));
        }
        let expr = if self.take(&["not", "!"]) {
            Expr::Not(Box::new(self.one(interfaces)?))
        } else if self.take(&["("]) {
            let inner = self.any(interfaces)?;
            if !self.take(&[")"]) {
                return Err(self.wrong("expected `and`, `or` or `)`"));
            }
            inner
        } else {
            self.primitive(interfaces)?
        };
        self.depth -= 1;
        Ok(expr)
    }

    /// Conditions that belong together: `tcp dst port 80`.
    fn primitive(&mut self, interfaces: &mut Vec<String>) -> Result<Expr, FilterError> {
        if self.take(&["interface"]) {
            let Some(name) = self.peek().filter(|name| name.len() < 16) else {
                return Err(self.wrong("expected the name of an interface, such as `eth0`"));
            };
            self.next += 1;
            interfaces.push(name.into());
            return Ok(interface(name));
        }
        let protocol = self.peek().and_then(|word| {
            let word = if word == "icmpv6" { "icmp6" } else { word };
            PROTOCOLS.iter().find(|(name, ..)| *name == word)
        });
        self.next += usize::from(protocol.is_some());
        let sides = match self.peek() {
            Some("src") => 1,
            Some("dst") => 2,
            _ => 3,
        };
        self.next += usize::from(sides != 3);
        let condition = match self.peek() {
            Some("host") => Some(self.value(|parser| parser.address(false))?),
            Some("net") => Some(self.value(|parser| parser.address(true))?),
            Some("port") => Some(self.value(|parser| parser.ports(false))?),
            Some("portrange") => Some(self.value(|parser| parser.ports(true))?),
            // tcpdump takes an address without `host` too.
            Some(_) if sides != 3 => Some(self.address(false)?),
            _ if sides != 3 => {
                return Err(self.wrong("expected `host`, `net`, `port`, `portrange` or an address"));
            }
            _ => None,
        };
        let protocol = protocol.map(|(_, operation, number)| Term::number(*operation, *number));
        let condition = condition.map(|term| Term { sides, ..term });
        if protocol.is_none() && condition.is_none() {
            return Err(self.wrong(
                "expected a condition: `host`, `net`, `port`, `portrange`, `src`, `dst`, `interface`, `tcp`, `udp`, `icmp`, `icmp6`, `arp`, `ip`, `ip6`, `gre`, `igmp`, `esp`, `ah` or `sctp`",
            ));
        }
        Ok(Expr::And(protocol.into_iter().chain(condition).map(Expr::Term).collect()))
    }

    /// What comes after the word that is next.
    fn value(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<Term, FilterError>,
    ) -> Result<Term, FilterError> {
        self.next += 1;
        read(self)
    }

    fn address(&mut self, is_net: bool) -> Result<Term, FilterError> {
        let expected = if is_net {
            "expected a network such as `10.0.0.0/8` or `fe80::/10`"
        } else {
            "expected an address such as `10.0.0.1` or `::1`: names are not looked up"
        };
        let wrong = || self.wrong(expected);
        let word = self.peek().ok_or_else(wrong)?;
        let (address, length) = match word.split_once('/') {
            Some((address, length)) if is_net => (address, Some(length)),
            _ => (word, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let (bytes, bits) = match address {
            IpAddr::V4(address) => (address.to_ipv6_mapped().octets(), 32),
            IpAddr::V6(address) => (address.octets(), 128),
        };
        let length = length.map_or(Ok(bits), str::parse).ok().filter(|length| *length <= bits);
        let length: u32 = length.ok_or_else(wrong)?;
        let mask = u128::MAX.checked_shl(bits - length).unwrap_or(0).to_be_bytes();
        if bytes.iter().zip(mask).any(|(byte, mask)| byte & !mask != 0) {
            return Err(self.wrong("the address has bits set behind its network's length"));
        }
        self.next += 1;
        Ok(Term { address: bytes, mask, ..Term::new(Operation::Address) })
    }

    fn ports(&mut self, is_range: bool) -> Result<Term, FilterError> {
        let expected = if is_range {
            "expected ports such as `1-1024`"
        } else {
            "expected a port of 0 to 65535"
        };
        let wrong = || self.wrong(expected);
        let word = self.peek().ok_or_else(wrong)?;
        let (low, high) = match word.split_once('-') {
            Some(range) if is_range => range,
            _ => (word, word),
        };
        let number = |text: &str| text.parse::<u16>().map(u32::from).map_err(|_| wrong());
        let (low, high) = (number(low)?, number(high)?);
        if low > high {
            return Err(self.wrong("the first port of a range is the lower one"));
        }
        self.next += 1;
        Ok(Term { low, high, ..Term::new(Operation::Port) })
    }
}

#[cfg(test)]
mod tests;
