//! How much of something there was in a second, over many seconds.
//!
//! Kept as counts of seconds by how much there was, so that two baselines can be put together; median and 99th
//! percentile follow from it to 12 %, the largest is exact. Seconds in which there was nothing are not counted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Numbers below this have a bucket each; above, each power of two has eight.
const EXACT: u64 = 16;

/// The distribution of a rate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Rate {
    /// Seconds, by the least number of their bucket.
    seconds: BTreeMap<u64, u64>,
    max: u64,
}

/// How it is written: with what follows from it, for people.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    windows: u64,
    #[serde(default)]
    median: u64,
    #[serde(default)]
    p99: u64,
    max: u64,
    /// Keys of a table are texts.
    buckets: BTreeMap<String, u64>,
}

impl TryFrom<Written> for Rate {
    type Error = String;

    fn try_from(written: Written) -> Result<Rate, String> {
        let mut rate = Rate { seconds: BTreeMap::new(), max: written.max };
        for (value, seconds) in written.buckets {
            let number =
                value.parse().map_err(|_| format!("the bucket \"{value}\" is no number"))?;
            rate.seconds.insert(bucket(number), seconds);
        }
        Ok(rate)
    }
}

impl From<Rate> for Written {
    fn from(rate: Rate) -> Written {
        Written {
            windows: rate.windows(),
            median: rate.quantile(50),
            p99: rate.quantile(99),
            max: rate.max,
            buckets: rate
                .seconds
                .iter()
                .map(|(value, count)| (value.to_string(), *count))
                .collect(),
        }
    }
}

impl Rate {
    /// Adds a second with so much in it.
    pub fn add(&mut self, value: u64) {
        *self.seconds.entry(bucket(value)).or_default() += 1;
        self.max = self.max.max(value);
    }

    /// Adds the seconds of another.
    pub fn merge(&mut self, other: &Rate) {
        for (value, seconds) in &other.seconds {
            let known = self.seconds.entry(*value).or_default();
            *known = known.saturating_add(*seconds);
        }
        self.max = self.max.max(other.max);
    }

    /// Seconds in which there was any.
    pub fn windows(&self) -> u64 {
        self.seconds.values().fold(0, |sum, seconds| sum.saturating_add(*seconds))
    }

    /// The largest.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The buckets: their least number, and how many seconds are in them.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        self.seconds.iter().map(|(value, seconds)| (*value, *seconds))
    }

    /// The value that so many percent of the seconds are not above, but for the width of a bucket.
    pub fn quantile(&self, percent: u8) -> u64 {
        let wanted = (u128::from(self.windows()) * u128::from(percent)).div_ceil(100).max(1);
        let mut so_far = 0u128;
        for (value, seconds) in &self.seconds {
            so_far += u128::from(*seconds);
            if so_far >= wanted {
                return *value;
            }
        }
        0
    }
}

/// The least number of the bucket that a number is in.
fn bucket(value: u64) -> u64 {
    if value < EXACT {
        return value;
    }
    let unused = value.ilog2() - 3;
    value >> unused << unused
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_follow_from_the_buckets() {
        let mut rate = Rate::default();
        (1..=1000).for_each(|value| rate.add(value));
        assert_eq!((rate.windows(), rate.max()), (1000, 1000));
        let median = rate.quantile(50);
        assert!((440..=500).contains(&median), "{median}");
        let p99 = rate.quantile(99);
        assert!((870..=990).contains(&p99), "{p99}");
        assert_eq!(Rate::default().quantile(50), 0);
        assert_eq!(bucket(u64::MAX), 15 << 60);
    }

    #[test]
    fn two_put_together_are_as_if_learned_at_once() {
        let (mut one, mut other, mut both) = (Rate::default(), Rate::default(), Rate::default());
        for value in [0, 3, 70, 5_000_000_000] {
            one.add(value);
            both.add(value);
        }
        for value in [3, 71, 9] {
            other.add(value);
            both.add(value);
        }
        one.merge(&other);
        assert_eq!(one, both);
    }

    #[test]
    fn it_is_written_with_what_people_look_for() {
        let mut rate = Rate::default();
        [1, 2, 2, 40].into_iter().for_each(|value| rate.add(value));
        let text = serde_json::to_string(&rate).unwrap();
        assert_eq!(
            text,
            r#"{"windows":4,"median":2,"p99":40,"max":40,"buckets":{"1":1,"2":2,"40":1}}"#
        );
        assert_eq!(serde_json::from_str::<Rate>(&text).unwrap(), rate);
    }
}
