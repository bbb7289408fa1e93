//! Writes a trace and says what it took: `write SCENARIO EVENTS FOLDER [SEED [LOSS_PERCENT]]`.

use std::path::Path;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [scenario, events, folder, rest @ ..] = &args[..] else {
        return Err("usage: write SCENARIO EVENTS FOLDER [SEED [LOSS_PERCENT]]".into());
    };
    let mut options = synth::Options::new(scenario);
    (options.events, options.force) = (events.parse()?, true);
    if let Some(seed) = rest.first() {
        options.seed = seed.parse()?;
    }
    if let Some(percent) = rest.get(1) {
        options.loss_percent = percent.parse()?;
    }
    let begin = Instant::now();
    let written = synth::write(Path::new(folder), &options)?;
    println!(
        "{scenario}: {} events, {} lost, {} segments, {} bytes, {} facts, {:.2} s",
        written.stored,
        written.lost,
        written.segments,
        written.bytes,
        written.facts.len(),
        begin.elapsed().as_secs_f64()
    );
    let report = store::verify(&store::Trace::open(Path::new(folder))?)?;
    println!("{:?}", report.verdict);
    Ok(())
}
