//! The page: what is on it, that it says what reports say, and that a hostile trace stays data. What its readers do
//! with it is in `browser`.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::command::{command, ebrec};
use crate::synthetic;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The page of the trace in a folder, and its text.
pub fn page(folder: &Path, trace: &str, options: &[&str]) -> (PathBuf, String) {
    let path = folder.join("out.html");
    let args = [&["report", "--html", "out.html", "--force", "-t", trace], options].concat();
    let run = ebrec(folder, &args);
    assert_eq!(run.code, 0, "{}", run.err);
    let text = fs::read_to_string(&path).unwrap();
    (path, text)
}

/// The data of its script.
fn data(page: &str) -> Value {
    let (_, rest) = page.split_once(r#"<script type="application/json" id="data">"#).unwrap();
    let (text, _) = rest.split_once("</script>").unwrap();
    serde_json::from_str(text).unwrap()
}

/// What a reader sees of a piece of HTML that has no elements in it.
fn unescaped(text: &str) -> String {
    let letters = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#x27;", "'"),
        ("&#x2f;", "/"),
        ("&amp;", "&"),
    ];
    letters.iter().fold(text.to_string(), |text, (from, to)| text.replace(from, to))
}

fn dataset(name: &str) -> String {
    root().join("datasets").join(name).join("trace").display().to_string()
}

/// The tags of a page, without what is in quotes, and without what is in its own script, style and data.
fn tags(page: &str) -> Vec<String> {
    let mut tags = Vec::new();
    let mut rest = page;
    while let Some((_, after)) = rest.split_once('<') {
        let (tag, after) = after.split_once('>').unwrap();
        let name = tag.split_whitespace().next().unwrap_or_default();
        rest = match name {
            "script" | "style" => after.split_once(&format!("</{name}>")).unwrap().1,
            _ => after,
        };
        let bare = tag.split('"').step_by(2).collect::<String>();
        tags.push(bare.replace('=', " "));
    }
    tags
}

/// What every page must have, whatever is in the trace.
#[track_caller]
fn is_sound(page: &str) {
    for part in [
        "summary",
        "time",
        "findings",
        "traffic",
        "syscalls",
        "memory",
        "audit",
        "performance",
        "about",
    ] {
        assert!(page.contains(&format!("<section id=\"{part}\"")), "no part {part}");
    }
    assert!(page.contains("default-src 'none'"), "no policy");
    assert_eq!(page.matches("<script").count(), 2, "a script that is not the page's own");
    for tag in tags(page) {
        let is_bad = |name: &str| name.starts_with("on") || name == "style";
        assert!(!tag.split_whitespace().skip(1).any(is_bad), "<{tag}>");
    }
    for loads in ["src=\"http", "href=\"http", "url(http", "@import"] {
        assert!(!page.contains(loads), "{loads}");
    }
    assert!(page.len() < 5_000_000, "{} bytes", page.len());
    // An error is told in place of what a job or a check would say.
    let (summary, _) = page.split_once("<section id=\"time\"").unwrap();
    for aside in summary.split("<p class=\"aside\">").skip(1) {
        assert!(aside.starts_with("Not looked at for "), "{}", aside.split('<').next().unwrap());
    }
    if let Some((_, unsure)) = page.split_once("<ul class=\"unsure\">") {
        let (unsure, _) = unsure.split_once("</ul>").unwrap();
        assert!(!unsure.contains(" failed: "), "{unsure}");
    }
    data(page);
}

#[test]
fn the_same_trace_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let (_, first) = page(folder.path(), &dataset("locks"), &[]);
    let (path, second) = page(folder.path(), &dataset("locks"), &[]);
    assert_eq!(first, second);
    is_sound(&first);
    let mode = fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "others can read it");
    for sentence in ["What stands out", "lock_contention", "Complete: of what was recorded"] {
        assert!(first.contains(sentence), "{sentence}");
    }
}

