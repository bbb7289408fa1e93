//! Comparing: what programs did in a recording that they never did in those of a baseline.
//!
//! A program that the baseline does not know is told once, and not what it did. What is new is put together as a
//! baseline would (`items`), so that a thousand files in a folder are one deviation. Only what both the baseline and the
//! recording could see is compared; the rest is told as not known.

use std::collections::{BTreeMap, BTreeSet};

use schema::human;

use super::items::Items;
use super::observe::{self, First, Observation, PROGRAMS};
use super::severity;
use super::tree::Fold;
use super::words::{count, evidence, grouped, of_process, short, times, unit, what};
use super::{Baseline, Program, Section, Seen};
use crate::check::Severity;
use crate::completeness::{Limit, Note};
use crate::error::Error;
use crate::session::Session;

/// Deviations of a section of a program that are told one by one; the rest are told as one.
const DEVIATIONS_MAX: usize = 50;

/// Patterns of what is new in a section of a program.
const PATTERNS_MAX: usize = 256;

/// Something known is worth telling if it was seen in so small a share of recordings and processes.
const RARE_SHARE: f64 = 0.05;

/// Seconds in which a program did something that there must have been before its most is taken for the most there is.
const WINDOWS_MIN: u64 = 30;

/// How many times the most a second must have.
const RATE_FACTOR: u64 = 2;

/// Something that is not in the baseline.
#[derive(Debug, Clone, PartialEq)]
pub struct Deviation {
    /// When it was first done; nanoseconds since 1970.
    pub ts: Option<i64>,
    /// Machine.
    pub host: String,
    /// Process for good.
    pub upid: Option<i64>,
    /// Process id.
    pub pid: Option<i64>,
    /// The program, as baselines call it.
    pub program: String,
    /// What kind of thing it is: `program`, `file_read`, `peer`, `port`, `child`, `user`, `rate`, ...
    pub kind: String,
    /// What is new: a pattern, where there were several.
    pub item: String,
    /// 1 if it was never seen, else the share of recordings, or of processes, in which it was not.
    pub rarity: f64,
    /// How much it matters, as far as can be known without knowing the program.
    pub severity: Severity,
    /// What happened, with numbers; it begins with the name of the program.
    pub sentence: String,
    /// SQL for the rows that show it.
    pub evidence: String,
}

/// What came of comparing.
#[derive(Debug, Clone, Default)]
pub struct Comparison {
    /// What is new, the worst first.
    pub deviations: Vec<Deviation>,
    /// What could not be compared, and why, in sentences.
    pub unknown: Vec<String>,
    /// What was lost of the tables.
    pub notes: Vec<Note>,
    /// What was left out of them.
    pub limits: Vec<Limit>,
}

/// What is in the session and not in the baseline, the worst first.
pub fn compare(session: &Session, baseline: &Baseline) -> Result<Vec<Deviation>, Error> {
    comparison(session, baseline).map(|comparison| comparison.deviations)
}

/// The same, with what could not be compared.
pub fn comparison(session: &Session, baseline: &Baseline) -> Result<Comparison, Error> {
    let mut comparer = Comparer {
        baseline,
        known: BTreeMap::new(),
        fresh: BTreeMap::new(),
        most: BTreeMap::new(),
        deviations: Vec::new(),
    };
    // Programs are not in the list of what was recorded: they always are.
    let is_wanted = |name: &str| name == PROGRAMS || baseline.knows(name);
    let seen = observe::observe(session, &is_wanted, &mut |observation| {
        comparer.take(observation);
        Ok(())
    })?;
    let mut unknown = Vec::new();
    for name in baseline.recorded.keys().filter(|name| !seen.recorded.contains(name)) {
        unknown.push(format!("{} were not recorded", words(name)));
    }
    for name in Section::ALL.map(Section::name).into_iter().filter(|name| !baseline.knows(name)) {
        unknown.push(format!("the baseline was learned without {name}"));
    }
    Ok(Comparison {
        deviations: comparer.finish(),
        unknown,
        notes: seen.notes,
        limits: seen.limits,
    })
}

/// The name of a section or rate as words.
fn words(name: &str) -> String {
    name.replace('_', " ")
}

