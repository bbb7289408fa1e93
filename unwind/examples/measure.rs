//! Prints what `table` makes of files and how long it takes.

use std::time::Instant;

fn main() {
    for path in std::env::args().skip(1) {
        let file = std::fs::read(&path).expect("readable file");
        let start = Instant::now();
        match unwind::table(&file) {
            Ok(table) => {
                let took = start.elapsed();
                let mut kinds = [0; 7];
                table.rows.iter().for_each(|row| kinds[usize::from(row.kind.0)] += 1);
                let lost = table.rows.iter().filter(|row| row.fp_offset == unwind::FP_LOST).count();
                println!(
                    "{path}: {} rows in {took:?}, by kind {kinds:?}, rbp lost {lost}, {:?}, corrupt {:?}, truncated {}",
                    table.rows.len(),
                    table.text,
                    table.corrupt,
                    table.truncated
                );
            }
            Err(error) => println!("{path}: {error}"),
        }
    }
}