/// Each number on the page is that of the report, asked for with the command that the page gives.
#[test]
fn every_number_is_that_of_the_report() {
    let folder = tempfile::tempdir().unwrap();
    let mut compared = 0;
    for name in ["memory", "web"] {
        let trace = folder.path().join(name);
        ebrec(root(), &["encode", &dataset(name), "-o", trace.to_str().unwrap()]).ok();
        let (_, text) = page(folder.path(), name, &[]);
        let data = data(&text);
        let first: i64 = data["first"].as_str().unwrap().parse().unwrap();
        for (report, table) in data["tables"].as_object().unwrap() {
            let (_, rest) = text.split_once(&format!("data-report=\"{report}\"")).unwrap();
            let (_, rest) = rest.split_once("<code data-command>").unwrap();
            let command = unescaped(rest.split_once("</code>").unwrap().0);
            let words: Vec<&str> = command.split(' ').skip(1).collect();
            let answer = ebrec(folder.path(), &[&words[..], &["--format", "json"]].concat()).ok();
            let answer: Vec<Value> = serde_json::from_str(&answer).unwrap();
            assert_eq!(table["total"], json!(answer.len()), "{report}");
            for (row, object) in table["rows"].as_array().unwrap().iter().zip(&answer) {
                for (cell, column) in
                    row.as_array().unwrap().iter().zip(table["columns"].as_array().unwrap())
                {
                    let expected = &object[column[0].as_str().unwrap()];
                    compared += usize::from(cell.is_number());
                    assert!(
                        is_same(cell, expected, first),
                        "{name} {report} {column}: {cell} is not {expected}"
                    );
                }
            }
        }
    }
    assert!(compared > 1000, "{compared} numbers");
}

/// Whether a cell of the page is the value of a report. Texts are cut and escaped there, and are no numbers.
fn is_same(cell: &Value, expected: &Value, first: i64) -> bool {
    match (cell, expected) {
        (Value::Number(cell), Value::String(moment)) => {
            let moment = arrow::compute::kernels::cast_utils::string_to_timestamp_nanos(moment);
            moment.is_ok_and(|moment| cell.as_i64() == Some(moment - first))
        }
        (Value::Number(_), Value::Number(_)) => cell.as_f64() == expected.as_f64(),
        (Value::String(cell), Value::Number(expected)) => *cell == expected.to_string(),
        (Value::String(_), Value::String(_)) => true,
        (cell, expected) => cell == expected,
    }
}

/// What somebody may call a process, a file or a name that a page would obey.
const HOSTILE: [&str; 5] = [
    "</script><script>window.pwned=1</script>",
    "<img src=x onerror=window.pwned=1>",
    "\"><svg onload=window.pwned=1>",
    "{{ 7 * 7 }}{% raw %}",
    "=HYPERLINK(\"http://x\")\u{202e}\u{0007}\u{1b}[31m'",
];

