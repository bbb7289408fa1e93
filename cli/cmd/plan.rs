//! `ebrec record --dry-run`: what a recording would be, for people and as JSON.

use std::io::Write;

use anyhow::Result;
use recorder::Options;
use recorder::hooks::MEASURED;
use recorder::plan::{Plan, Planned};
use schema::human;
use serde_json::json;

use crate::output::{self, Column, Long, TableOrJson, write_table};
use crate::text::escape;

/// Width where standard output is no terminal.
const WIDTH: usize = 80;
/// Width of what stands in front of a text.
const LABEL_WIDTH: usize = 9;

/// Prints a plan.
pub fn print(plan: &Plan, options: &Options, format: TableOrJson) -> Result<()> {
    let mut out = output::stdout();
    match format {
        TableOrJson::Table => table(plan, options, &mut *out)?,
        TableOrJson::Json => writeln!(out, "{:#}", to_json(plan, options))?,
    }
    Ok(out.flush()?)
}

fn table(plan: &Plan, options: &Options, out: &mut dyn Write) -> Result<()> {
    let width = output::terminal_width().unwrap_or(WIDTH);
    writeln!(out, "Nothing was recorded. This is what would be.\n")?;
    let scope = match plan.scope.as_slice() {
        [] => "the whole machine".to_string(),
        filters => filters.join(", and of these only "),
    };
    let lines = [
        ("scope", scope),
        ("sources", plan.sources.join(", ")),
        ("folder", options.output.display().to_string()),
        ("memory", format!("{} at most", human::bytes(plan.memory_bytes as i64))),
    ];
    let notes = plan.notes.iter().map(|note| ("note", note.clone()));
    for (label, text) in lines.into_iter().chain(notes) {
        write_wrapped(label, &escape(&text), width, out)?;
    }
    writeln!(out)?;
    let columns =
        [Column::whole("hook"), Column::text("for"), Column::number("ns"), Column::whole("here")];
    let rows: Vec<Vec<String>> = plan.hooks.iter().map(row).collect();
    write_table(&columns, &rows, Long::Wrapped, Some(width), out)?;
    writeln!(out)?;
    write_wrapped("ns", &format!("time that one adds to what causes it, {MEASURED}"), width, out)?;
    let missing: Vec<&Planned> = plan.hooks.iter().filter(|hook| hook.refusal.is_some()).collect();
    if !missing.is_empty() {
        writeln!(out, "\nWhat this kernel lacks")?;
        let columns = [Column::whole("hook"), Column::text("without it"), Column::text("why")];
        let row = |hook: &&Planned| {
            let text = |text: Option<&str>| escape(text.unwrap_or_default()).into_owned();
            vec![hook.name.clone(), text(hook.lost), text(hook.refusal.as_deref())]
        };
        let rows: Vec<Vec<String>> = missing.iter().map(row).collect();
        write_table(&columns, &rows, Long::Wrapped, Some(width), out)?;
    }
    writeln!(out)?;
    let columns = [Column::whole("ring"), Column::number("bytes")];
    let row = |(name, bytes): &(&str, u32)| vec![name.to_string(), human::bytes(i64::from(*bytes))];
    let rows: Vec<Vec<String>> = plan.rings.iter().map(row).collect();
    write_table(&columns, &rows, Long::Wrapped, Some(width), out)?;
    let rings: u64 = plan.rings.iter().map(|(_, bytes)| u64::from(*bytes)).sum();
    let memory = format!(
        "rings are mapped twice, so they count twice: {} and {} again; the rest is for a segment that is encoded, and the program",
        human::bytes(rings as i64),
        human::bytes(rings as i64),
    );
    writeln!(out)?;
    Ok(write_wrapped("memory", &memory, width, out)?)
}

/// Writes a label and a text that goes on below itself.
fn write_wrapped(
    label: &str,
    text: &str,
    width: usize,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    let mut line = format!("{label:<LABEL_WIDTH$}");
    let mut has_word = false;
    for word in text.split(' ') {
        let length = line.chars().count() + word.chars().count();
        if has_word && length >= width {
            writeln!(out, "{line}")?;
            line = " ".repeat(LABEL_WIDTH);
            has_word = false;
        }
        if has_word {
            line.push(' ');
        }
        line.push_str(word);
        has_word = true;
    }
    writeln!(out, "{line}")
}

fn row(hook: &Planned) -> Vec<String> {
    let cost = hook.cost_ns.map_or("-".to_string(), |cost_ns| cost_ns.to_string());
    let here = if hook.refusal.is_some() { "missing" } else { "there" };
    vec![hook.name.clone(), hook.sources.join(", "), cost, here.to_string()]
}

fn to_json(plan: &Plan, options: &Options) -> serde_json::Value {
    let hook = |hook: &Planned| {
        json!({
            "name": hook.name,
            "sources": hook.sources,
            "cost_ns": hook.cost_ns,
            "is_there": hook.refusal.is_none(),
            "refusal": hook.refusal,
            "without_it": hook.lost,
        })
    };
    let rings: Vec<_> =
        plan.rings.iter().map(|(name, bytes)| json!({ "name": name, "bytes": bytes })).collect();
    json!({
        "scope": plan.scope,
        "sources": plan.sources,
        "folder": options.output,
        "hooks": plan.hooks.iter().map(hook).collect::<Vec<_>>(),
        "costs": MEASURED,
        "rings": rings,
        "memory_bytes": plan.memory_bytes,
        "notes": plan.notes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_fits_and_says_what_a_kernel_lacks() {
        let hook = |name: &str, refusal: Option<&str>| Planned {
            name: name.into(),
            sources: vec!["network"],
            cost_ns: refusal.is_none().then_some(200),
            refusal: refusal.map(str::to_string),
            lost: Some("bytes that are sent are counted only where system calls tell of them"),
        };
        let plan = Plan {
            sources: vec!["processes", "network"],
            scope: vec!["the command `a\x1b[31m` and its descendants".into()],
            hooks: vec![
                hook("sock_recv_length", None),
                hook("sock_send_length", Some("unknown BTF type `btf_trace_sock_send_length`")),
            ],
            rings: vec![("processes", 2 << 20), ("network", 2 << 20)],
            memory_bytes: 88 << 20,
            notes: vec!["words ".repeat(40).trim().into()],
        };
        let options = recorder::Options::for_check();
        let mut text = Vec::new();
        table(&plan, &options, &mut text).expect("a buffer takes everything");
        let text = String::from_utf8(text).expect("it is text");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(!text.contains('\x1b'), "{text}");
        for expected in ["What this kernel lacks", "missing", "200", "88.0 MiB at most"] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        let json = to_json(&plan, &options);
        assert_eq!(json["hooks"][1]["is_there"], false);
        assert_eq!(json["hooks"][0]["cost_ns"], 200);
    }
}
