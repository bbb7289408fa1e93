//! Moments as people read them.

use arrow::temporal_conversions::timestamp_ns_to_datetime;

/// A moment in UTC as `2026-11-22 17:44:16.123456`, with nanoseconds where there are any.
pub fn moment(ns: i64) -> String {
    let format = if ns % 1_000 == 0 { "%F %T%.6f" } else { "%F %T%.9f" };
    // Every count of nanoseconds is a moment.
    timestamp_ns_to_datetime(ns)
        .map_or_else(|| ns.to_string(), |moment| moment.format(format).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_have_micro_or_nanoseconds() {
        let check = |ns: i64, expected: &str| assert_eq!(moment(ns), expected);
        check(0, "1970-01-01 00:00:00.000000");
        check(951_782_400_000_000_001, "2000-02-29 00:00:00.000000001");
        check(1_795_369_456_123_456_000, "2026-11-22 17:44:16.123456");
        check(-1, "1969-12-31 23:59:59.999999999");
    }
}