/// A trace of a machine that wants to take over the page.
pub fn hostile(path: &Path) {
    synthetic::trace(path, &["processes", "syscalls", "network", "dns", "security"]);
    let text = |index: usize| HOSTILE[index % HOSTILE.len()];
    let ts = |index: usize| format!("2026-11-22T17:44:{:02}.5Z", 16 + index);
    let rows = |make: &dyn Fn(usize) -> Value| (0..10).map(make).collect::<Vec<_>>();
    let upid = |index: usize| 7 + index;
    synthetic::segment(
        path,
        "processes",
        1,
        &rows(&|index| {
            json!({"upid": upid(index), "pid": upid(index), "comm": text(index), "start_ts": ts(index), "end_ts": ts(index + 1), "argv": text(index + 1),
                   "exe": text(index + 2), "cwd": text(index), "exit_code": 1, "parent_upid": 6 + index})
        }),
    );
    synthetic::segment(
        path,
        "process_events",
        1,
        &rows(&|index| {
            json!({"ts": ts(index), "upid": upid(index), "pid": upid(index), "tid": upid(index), "comm": text(index), "event": "exec", "exe": "/",
                   "path": text(index), "argv": text(index + 1), "uid": 1000, "euid": 0})
        }),
    );
    synthetic::segment(
        path,
        "syscalls",
        1,
        &rows(&|index| {
            json!({"ts": ts(index), "upid": upid(index), "pid": upid(index), "tid": upid(index), "comm": text(index), "syscall": "openat",
                   "ret": -13, "error": "EACCES", "duration_ns": 500, "path": format!("/etc/shadow{}", text(index)), "address": text(index + 3)})
        }),
    );
    synthetic::segment(
        path,
        "connections",
        1,
        &rows(&|index| {
            json!({"ts": ts(index), "upid": upid(index), "pid": upid(index), "tid": upid(index), "comm": text(index), "protocol": "tcp",
                   "role": "client", "remote_address": text(index), "remote_port": 80, "local_port": 4000, "sent_bytes": 500, "received_bytes": 7,
                   "connection_id": index, "state": text(index), "error": text(index + 1)})
        }),
    );
    synthetic::segment(
        path,
        "dns",
        1,
        &rows(&|index| {
            json!({"ts": ts(index), "upid": upid(index), "pid": upid(index), "tid": upid(index), "comm": text(index), "kind": "query",
                   "name": text(index), "type": text(index + 1), "server_address": text(index), "id": index})
        }),
    );
    let manifest = fs::read_to_string(path.join("trace.json")).unwrap();
    let mut manifest: Value = serde_json::from_str(&manifest).unwrap();
    manifest["host"] = json!(HOSTILE[0]);
    manifest["kernel"] = json!(HOSTILE[1]);
    manifest["command"] = json!(["/bin/true", HOSTILE[2]]);
    manifest["sources"].as_array_mut().unwrap().push(json!(HOSTILE[0]));
    fs::write(path.join("trace.json"), manifest.to_string()).unwrap();
}

#[test]
fn what_a_hostile_machine_calls_things_stays_text() {
    let folder = tempfile::tempdir().unwrap();
    hostile(&folder.path().join("trace"));
    let (_, text) = page(folder.path(), "trace", &[]);
    is_sound(&text);
    for forbidden in
        ["<img src=x", "<svg onload", "<script>window", "\u{202e}", "\u{0007}", "\u{1b}"]
    {
        assert!(!text.contains(forbidden), "{forbidden:?}");
    }
    // It is there all the same, as text.
    assert!(
        text.contains("&lt;img src=x onerror=window.pwned=1&gt;") && text.contains("{{ 7 * 7 }}")
    );
    let data = data(&text);
    assert!(data["names"].as_array().unwrap().contains(&json!(HOSTILE[0])), "{}", data["names"]);
}

#[test]
fn traces_with_little_in_them_give_sensible_pages() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let page = |name: &str, options: &[&str]| {
        let (_, text) = page(folder.path(), name, options);
        is_sound(&text);
        text
    };
    // Nothing at all.
    synthetic::trace(&at("empty"), &["processes"]);
    synthetic::segment(&at("empty"), "segments", 1, &[]);
    let text = page("empty", &[]);
    assert!(text.contains("There are no events in it.") && !text.contains("id=\"lanes\""));

    // Two processes, and what was lost.
    synthetic::small(&at("small"));
    let text = page("small", &[]);
    assert!(text.contains("Incomplete: 1 of"), "no word of what was lost");
    assert!(text.contains("lower bounds"), "no word of what that means");
    assert!(text.contains("Who asks for memory") || text.contains("allocations was not recorded"));

    // A single family, of a day.
    synthetic::trace(&at("day"), &["processes", "dns"]);
    let rows: Vec<Value> = (0..24 * 60)
        .map(|minute| {
            let ts = format!("2026-11-22T{:02}:{:02}:07Z", minute / 60, minute % 60);
            json!({"ts": ts, "upid": 7, "pid": 7, "tid": 7, "comm": "resolver", "kind": "query", "name": "example.org.", "type": "A", "id": minute})
        })
        .collect();
    synthetic::segment(&at("day"), "dns", 1, &rows);
    synthetic::segment(
        &at("day"),
        "processes",
        1,
        &[json!({"upid": 7, "pid": 7, "comm": "resolver"})],
    );
    let ends = json!({"segment": 1, "kind": "dns", "stored": 1440, "emitted": 1440, "lost": 0, "closed": true,
                      "first_ts": "2026-11-22T00:00:07Z", "last_ts": "2026-11-22T23:59:07Z"});
    synthetic::segment(&at("day"), "segments", 1, &[ends]);
    let text = page("day", &[]);
    assert!(text.contains("23h 59m") && text.contains("Names that were asked for"), "not a day");
    assert!(text.contains("syscalls was not recorded"), "no word of what was not recorded");

    // Nearly a third lost.
    let args = ["synth", "--scenario", "mixed", "--events", "20000", "--loss", "30", "-o", "lossy"];
    let made = ebrec(folder.path(), &args);
    assert_eq!(made.code, 0, "{}", made.err);
    let text = page("lossy", &[]);
    assert!(
        text.contains("Incomplete: ") && text.contains("events were lost"),
        "no word of what was lost"
    );
}

