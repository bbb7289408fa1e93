//! Checks look at a session: each gets a verdict, and one that could not see enough never says *clean*.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};

use crate::check::{
    Check, Finding, Seen, Severity, Subject, Suppressions, Window, finding, unseen,
};
use crate::completeness::{Gap, Limit, Note};
use crate::error::Error;
use crate::params::Values;
use crate::session::Session;
use crate::views;

/// Findings of a check that are kept; how many more there were is counted.
pub const FINDINGS_MAX: usize = 1_000;

/// Generations that a process's descent is told of.
const GENERATIONS_MAX: usize = 12;

/// Processes that are looked up at once.
const LOOKUP_MAX: usize = 500;

/// What came of a check.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It found something.
    Found,
    /// It saw all it needs, and found nothing.
    Clean,
    /// It found nothing, and could not see enough: why.
    CannotTell(Vec<String>),
    /// It failed.
    Failed(String),
}

/// A check and what came of it.
#[derive(Debug, Clone)]
pub struct Result<'a> {
    /// The check.
    pub check: &'a Check,
    /// What came of it.
    pub verdict: Verdict,
    /// What it found, the earliest first.
    pub findings: Vec<Finding>,
    /// Findings beyond those.
    pub more: usize,
    /// Findings that an earlier call had told.
    pub told: usize,
    /// What was lost of the tables it read.
    pub notes: Vec<Note>,
    /// What was left out of them.
    pub limits: Vec<Limit>,
    /// How long it took.
    pub elapsed: Duration,
}

impl Result<'_> {
    /// Findings that count: nobody has decided to live with them.
    pub fn counted(&self) -> usize {
        let open = self.findings.iter().filter(|finding| finding.suppressed.is_none()).count();
        open + self.more
    }
}

/// Lets `checks` look at what the session is narrowed to, with `given` values for the parameters of each. With
/// `seen`, only what is new since an earlier call is told, and older events only looked at as far as they matter.
pub fn run<'a>(
    session: &mut Session,
    checks: &[&'a Check],
    given: &BTreeMap<String, Vec<(String, String)>>,
    suppressions: &mut Suppressions,
    mut seen: Option<&mut Seen>,
) -> std::result::Result<Vec<Result<'a>>, Error> {
    let mut values = Vec::new();
    for check in checks {
        let given = given.get(check.name()).map(Vec::as_slice).unwrap_or_default();
        values.push(check.report.values(given)?);
    }
    let kept = views::all().into_iter().filter(|view| view.header.other("keep").is_some());
    let kept: Vec<&str> = kept.map(|view| view.name).collect();
    let until = session.bounds()?.map(|(_, last)| last);
    let (from, to) = session.range();
    let mut order: Vec<usize> = (0..checks.len()).collect();
    order.sort_by_key(|index| (checks[*index].window, *index));
    let mut results: Vec<Option<Result>> = checks.iter().map(|_| None).collect();
    let (mut looked_at, mut unplaced) = (None, None);
    for index in order {
        let check = checks[index];
        if let Some(seen) = &seen {
            let since = match check.window {
                Window::Ns(window) => seen.from(window),
                Window::All => None,
            };
            let since = since.max(from);
            if looked_at != Some(since) {
                session.look_from(since, to)?;
                (looked_at, unplaced) = (Some(since), None);
            }
        }
        let began = Instant::now();
        let mut result = one(session, check, &values[index], &kept, &mut unplaced)
            .unwrap_or_else(|error| Result::of(check, Verdict::Failed(error.to_string())));
        if let Some(seen) = &mut seen {
            let all = result.findings.len();
            result
                .findings
                .retain(|finding| !seen.tell(&finding.id, finding.ts.unwrap_or_default()));
            result.told = all - result.findings.len();
        }
        result.elapsed = began.elapsed();
        results[index] = Some(result);
    }
    if let (Some(seen), Some(until)) = (seen, until) {
        seen.advance(until);
    }
    let mut results: Vec<Result> = results.into_iter().flatten().collect();
    for result in &mut results {
        ancestry(session, &mut result.findings)?;
        for finding in &mut result.findings {
            suppressions.apply(result.check.name(), finding);
        }
    }
    let rank = |result: &Result| {
        (std::cmp::Reverse(result.check.severity), result.check.name().to_string())
    };
    results.sort_by_key(rank);
    Ok(results)
}