/// Something new, or rare.
#[derive(Debug, Clone)]
pub(super) struct Fresh {
    pub first: First,
    pub times: u64,
    /// How many different things it stands for.
    pub count: u64,
}

impl Fold for Fresh {
    fn fold(&mut self, other: Fresh) {
        self.times = self.times.saturating_add(other.times);
        self.count += other.count;
        if other.first.ts.is_some() && (self.first.ts.is_none() || other.first.ts < self.first.ts) {
            self.first = other.first;
        }
    }
}

struct Comparer<'a> {
    baseline: &'a Baseline,
    /// Sections of programs, in the shape in which they are searched.
    known: BTreeMap<(String, Section), Items<Seen>>,
    /// What is new in each.
    fresh: BTreeMap<(String, Section), Items<Fresh>>,
    /// The second of each program and rate that had the most.
    most: BTreeMap<(String, String), (u64, First)>,
    deviations: Vec<Deviation>,
}

impl Comparer<'_> {
    fn take(&mut self, observation: Observation) {
        match observation {
            Observation::Program { program, processes, first } => {
                if !self.baseline.programs.contains_key(&program) {
                    self.deviations.push(self.of_program(program, processes, first));
                }
            }
            // What was only looked at is no deviation: programs look in many places.
            Observation::Thing { section: Section::Looks, .. } => {}
            Observation::Thing { section, program, item, times, first, .. } => {
                let Some(normal) = self.baseline.programs.get(&program) else { return };
                let key = (program, section);
                if !self.known.contains_key(&key) {
                    let mut items = Items::of(section);
                    normal.section(section).for_each(|(item, seen)| items.insert(item, seen));
                    self.known.insert(key.clone(), items);
                }
                match self.known[&key].find(&item) {
                    None => {
                        let fresh = self.fresh.entry(key).or_insert_with(|| {
                            let mut items = Items::of(section);
                            items.narrow(PATTERNS_MAX);
                            items
                        });
                        fresh.insert(&item, Fresh { first, times, count: 1 });
                    }
                    // Of a pattern, how many processes there were is not known.
                    Some((found, seen)) if !found.contains('*') => {
                        let rarity = rarity(*seen, normal);
                        if rarity > 1.0 - RARE_SHARE {
                            let fresh = Fresh { first, times, count: 1 };
                            let deviation = self.of_item(
                                &key.0,
                                normal,
                                section,
                                item,
                                fresh,
                                rarity,
                                Some(*seen),
                            );
                            self.deviations.push(deviation);
                        }
                    }
                    Some(_) => {}
                }
            }
            Observation::Second { rate, program, value, first } => {
                let most = self.most.entry((program, rate)).or_default();
                if value > most.0 {
                    *most = (value, first);
                }
            }
        }
    }

    /// All deviations, the worst first.
    fn finish(mut self) -> Vec<Deviation> {
        for ((program, section), fresh) in std::mem::take(&mut self.fresh) {
            let Some(normal) = self.baseline.programs.get(&program) else { continue };
            let mut items = fresh.into_items();
            items.sort_by(|(item, one), (name, other)| {
                (one.first.ts, item).cmp(&(other.first.ts, name))
            });
            let rest = items.split_off(items.len().min(DEVIATIONS_MAX));
            for (item, fresh) in items {
                let deviation = self.of_item(&program, normal, section, item, fresh, 1.0, None);
                self.deviations.push(deviation);
            }
            let rest = rest.into_iter().map(|(_, fresh)| fresh).reduce(|mut all, fresh| {
                all.fold(fresh);
                all
            });
            if let Some(mut rest) = rest {
                rest.count = rest.count.max(2);
                let deviation =
                    self.of_item(&program, normal, section, "*".to_string(), rest, 1.0, None);
                self.deviations.push(deviation);
            }
        }
        // Who makes more calls sends more, too: that is told once, with what was most above all there was.
        let mut rates: BTreeMap<String, Vec<(f64, Deviation)>> = BTreeMap::new();
        for ((program, rate), (value, first)) in std::mem::take(&mut self.most) {
            let found = self.of_rate(&program, &rate, value, first);
            rates.entry(program).or_default().extend(found);
        }
        for (_, mut found) in rates {
            found.sort_by(|(one, _), (other, _)| other.total_cmp(one));
            let mut found = found.into_iter().map(|(_, deviation)| deviation);
            let Some(mut most) = found.next() else { continue };
            let others: Vec<&str> = found.map(|deviation| unit(&deviation.item)).collect();
            if !others.is_empty() {
                most.sentence += &format!("; also more than ever: {}", others.join(", "));
            }
            self.deviations.push(most);
        }
        self.once();
        let mut deviations = self.deviations;
        deviations.sort_by(|one, other| {
            let place = |deviation: &Deviation| {
                let Deviation { ts, host, upid, program, kind, item, .. } = deviation.clone();
                (ts, host, upid, program, kind, item)
            };
            (other.severity.cmp(&one.severity))
                .then_with(|| other.rarity.total_cmp(&one.rarity))
                .then_with(|| place(one).cmp(&place(other)))
        });
        deviations
    }

    /// One exec is one deviation: as the child of a program that is known it says most, so that the program that
    /// nobody knows, and the file that was run, are not told besides.
    fn once(&mut self) {
        let children: BTreeSet<(String, Option<i64>, String)> = self
            .deviations
            .iter()
            .filter(|deviation| deviation.kind == kind(Section::Children))
            .map(|child| (child.host.clone(), child.upid, child.item.clone()))
            .collect();
        let runs: BTreeSet<(&str, Option<i64>)> =
            children.iter().map(|(host, upid, _)| (host.as_str(), *upid)).collect();
        self.deviations.retain(|deviation| {
            let run = (deviation.host.as_str(), deviation.upid);
            let child = (deviation.host.clone(), deviation.upid, deviation.program.clone());
            match deviation.kind.as_str() {
                EXECUTED => !runs.contains(&run),
                PROGRAM => !children.contains(&child),
                _ => true,
            }
        });
    }

    fn of_program(&self, program: String, processes: u64, first: First) -> Deviation {
        let sentence = format!(
            "{} ran {}, which never ran in {}",
            short(&program),
            times(processes),
            count(self.baseline.recordings.len() as u64, "recording")
        );
        let evidence = match first.upid {
            Some(_) => format!(
                "SELECT * FROM process_events WHERE {} AND event = 'exec' ORDER BY ts",
                of_process(&first)
            ),
            None => "SELECT * FROM processes".to_string(),
        };
        Deviation {
            severity: severity::of_program(&program),
            kind: PROGRAM.to_string(),
            item: program.clone(),
            rarity: 1.0,
            sentence,
            evidence,
            ..start(program, first)
        }
    }

    #[allow(clippy::too_many_arguments, reason = "they are all of what a deviation is made of")]
    fn of_item(
        &self,
        program: &str,
        normal: &Program,
        section: Section,
        item: String,
        fresh: Fresh,
        rarity: f64,
        seen: Option<Seen>,
    ) -> Deviation {
        let what = what(section, &item, &fresh);
        let whom = format!(
            "{} ({})",
            count(normal.traces, "recording"),
            count(normal.processes, "process")
        );
        let mut sentence = format!("{} {what}, which it ", short(program));
        match seen {
            Some(seen) => {
                let processes = count(seen.processes, "process");
                sentence += &format!("did in {} ({processes}) of {whom}", seen.traces);
            }
            None => sentence += &format!("never did in {whom}"),
        }
        let is_unknown =
            section == Section::Children && !self.baseline.programs.contains_key(&item);
        if is_unknown && fresh.count == 1 {
            sentence += ", nor did any other program";
        }
        Deviation {
            severity: match seen {
                Some(_) => Severity::Info,
                None => severity::of_item(section, &item, normal),
            },
            kind: kind(section).to_string(),
            rarity,
            sentence,
            evidence: evidence(section, &item, &fresh),
            item,
            ..start(program.to_string(), fresh.first)
        }
    }

    /// How many times more there was than ever, and the deviation that this is.
    fn of_rate(
        &self,
        program: &str,
        rate: &str,
        value: u64,
        first: First,
    ) -> Option<(f64, Deviation)> {
        let normal = self.baseline.programs.get(program)?;
        let known = normal.rates.get(rate)?;
        let is_more = value > known.max().saturating_mul(RATE_FACTOR) && value >= least(rate);
        if !is_more || known.windows() < WINDOWS_MIN {
            return None;
        }
        let amount = |n: u64| match rate.contains("bytes") {
            true => human::bytes(i64::try_from(n).unwrap_or(i64::MAX)),
            false => grouped(n),
        };
        let what = match rate {
            "sent_bytes_per_second" => format!("sent {}", amount(value)),
            "received_bytes_per_second" => format!("received {}", amount(value)),
            "connections_per_second" => format!("had {} {}", amount(value), unit(rate)),
            _ => format!("made {} {}", amount(value), unit(rate)),
        };
        let sentence = format!(
            "{} {what} in a second; in {} it was at most {} (99 % of the seconds: {})",
            short(program),
            count(normal.traces, "recording"),
            amount(known.max()),
            amount(known.quantile(99))
        );
        let table = match rate {
            "connections_per_second" => "connections",
            rate if rate.contains("bytes") => "flows",
            _ => Section::Syscalls.name(),
        };
        let from = first.ts.unwrap_or_default();
        let evidence = format!(
            "SELECT * FROM {table} WHERE {} AND ts >= to_timestamp_nanos({from}) \
             AND ts < to_timestamp_nanos({}) ORDER BY ts",
            of_process(&first),
            from.saturating_add(1_000_000_000)
        );
        let factor = value as f64 / known.max().max(1) as f64;
        let deviation = Deviation {
            severity: severity::of_rate(factor, normal),
            kind: "rate".to_string(),
            item: rate.to_string(),
            rarity: 1.0,
            sentence,
            evidence,
            ..start(program.to_string(), first)
        };
        Some((factor, deviation))
    }
}