#[test]
fn what_is_redacted_is_nowhere_in_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    hostile(&trace);
    let secret = [
        "s3cret-token-0815",
        "/home/alice/.ssh/id_rsa",
        "203.0.113.77",
        "2001:db8::77",
        "vault.corp.example",
    ];
    let ts = "2026-11-22T17:44:20Z";
    synthetic::segment(
        &trace,
        "processes",
        2,
        &[
            json!({"upid": 90, "pid": 90, "comm": "curl", "start_ts": ts, "exe": secret[1], "argv": format!("curl --token={} http://{}/x", secret[0], secret[4]), "cwd": "/home/alice"}),
        ],
    );
    synthetic::segment(
        &trace,
        "syscalls",
        2,
        &[
            json!({"ts": ts, "upid": 90, "pid": 90, "tid": 90, "comm": "curl", "syscall": "openat", "ret": 3, "duration_ns": 5, "path": secret[1],
                 "address": format!("{}:443", secret[2])}),
        ],
    );
    let connection = |address: &str, id: i64| {
        json!({"ts": ts, "upid": 90, "pid": 90, "tid": 90, "comm": "curl", "protocol": "tcp", "role": "client", "remote_address": address,
               "remote_port": 443, "local_port": 5000, "sent_bytes": 99_000_000, "received_bytes": 1, "connection_id": id, "error": "ECONNREFUSED"})
    };
    synthetic::segment(
        &trace,
        "connections",
        2,
        &[connection(secret[2], 91), connection(secret[3], 92)],
    );
    synthetic::segment(
        &trace,
        "dns",
        2,
        &[
            json!({"ts": ts, "upid": 90, "pid": 90, "tid": 90, "comm": "curl", "kind": "query", "name": format!("{}.", secret[4]), "type": "A", "id": 5}),
        ],
    );
    let (_, plain) = page(folder.path(), "trace", &[]);
    let (_, redacted) = page(folder.path(), "trace", &["--redact"]);
    is_sound(&redacted);
    let seen = |text: &str, secret: &str| unescaped(text).contains(secret);
    for secret in secret {
        assert!(seen(&plain, secret), "{secret} is not on the page anyway");
        assert!(!seen(&redacted, secret), "{secret} leaks");
    }
    for secret in ["alice", "corp.example", "s3cret"] {
        assert!(!seen(&redacted, secret), "{secret} leaks");
    }
    assert!(redacted.contains("address-1") && redacted.contains("were replaced by tokens"));
    let (_, again) = page(folder.path(), "trace", &["--redact"]);
    assert_eq!(redacted, again);
}

