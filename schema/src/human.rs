//! Spans of time and sizes as people read them.

/// A span of time: `850 ns`, `1.23 ms`, `12.4 s`, `2m 05s`, `3h 07m`, `2d 04h`.
pub fn duration(ns: i64) -> String {
    let sign = if ns < 0 { "-" } else { "" };
    let ns = ns.unsigned_abs();
    let seconds = ns / 1_000_000_000;
    let text = match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..999_500 => scaled(ns as f64 / 1e3, "µs"),
        999_500..999_500_000 => scaled(ns as f64 / 1e6, "ms"),
        999_500_000..60_000_000_000 => scaled(ns as f64 / 1e9, "s"),
        _ if seconds < 3_600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ if seconds < 86_400 => format!("{}h {:02}m", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{}d {:02}h", seconds / 86_400, seconds / 3_600 % 24),
    };
    format!("{sign}{text}")
}

/// A size: `512 B`, `1.23 MiB`.
pub fn bytes(n: i64) -> String {
    let sign = if n < 0 { "-" } else { "" };
    let n = n.unsigned_abs();
    if n < 1024 {
        return format!("{sign}{n} B");
    }
    let mut value = n as f64;
    let mut unit = "";
    for larger in ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] {
        // 999.5 and more would be written with four digits.
        if value < 999.5 {
            break;
        }
        value /= 1024.0;
        unit = larger;
    }
    format!("{sign}{}", scaled(value, unit))
}

/// Three significant digits.
fn scaled(value: f64, unit: &str) -> String {
    match value {
        value if value < 9.995 => format!("{value:.2} {unit}"),
        value if value < 99.95 => format!("{value:.1} {unit}"),
        value => format!("{value:.0} {unit}"),
    }
}

/// Digits in groups of three, for sentences.
pub fn grouped(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut out = String::from(if n < 0 { "-" } else { "" });
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits_and_a_unit() {
        let check = |ns: i64, expected: &str| assert_eq!(duration(ns), expected);
        check(0, "0 ns");
        check(999, "999 ns");
        check(1_234, "1.23 µs");
        check(999_499, "999 µs");
        check(999_999, "1.00 ms");
        check(12_345_678, "12.3 ms");
        check(59_990_000_000, "60.0 s");
        check(125_000_000_000, "2m 05s");
        check(11_220_000_000_000, "3h 07m");
        check(-1_500, "-1.50 µs");
        check(i64::MIN, "-106751d 23h");
    }

    #[test]
    fn sizes_have_three_digits_and_a_unit() {
        let check = |n: i64, expected: &str| assert_eq!(bytes(n), expected);
        check(0, "0 B");
        check(1023, "1023 B");
        check(1024, "1.00 KiB");
        check(1_289_748, "1.23 MiB");
        check(i64::MAX, "8.00 EiB");
    }
}
