//! Moments as people read them.

/// A moment as `2026-11-22 17:44:16.123456`, with nanoseconds where there are any.
pub fn moment(ns: i64) -> String {
    let (seconds, fraction) = (ns.div_euclid(1_000_000_000), ns.rem_euclid(1_000_000_000));
    let (year, month, day) = civil(seconds.div_euclid(86_400));
    let second = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    let date = format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}");
    match fraction % 1_000 {
        0 => format!("{date}.{:06}", fraction / 1_000),
        _ => format!("{date}.{fraction:09}"),
    }
}

/// Year, month and day of a day counted from 1970-01-01 in the Gregorian calendar.
///
/// Years begin in March here, so that the leap day is the last of its year.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
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