#[test]
fn a_file_is_replaced_only_when_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    synthetic::small(&folder.path().join("trace"));
    let kept = folder.path().join("kept.html");
    fs::write(&kept, "mine").unwrap();
    let check = |args: &[&str], expected: &str| {
        let error = ebrec(folder.path(), args).error();
        assert!(error.contains(expected) && error.lines().count() == 1, "{args:?}: {error}");
    };
    check(
        &["report", "--html", "kept.html"],
        "kept.html already exists: choose another file, or replace it with --force",
    );
    check(&["report", "--html", "trace", "--force"], "trace is not a file");
    check(&["report", "--html", "no/such/folder.html"], "cannot write no/such/folder.html");
    check(&["report", "--html", "new.html", "-t", "nowhere"], "nowhere");
    check(&["report", "--html", "new.html", "syscalls"], "cannot be used with");
    check(&["report", "--redact"], "--html");
    check(&["report", "--plot"], "a picture is of one report");
    check(&["report", "syscalls", "--svg", "kept.html"], "already exists");
    assert_eq!(fs::read_to_string(&kept).unwrap(), "mine");
    let strict = ebrec(folder.path(), &["report", "--html", "new.html", "--strict"]);
    assert_eq!(strict.code, 1, "{strict:?}");
    assert!(!folder.path().join("new.html").exists());
    let left: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn reports_are_drawn_in_letters_and_as_svg() {
    let folder = tempfile::tempdir().unwrap();
    let check = |dataset_: &str, report: &str, expected: &str| {
        let trace = dataset(dataset_);
        let plot = ebrec(folder.path(), &["report", report, "-t", &trace, "--plot"]).ok();
        assert!(plot.contains(expected), "{report}: {plot}");
        assert!(plot.lines().all(|line| line.chars().count() <= 100), "{report}: {plot}");
        let file = format!("{report}.svg");
        ebrec(folder.path(), &["report", report, "-t", &trace, "--svg", &file]).ok();
        let svg = fs::read_to_string(folder.path().join(&file)).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{report}");
        assert!(!svg.contains("<script"), "{report}");
    };
    // Bars, sparklines, a heat map, functions, a tree.
    check("locks", "runqueue_latency", "blocked");
    check("memory", "memory_growth", "█");
    check("web", "slow_syscalls", "µs");
    check("memory", "leaks", "100.0 %");
    check("compiler", "process_tree", "gcc");
    let hostile_trace = folder.path().join("trace");
    hostile(&hostile_trace);
    let plot = ebrec(folder.path(), &["report", "syscalls", "--by", "process", "--plot"]).ok();
    assert!(!plot.contains('\u{1b}') && !plot.contains('\u{202e}'), "{plot}");
    ebrec(folder.path(), &["report", "syscalls", "--by", "process", "--svg", "hostile.svg"]).ok();
    let svg = fs::read_to_string(folder.path().join("hostile.svg")).unwrap();
    assert!(!svg.contains("<script") && !svg.contains("<img"), "{svg}");
}

/// The status and the body of an answer.
fn ask(port: u16, path: &str, host: &str, method: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_string())
}

#[test]
fn a_page_is_shown_to_whoever_knows_its_address() {
    let folder = tempfile::tempdir().unwrap();
    synthetic::small(&folder.path().join("trace"));
    let mut served = command(folder.path(), &["view", "--no-open"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut address = String::new();
    BufReader::new(served.stdout.take().unwrap()).read_line(&mut address).unwrap();
    let (host, path) = address.trim().strip_prefix("http://").unwrap().split_once('/').unwrap();
    let port: u16 = host.strip_prefix("127.0.0.1:").unwrap().parse().unwrap();
    let (path, local) = (format!("/{path}"), format!("localhost:{port}"));
    let (status, body) = ask(port, &path, host, "GET");
    assert_eq!(status, 200);
    assert!(body.contains("What stands out"), "no page");
    assert_eq!(ask(port, &path, &local, "GET").0, 200);
    assert_eq!(ask(port, "/", host, "GET"), (404, String::new()));
    assert_eq!(ask(port, &path, "evil.example", "GET"), (403, String::new()));
    assert_eq!(ask(port, &path, host, "POST"), (405, String::new()));
    served.kill().unwrap();
    served.wait().unwrap();
    let error = ebrec(folder.path(), &["view", "--no-open", "-t", "nowhere"]).error();
    assert!(error.contains("nowhere"), "{error}");
}