/// Kinds that no section has the name of.
const PROGRAM: &str = "program";
const EXECUTED: &str = "file_run";

/// The kind of deviation that a section has.
fn kind(section: Section) -> &'static str {
    match section {
        Section::Reads => "file_read",
        Section::Writes => "file_write",
        Section::Looks => "file_look",
        Section::Executes => EXECUTED,
        Section::Children => "child",
        Section::Capabilities => "capability",
        other => other.name().trim_end_matches('s'),
    }
}

/// The share of recordings, or of processes, in which it was not; the smaller one, as what every recording has once is
/// not rare.
fn rarity(seen: Seen, program: &Program) -> f64 {
    let share = |part: u64, whole: u64| if whole == 0 { 1.0 } else { part as f64 / whole as f64 };
    let most = share(seen.traces, program.traces).max(share(seen.processes, program.processes));
    (1.0 - most).max(0.0)
}

/// A deviation of which only the process is known so far.
fn start(program: String, first: First) -> Deviation {
    Deviation {
        ts: first.ts,
        host: first.host,
        upid: first.upid,
        pid: first.pid,
        program,
        kind: String::new(),
        item: String::new(),
        rarity: 1.0,
        severity: Severity::Info,
        sentence: String::new(),
        evidence: String::new(),
    }
}

