//! Every text of a trace passes through here on its way to the page: what would be obeyed instead of shown is
//! escaped, and with `--redact`, what names people, machines and places becomes a token.
//!
//! A token is the same for the same text, on the whole page. Its number is that of its first use, so that it tells
//! nothing of the text, and the same trace still gives the same page.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use aho_corasick::{AhoCorasick, MatchKind};
use analyzer::Session;
use regex::{Captures, Regex};
use schema::text::escape;

use crate::axis::Axis;
use crate::error::Error;
use crate::rows;

/// Words of arguments shorter than this are common words too.
const WORD_MIN: usize = 8;

/// Queries for texts that are secrets wherever they stand: what a token of them is called, tables that it needs.
const SECRETS: [(&str, &str, &str); 8] = [
    ("host", "hosts", "SELECT DISTINCT host FROM hosts"),
    ("name", "dns", "SELECT DISTINCT name FROM dns"),
    ("name", "containers", "SELECT DISTINCT name FROM containers"),
    ("name", "containers", "SELECT DISTINCT pod FROM containers"),
    ("name", "containers", "SELECT DISTINCT container_id FROM containers"),
    ("argument", "processes", "SELECT DISTINCT argv FROM processes"),
    ("argument", "process_events", "SELECT DISTINCT argv FROM process_events"),
    ("path", "processes", "SELECT DISTINCT exe FROM processes"),
];

/// What a whole cell is, by the name of its column.
fn kind_of_column(name: &str) -> Option<&'static str> {
    Some(match name {
        "argv" | "last_argv" => "argument",
        "path" | "path2" | "exe" | "cwd" | "program" | "cgroup" | "unit" => "path",
        "address"
        | "remote"
        | "peer"
        | "service"
        | "remote_address"
        | "local_address"
        | "server_address"
        | "client_address"
        | "source_address"
        | "destination_address"
        | "source_mac"
        | "destination_mac" => "address",
        "host" | "hosts" => "host",
        "container" | "container_id" | "container_name" | "pod" | "what" | "answers" => "name",
        "captured" => "bytes",
        _ => return None,
    })
}

/// Makes texts safe to show.
pub struct Cleaner {
    redactor: Option<Redactor>,
}

struct Redactor {
    secrets: AhoCorasick,
    kinds: Vec<&'static str>,
    hardware: Regex,
    numbers: Regex,
    socket: Regex,
    path: Regex,
    tokens: RefCell<HashMap<String, String>>,
    counts: RefCell<HashMap<&'static str, usize>>,
}

impl Cleaner {
    /// One that only escapes.
    pub fn plain() -> Cleaner {
        Cleaner { redactor: None }
    }

