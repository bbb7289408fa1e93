//! `ebrec view`: the page in a browser, served to this machine only.

use std::io::Write;
use std::process::ExitCode;

use analyzer::{Session, SessionOptions};
use anyhow::{Context, Result, anyhow};
use tiny_http::{Header, Method, Request, Response, Server};

use super::report::web;
use crate::filter::Part;
use crate::output;
use crate::traces::{self, Traces};

const EXAMPLES: &str = "\
Examples:
  ebrec view                     the trace in the folder `trace`
  ebrec view -t before -t after  two as one data set
  ebrec view --no-open           print the address only, as for a tunnel of ssh";

/// Bytes of the secret in the address.
const TOKEN_BYTES: usize = 16;

/// Show the page of `ebrec report --html` in a browser
///
/// The page is made, served at an address of this machine (127.0.0.1), and opened where there is a desktop; Ctrl-C ends
/// it. The address has a secret in it, so that other users of the machine and pages that are open in the browser do
/// not find it. Nothing is written.
#[derive(clap::Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    traces: Traces,

    #[command(flatten)]
    part: Part,

    /// Port to serve at; 0 for one that is free
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,

    /// Do not open a browser
    #[arg(long)]
    no_open: bool,

    /// Replace arguments, paths, addresses and names of machines by tokens: see `ebrec help report`
    #[arg(long)]
    redact: bool,

    /// Memory that a report may use, in MiB; beyond it, sorts use temporary files
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    memory: usize,
}

/// Makes the page and serves it until somebody ends that.
pub fn run(args: Args, before: &Traces) -> Result<ExitCode> {
    // Before the work, which takes a while.
    let server = Server::http(("127.0.0.1", args.port))
        .map_err(|error| anyhow!("cannot serve at port {}: {error}", args.port))?;
    let port = server.server_addr().to_ip().map(|address| address.port()).context("no port")?;
    let options = SessionOptions {
        memory_bytes: args.memory.saturating_mul(1 << 20),
        filter: args.part.filter(),
        ..Default::default()
    };
    let mut session = Session::open(traces::open(&args.traces.paths(before))?, options)?;
    let typed = before.and(&args.traces).typed();
    let html = web::make(&mut session, &[], typed, args.redact)?.html;
    drop(session);
    let token = token()?;
    let address = format!("http://127.0.0.1:{port}/{token}/");
    let mut out = output::stdout();
    writeln!(out, "{address}")?;
    out.flush()?;
    eprintln!("The page is there until Ctrl-C.");
    if !args.no_open && has_desktop() {
        // Whoever has no browser after all has the address.
        let _ = open::that_detached(&address);
    }
    let path = format!("/{token}/");
    let hosts = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
    for request in server.incoming_requests() {
        // Whoever goes away without reading does not end this.
        let _ = answer(request, &path, &hosts, &html);
    }
    Ok(ExitCode::SUCCESS)
}

/// A secret that nobody guesses.
fn token() -> Result<String> {
    let mut bytes = [0u8; TOKEN_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| anyhow!("cannot make a secret: {error}"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Whether a browser could be shown.
fn has_desktop() -> bool {
    cfg!(not(target_os = "linux"))
        || ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| std::env::var_os(name).is_some())
}

/// Answers with the page whoever knows its address, under a name of this machine: a page elsewhere whose name is
/// made to lead here is not told anything.
fn answer(request: Request, path: &str, hosts: &[String], html: &str) -> std::io::Result<()> {
    let header = |wanted: &str| {
        let mut headers = request.headers().iter();
        headers.find(|header| header.field.as_str().as_str().eq_ignore_ascii_case(wanted))
    };
    let host = header("Host").map(|header| header.value.as_str().to_string());
    let is_own = host.is_some_and(|host| hosts.contains(&host));
    let is_read = matches!(request.method(), Method::Get | Method::Head);
    let status = match (is_own, request.url() == path, is_read) {
        (false, _, _) => 403,
        (_, false, _) => 404,
        (_, _, false) => 405,
        _ => 200,
    };
    let body = if status == 200 { html } else { "" };
    let mut response = Response::from_string(body).with_status_code(status);
    for (name, value) in HEADERS {
        if let Ok(header) = Header::from_bytes(name, value) {
            response.add_header(header);
        }
    }
    request.respond(response)
}

/// The page is shown, kept nowhere, and put into no other page.
const HEADERS: [(&str, &str); 6] = [
    ("Content-Type", "text/html; charset=utf-8"),
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "frame-ancestors 'none'"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
];