/// The least in a second that is worth telling.
fn least(rate: &str) -> u64 {
    match rate {
        "connections_per_second" => 10,
        rate if rate.contains("bytes") => 100_000,
        _ => 1_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn baseline() -> Baseline {
        let mut program = Program { traces: 40, processes: 200, ..Program::default() };
        let often = Seen { times: 900, processes: 180, traces: 40 };
        let once = Seen { times: 1, processes: 1, traces: 1 };
        let section = |items: &[(&str, Seen)]| {
            items.iter().map(|(item, seen)| (item.to_string(), *seen)).collect::<BTreeMap<_, _>>()
        };
        program.sections.insert(Section::Syscalls, section(&[("read", often), ("ptrace", once)]));
        program.sections.insert(Section::Reads, section(&[("/srv/*", often)]));
        let mut rate = Rate::default();
        (0..100).for_each(|_| rate.add(500));
        program.rates.insert("calls_per_second".to_string(), rate);
        let mut rate = Rate::default();
        (0..100).for_each(|_| rate.add(4));
        program.rates.insert("connections_per_second".to_string(), rate);
        Baseline {
            recordings: Vec::new(),
            recorded: BTreeMap::new(),
            programs: BTreeMap::from([("/usr/sbin/web".to_string(), program)]),
        }
    }

    use super::super::Rate;

    fn found(observations: Vec<Observation>) -> Vec<Deviation> {
        let baseline = baseline();
        let mut comparer = Comparer {
            baseline: &baseline,
            known: BTreeMap::new(),
            fresh: BTreeMap::new(),
            most: BTreeMap::new(),
            deviations: Vec::new(),
        };
        observations.into_iter().for_each(|observation| comparer.take(observation));
        comparer.finish()
    }

    fn thing(section: Section, item: &str) -> Observation {
        let first = First {
            ts: Some(5),
            host: "box".into(),
            upid: Some(7),
            pid: Some(70),
            example: item.to_string(),
        };
        Observation::Thing {
            section,
            program: "/usr/sbin/web".into(),
            item: item.into(),
            times: 3,
            processes: 1,
            first,
        }
    }

    #[test]
    fn what_is_known_is_no_deviation_and_what_is_rare_or_new_is() {
        assert!(
            found(vec![thing(Section::Syscalls, "read"), thing(Section::Reads, "/srv/x")])
                .is_empty()
        );
        let rare = found(vec![thing(Section::Syscalls, "ptrace")]);
        assert_eq!(rare.len(), 1);
        assert_eq!((rare[0].severity, rare[0].rarity), (Severity::Info, 1.0 - 1.0 / 40.0));
        let fresh =
            found(vec![thing(Section::Children, "/bin/sh"), thing(Section::Executes, "/bin/sh")]);
        assert_eq!(fresh.len(), 1, "{fresh:?}");
        assert_eq!((fresh[0].severity, fresh[0].rarity), (Severity::High, 1.0));
        assert_eq!(
            fresh[0].sentence,
            "web started /bin/sh, 3 times, which it never did in 40 recordings (200 processes), \
             nor did any other program"
        );
        assert_eq!(
            fresh[0].evidence,
            "SELECT * FROM process_events WHERE host = 'box' AND upid = 7 AND event = 'exec' \
             AND exe = '/bin/sh' ORDER BY ts"
        );
    }

    #[test]
    fn many_new_files_are_one_deviation() {
        let files =
            (0..500).map(|n| thing(Section::Reads, &format!("/home/user/f{n}'x"))).collect();
        let found = found(files);
        assert!(found.len() <= DEVIATIONS_MAX + 1, "{}", found.len());
        let folders = (0..500).map(|n| thing(Section::Reads, &format!("/data/d/f{n}"))).collect();
        let found = self::found(folders);
        assert_eq!(found.len(), 1);
        assert!(
            found[0].sentence.starts_with("web read 500 files like /data/d/*, which"),
            "{found:?}"
        );
    }

    #[test]
    fn a_rate_must_be_far_above_the_most_there_was() {
        let second = |value| rate("calls_per_second", value);
        let unknown = rate("sent_bytes_per_second", 1 << 40);
        assert!(found(vec![second(900), unknown]).is_empty());
        let more = found(vec![second(1_200), second(20_000), second(3)]);
        assert_eq!(more.len(), 1);
        assert_eq!(more[0].severity, Severity::Medium);
        assert_eq!(
            more[0].sentence,
            "web made 20,000 system calls in a second; in 40 recordings it was at most 500 \
             (99 % of the seconds: 480)"
        );
        let both = found(vec![second(20_000), rate("connections_per_second", 1_000)]);
        assert_eq!(both.len(), 1);
        assert!(both[0].sentence.starts_with("web had 1,000 connections in a second"), "{both:?}");
        assert!(both[0].sentence.ends_with("; also more than ever: system calls"), "{both:?}");
    }

    fn rate(rate: &str, value: u64) -> Observation {
        Observation::Second {
            rate: rate.into(),
            program: "/usr/sbin/web".into(),
            value,
            first: First { ts: Some(9), ..First::default() },
        }
    }

    #[test]
    fn texts_of_strangers_stay_texts_in_the_evidence() {
        let found = found(vec![thing(Section::Writes, "/srv2/x' OR 1=1; --")]);
        assert!(found[0].evidence.contains("'/srv2/x'' OR 1=1; --'"), "{found:?}");
    }
}