impl<'a> Result<'a> {
    fn of(check: &'a Check, verdict: Verdict) -> Result<'a> {
        Result {
            check,
            verdict,
            findings: Vec::new(),
            more: 0,
            told: 0,
            notes: Vec::new(),
            limits: Vec::new(),
            elapsed: Duration::ZERO,
        }
    }

    /// Whether it found something of this severity or a higher one.
    pub fn is_at_least(&self, severity: Severity) -> bool {
        self.check.severity >= severity && self.counted() > 0
    }
}

fn one<'a>(
    session: &mut Session,
    check: &'a Check,
    values: &Values,
    kept: &[&str],
    unplaced: &mut Option<unseen::Unplaced>,
) -> std::result::Result<Result<'a>, Error> {
    let missing: Vec<&String> =
        check.report.header.needs.iter().filter(|table| !session.is_recorded(table)).collect();
    if !missing.is_empty() {
        let reasons = missing.iter().map(|table| format!("{table} was not recorded")).collect();
        return Ok(Result::of(check, Verdict::CannotTell(reasons)));
    }
    for view in kept.iter().filter(|view| check.report.sql.contains(**view)) {
        session.keep(view)?;
    }
    let mut rows = check.report.run(session, values)?;
    let mut result = Result::of(check, Verdict::Found);
    result.notes = session.notes(&rows)?;
    result.limits = session.limits(&rows);
    for batch in rows.by_ref() {
        for finding in finding::findings(check, &batch?)? {
            match result.findings.len() < FINDINGS_MAX {
                true => result.findings.push(finding),
                false => result.more += 1,
            }
        }
    }
    if result.findings.is_empty() {
        let mut reasons: Vec<String> = result
            .notes
            .iter()
            .filter(|note| note.gap != Gap::NotRecorded)
            .map(ToString::to_string)
            .collect();
        reasons.extend(unseen::left_out(session, check, &rows.scans));
        reasons.extend(unseen::redacted(session, check, &rows.scans));
        if unseen::Unplaced::concerns(check) {
            let unplaced = match unplaced {
                Some(unplaced) => unplaced,
                None => unplaced.insert(unseen::Unplaced::of(session)?),
            };
            reasons.extend(unplaced.reason(check));
        }
        result.verdict = match reasons.is_empty() {
            true => Verdict::Clean,
            false => Verdict::CannotTell(reasons),
        };
    }
    Ok(result)
}

/// A result with findings that were made elsewhere.
pub(super) fn filled_in(check: &Check, verdict: Verdict, findings: Vec<Finding>) -> Result<'_> {
    let mut result = Result::of(check, verdict);
    result.more = findings.len().saturating_sub(FINDINGS_MAX);
    result.findings = findings;
    result.findings.truncate(FINDINGS_MAX);
    result
}

/// Tells which processes the findings are about, and what those descend from.
pub(super) fn ancestry(
    session: &Session,
    findings: &mut [Finding],
) -> std::result::Result<(), Error> {
    let mut known: BTreeMap<(String, i64), Option<Subject>> = BTreeMap::new();
    let mut wanted: BTreeSet<(String, i64)> =
        findings.iter().filter_map(|finding| Some((finding.host.clone(), finding.upid?))).collect();
    for _ in 0..GENERATIONS_MAX {
        wanted.retain(|key| !known.contains_key(key));
        if wanted.is_empty() {
            break;
        }
        let upids: Vec<i64> = wanted.iter().map(|(_, upid)| *upid).collect();
        for upids in upids.chunks(LOOKUP_MAX) {
            look_up(session, upids, &mut known)?;
        }
        let mut parents = BTreeSet::new();
        for key in wanted {
            let process = known.entry(key.clone()).or_insert(None);
            if let Some(parent) = process.as_ref().and_then(|process| process.parent_upid) {
                parents.insert((key.0, parent));
            }
        }
        wanted = parents;
    }
    for finding in findings {
        let mut upid = finding.upid;
        // A trace is untrusted: two processes may say that they are each other's parent.
        while let Some(Some(process)) =
            upid.and_then(|upid| known.get(&(finding.host.clone(), upid)))
        {
            if finding.ancestry.len() == GENERATIONS_MAX {
                break;
            }
            finding.ancestry.push(process.clone());
            upid = process.parent_upid;
        }
    }
    Ok(())
}

fn look_up(
    session: &Session,
    upids: &[i64],
    known: &mut BTreeMap<(String, i64), Option<Subject>>,
) -> std::result::Result<(), Error> {
    let upids: Vec<String> = upids.iter().map(i64::to_string).collect();
    let sql = format!(
        "SELECT host, upid, pid, comm, exe, argv, uid, coalesce(container_name, container_id), \
         parent_upid FROM processes WHERE upid IN ({})",
        upids.join(", ")
    );
    for batch in session.sql(&sql)? {
        let batch = batch?;
        let text = |index: usize| batch.column(index).as_string::<i32>().clone();
        let texts: Vec<_> = [0, 3, 4, 5, 7].map(text).to_vec();
        let [host, comm, exe, argv, container] = texts.as_slice() else { continue };
        let number = |index: usize| {
            cast(batch.column(index), &DataType::Int64)
                .map(|array| array.as_primitive::<Int64Type>().clone())
                .map_err(|error| Error::Run(error.to_string()))
        };
        let (upid, pid, uid, parent) = (number(1)?, number(2)?, number(6)?, number(8)?);
        for row in 0..batch.num_rows() {
            let optional =
                |array: &arrow::array::Int64Array| array.is_valid(row).then(|| array.value(row));
            let container = container.is_valid(row).then(|| container.value(row).to_string());
            let subject = Subject {
                pid: i32::try_from(pid.value(row)).unwrap_or_default(),
                comm: comm.value(row).to_string(),
                exe: exe.value(row).to_string(),
                argv: argv.value(row).to_string(),
                uid: optional(&uid),
                container,
                parent_upid: optional(&parent),
            };
            known.insert((host.value(row).to_string(), upid.value(row)), Some(subject));
        }
    }
    Ok(())
}