    /// One that replaces what names people, machines and places.
    pub fn redacting(session: &Session, axis: &Axis) -> Result<Cleaner, Error> {
        let mut secrets: BTreeSet<(String, &'static str)> = BTreeSet::new();
        for (kind, table, sql) in SECRETS {
            if !session.is_recorded(table) {
                continue;
            }
            for row in rows::all(session, sql, axis)? {
                let Some(text) = row.first().and_then(rows::text) else { continue };
                add(&mut secrets, kind, text);
            }
        }
        for trace in session.traces() {
            let manifest = trace.manifest();
            add(&mut secrets, "host", &manifest.host);
            manifest
                .command
                .iter()
                .for_each(|words| add(&mut secrets, "argument", &words.join(" ")));
        }
        Cleaner::of(secrets)
    }

    fn of(secrets: BTreeSet<(String, &'static str)>) -> Result<Cleaner, Error> {
        let wrong =
            |what: String| Error::Picture(format!("what to redact cannot be found: {what}"));
        let kinds: Vec<&'static str> = secrets.iter().map(|(_, kind)| *kind).collect();
        let secrets = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(secrets.iter().map(|(text, _)| text))
            .map_err(|error| wrong(error.to_string()))?;
        let pattern = |pattern: &str| Regex::new(pattern).map_err(|error| wrong(error.to_string()));
        let hardware = pattern(r"(?i)\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b")?;
        let numbers = pattern(r"(?i)[0-9a-f:.]{2,}")?;
        let socket = pattern(r"@[\w./:-]{2,}")?;
        let path = pattern(r#"[^\s'"`,;()\[\]{}<>|=]*/[^\s'"`,;()\[\]{}<>|]+"#)?;
        let (tokens, counts) = (RefCell::default(), RefCell::default());
        Ok(Cleaner {
            redactor: Some(Redactor {
                secrets,
                kinds,
                hardware,
                numbers,
                socket,
                path,
                tokens,
                counts,
            }),
        })
    }

    /// A text that names nobody, such as a function or a process.
    pub fn escape(&self, text: &str) -> String {
        escape(text).into_owned()
    }

    /// A sentence, or whatever else may have anything in it.
    pub fn text(&self, text: &str) -> String {
        match &self.redactor {
            None => self.escape(text),
            Some(redactor) => self.escape(&redactor.text(text)),
        }
    }

    /// A text that is a secret as a whole.
    pub fn secret(&self, kind: &'static str, text: &str) -> String {
        match &self.redactor {
            Some(redactor) if !text.is_empty() => redactor.token(kind, text),
            _ => self.escape(text),
        }
    }

    /// A cell of a column.
    pub fn cell(&self, column: &str, text: &str) -> String {
        match kind_of_column(column) {
            Some(kind) => self.secret(kind, text),
            None => self.text(text),
        }
    }
}

/// Adds a secret and the parts of it that may stand alone.
fn add(secrets: &mut BTreeSet<(String, &'static str)>, kind: &'static str, text: &str) {
    let text = text.trim();
    match kind {
        "name" => {
            let name = text.trim_end_matches('.');
            // The domains that it lies in, down to those that somebody may own.
            let mut rest = name;
            while rest.len() > 2 {
                secrets.insert((rest.to_string(), kind));
                match rest.split_once('.') {
                    Some((_, parent)) if parent.contains('.') => rest = parent,
                    _ => break,
                }
            }
        }
        "argument" => {
            let is_special = |word: &&str| {
                word.len() >= WORD_MIN
                    || word.len() > 2 && word.chars().any(|c| !c.is_alphabetic() && c != '-')
            };
            let words = text.split([' ', '=', '\'', '"', ',', '\n']);
            // The first word is the program, whose file name stays.
            for word in words.skip(1).filter(is_special) {
                secrets.insert((word.to_string(), kind));
            }
            if text.contains(' ') {
                secrets.insert((text.to_string(), kind));
            }
        }
        _ if text.len() > 1 => drop(secrets.insert((text.to_string(), kind))),
        _ => {}
    }
}

impl Redactor {
    /// The token that stands for a text.
    fn token(&self, kind: &'static str, text: &str) -> String {
        let mut tokens = self.tokens.borrow_mut();
        if let Some(token) = tokens.get(text) {
            return token.clone();
        }
        let mut counts = self.counts.borrow_mut();
        let count = counts.entry(kind).or_default();
        *count += 1;
        let token = format!("{kind}-{count}");
        tokens.insert(text.to_string(), token.clone());
        token
    }

    fn text(&self, text: &str) -> String {
        let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        for found in self.secrets.find_iter(text) {
            let secret = &text[found.range()];
            let (before, after) =
                (text[..found.start()].chars().next_back(), text[found.end()..].chars().next());
            let is_part = is_word(before) && is_word(secret.chars().next())
                || is_word(after) && is_word(secret.chars().next_back());
            if is_part {
                continue;
            }
            out.push_str(&self.by_pattern(&text[at..found.start()]));
            out.push_str(&self.token(self.kinds[found.pattern().as_usize()], secret));
            at = found.end();
        }
        out.push_str(&self.by_pattern(&text[at..]));
        out
    }

    /// Replaces what looks like an address or a path.
    fn by_pattern(&self, text: &str) -> String {
        let token = |kind: &'static str| move |found: &Captures| self.token(kind, &found[0]);
        let text = self.hardware.replace_all(text, token("address"));
        let text = self.numbers.replace_all(&text, |found: &Captures| self.by_number(&found[0]));
        let text = self.socket.replace_all(&text, token("address"));
        let path = |found: &Captures| match found[0].ends_with("/s") {
            // A rate, such as MiB/s.
            true => found[0].to_string(),
            false => self.token("path", &found[0]),
        };
        self.path.replace_all(&text, path).into_owned()
    }

    /// Replaces an IP address, which may have a port behind it.
    fn by_number(&self, text: &str) -> String {
        let end = text.trim_end_matches(['.', ':']).len();
        let (number, rest) = text.split_at(end);
        let (address, port) = match number.rsplit_once(':') {
            Some((address, _)) if number.parse::<IpAddr>().is_err() => {
                number.split_at(address.len())
            }
            _ => (number, ""),
        };
        match address.parse::<IpAddr>() {
            Ok(_) => format!("{}{port}{rest}", self.token("address", address)),
            Err(_) => text.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_something_becomes_a_token_and_the_rest_stays() {
        let mut secrets = BTreeSet::new();
        add(&mut secrets, "host", "db7");
        add(&mut secrets, "name", "mail.example.org.");
        add(&mut secrets, "argument", "curl --user=alice:pw1 http://x.example/secret");
        let cleaner = Cleaner::of(secrets).unwrap();
        let check = |text: &str, expected: &str| assert_eq!(cleaner.text(text), expected);
        check("db7 asked for mail.example.org.", "host-1 asked for name-1.");
        check("curl (pid 7) read /etc/shadow", "curl (pid 7) read path-1");
        check("it sent alice:pw1 to 10.0.0.7:443", "it sent argument-1 to address-1:443");
        check("example.org, fe80::1, [::1]:80", "name-2, address-2, [address-3]:80");
        check("/etc/shadow again", "path-1 again");
        check("db77 is another", "db77 is another");
        check(
            "at 17:44:20.5 it sent 3 MiB/s to @agent",
            "at 17:44:20.5 it sent 3 MiB/s to address-4",
        );
        check("opened ../x/y, a/b", "opened path-2, path-3");
        assert_eq!(cleaner.cell("argv", "/bin/sh -c x"), "argument-2");
        assert_eq!(cleaner.cell("comm", "nginx"), "nginx");
        assert_eq!(Cleaner::plain().text("a\u{202e}b /x"), "a\\u{202e}b /x");
    }
}
