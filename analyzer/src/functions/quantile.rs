//! `quantile`: an aggregate that keeps a histogram instead of all values.
//!
//! A value counts in a bucket whose width is 1/64 of its power of two: what is returned is the middle of
//! a bucket, less than 0.8 % from a value of that rank and never above the largest; numbers below 64 are exact. Memory is bound by the
//! range of the values, not by how many there are, and histograms of parts add up, so that the result does not
//! depend on how the work was split.

use std::mem::size_of;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder, BooleanArray, Int64Array};
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};
use datafusion::physical_expr::expressions::Literal;

/// Bits of a value that a bucket tells apart, below its highest.
const BITS: u32 = 6;

/// The aggregate.
pub fn quantile() -> AggregateUDF {
    let signature =
        Signature::exact(vec![DataType::Int64, DataType::Float64], Volatility::Immutable);
    AggregateUDF::new_from_impl(Quantile { signature })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Quantile {
    signature: Signature,
}

impl AggregateUDFImpl for Quantile {
    fn name(&self) -> &str {
        "quantile"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let name = format!("{}[histogram]", args.name);
        Ok(vec![Arc::new(Field::new(name, DataType::Binary, true))])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(One { histogram: Histogram::default(), rank: rank(&args)? }))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Groups { histograms: Vec::new(), rank: rank(&args)?, bytes: 0 }))
    }
}

/// The second argument, which is the same for all rows.
fn rank(args: &AccumulatorArgs) -> Result<f64> {
    let literal = args.exprs.get(1).and_then(|expr| expr.downcast_ref::<Literal>());
    match literal.map(Literal::value) {
        Some(ScalarValue::Float64(Some(rank))) if (0.0..=1.0).contains(rank) => Ok(*rank),
        _ => Err(DataFusionError::Plan(
            "the second argument of quantile is a number from 0 to 1, such as 0.99".to_string(),
        )),
    }
}

/// So many values are kept by their buckets: many groups have few values each, of a wide range.
const FEW: usize = 512;

/// What stands for the first bucket in the state of a histogram of few values.
const IS_FEW: u32 = u32::MAX;

/// How many values are in each bucket.
#[derive(Debug, Clone, Default, PartialEq)]
struct Histogram {
    /// The bucket of each value, as long as these are few.
    few: Vec<u16>,
    /// From the first bucket that has any value.
    counts: Vec<u64>,
    first: u32,
    max: i64,
}

/// The bucket of a value; negative ones count as 0.
fn bucket(value: i64) -> u32 {
    let value = value.max(0) as u64;
    if value < 1 << BITS {
        return value as u32;
    }
    let exponent = 63 - value.leading_zeros();
    let shift = exponent - BITS;
    ((shift + 1) << BITS) + ((value >> shift) as u32 - (1 << BITS))
}

/// The middle of a bucket.
fn middle(bucket: u32) -> i64 {
    if bucket < 1 << BITS {
        return i64::from(bucket);
    }
    let shift = (bucket >> BITS) - 1;
    let low = (u64::from(bucket & ((1 << BITS) - 1)) + (1 << BITS)) << shift;
    (low + (1 << shift) / 2) as i64
}

impl Histogram {
    fn add(&mut self, value: i64) {
        self.max = self.max.max(value);
        self.add_bucket(bucket(value));
    }

    fn add_bucket(&mut self, bucket: u32) {
        // All fit: there are not 4,000.
        match u16::try_from(bucket) {
            Ok(bucket) if self.counts.is_empty() && self.few.len() < FEW => self.few.push(bucket),
            _ => self.count(bucket, 1),
        }
    }

    fn count(&mut self, bucket: u32, count: u64) {
        for few in std::mem::take(&mut self.few) {
            self.count_many(u32::from(few), 1);
        }
        self.count_many(bucket, count);
    }

    fn count_many(&mut self, bucket: u32, count: u64) {
        if self.counts.is_empty() {
            self.first = bucket;
        }
        if bucket < self.first {
            let room = (self.first - bucket) as usize;
            self.counts.splice(0..0, std::iter::repeat_n(0, room));
            self.first = bucket;
        }
        let index = (bucket - self.first) as usize;
        if index >= self.counts.len() {
            self.counts.resize(index + 1, 0);
        }
        self.counts[index] += count;
    }

    /// The value below which a share of the values lies; none if there are none.
    fn quantile(&self, rank: f64) -> Option<i64> {
        let all = self.few.len() as u64 + self.counts.iter().sum::<u64>();
        let wanted = ((rank * all as f64).ceil() as u64).clamp(1, all.max(1));
        if !self.few.is_empty() {
            let mut few = self.few.clone();
            let (_, bucket, _) = few.select_nth_unstable(wanted as usize - 1);
            return Some(middle(u32::from(*bucket)).min(self.max));
        }
        let mut seen = 0;
        for (bucket, count) in (self.first..).zip(&self.counts) {
            seen += count;
            if seen >= wanted {
                return Some(middle(bucket).min(self.max));
            }
        }
        None
    }

    fn bytes(&self) -> usize {
        self.few.capacity() * size_of::<u16>() + self.counts.capacity() * size_of::<u64>()
    }

    fn to_state(&self) -> Vec<u8> {
        let first = if self.few.is_empty() { self.first } else { IS_FEW };
        let mut state = first.to_le_bytes().to_vec();
        state.extend(self.max.to_le_bytes());
        state.extend(self.few.iter().flat_map(|bucket| bucket.to_le_bytes()));
        state.extend(self.counts.iter().flat_map(|count| count.to_le_bytes()));
        state
    }

    fn merge(&mut self, state: &[u8]) -> Result<()> {
        let wrong = || DataFusionError::Internal("no histogram".to_string());
        let (first, rest) = state.split_first_chunk::<4>().ok_or_else(wrong)?;
        let (max, counts) = rest.split_first_chunk::<8>().ok_or_else(wrong)?;
        self.max = self.max.max(i64::from_le_bytes(*max));
        let first = u32::from_le_bytes(*first);
        if first == IS_FEW {
            let few = counts.as_chunks::<2>().0.iter().map(|bytes| u16::from_le_bytes(*bytes));
            few.for_each(|bucket| self.add_bucket(u32::from(bucket)));
            return Ok(());
        }
        let counts = counts.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes));
        for (bucket, count) in (first..).zip(counts) {
            if count > 0 {
                self.count(bucket, count);
            }
        }
        Ok(())
    }
}

/// Without groups.
#[derive(Debug)]
struct One {
    histogram: Histogram,
    rank: f64,
}

impl Accumulator for One {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = values[0].as_primitive::<Int64Type>();
        values.iter().flatten().for_each(|value| self.histogram.add(value));
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Int64(self.histogram.quantile(self.rank)))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.histogram.bytes()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::Binary(Some(self.histogram.to_state()))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        states[0]
            .as_binary::<i32>()
            .iter()
            .flatten()
            .try_for_each(|state| self.histogram.merge(state))
    }
}

/// A histogram for each group.
#[derive(Debug)]
struct Groups {
    histograms: Vec<Histogram>,
    rank: f64,
    bytes: usize,
}

impl Groups {
    /// Changes the histogram of a group, and keeps count of the memory.
    fn change<T>(&mut self, group: usize, change: impl FnOnce(&mut Histogram) -> T) -> T {
        let histogram = &mut self.histograms[group];
        let before = histogram.bytes();
        let result = change(histogram);
        self.bytes += histogram.bytes().saturating_sub(before);
        result
    }

    fn emit(&mut self, emit: EmitTo) -> Vec<Histogram> {
        let histograms = emit.take_needed(&mut self.histograms);
        let gone: usize = histograms.iter().map(Histogram::bytes).sum();
        self.bytes = self.bytes.saturating_sub(gone);
        histograms
    }
}

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        count: usize,
    ) -> Result<()> {
        self.histograms.resize(count, Histogram::default());
        let values = values[0].as_primitive::<Int64Type>();
        let is_wanted =
            |row: usize| filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        for (row, group) in groups.iter().enumerate() {
            if values.is_valid(row) && is_wanted(row) {
                self.change(*group, |histogram| histogram.add(values.value(row)));
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], count: usize) -> Result<()> {
        self.histograms.resize(count, Histogram::default());
        let states = states[0].as_binary::<i32>();
        for (row, group) in groups.iter().enumerate().filter(|(row, _)| states.is_valid(*row)) {
            self.change(*group, |histogram| histogram.merge(states.value(row)))?;
        }
        Ok(())
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        let rank = self.rank;
        let values = self.emit(emit).into_iter().map(|histogram| histogram.quantile(rank));
        Ok(Arc::new(values.collect::<Int64Array>()))
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let mut states = BinaryBuilder::new();
        self.emit(emit).iter().for_each(|histogram| states.append_value(histogram.to_state()));
        Ok(vec![Arc::new(states.finish())])
    }

    /// A histogram of each row, for when groups are so many that nothing is gained by grouping early.
    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let values = values[0].as_primitive::<Int64Type>();
        let mut states = BinaryBuilder::new();
        for row in 0..values.len() {
            let is_wanted = filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
            if is_wanted && values.is_valid(row) {
                let mut histogram = Histogram::default();
                histogram.add(values.value(row));
                states.append_value(histogram.to_state());
            } else {
                states.append_null();
            }
        }
        Ok(vec![Arc::new(states.finish())])
    }

    fn size(&self) -> usize {
        self.histograms.capacity() * size_of::<Histogram>() + self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_narrow() {
        for value in (0..64).map(|bit| (1i64 << bit.min(62)) + bit * 7).chain(0..5000) {
            let error = (middle(bucket(value)) - value).unsigned_abs() as f64;
            assert!(error <= 0.008 * value as f64, "{value}: {}", middle(bucket(value)));
        }
        assert_eq!(middle(bucket(-5)), 0);
        assert!(middle(bucket(i64::MAX)) > 0);
    }

    #[test]
    fn parts_add_up() {
        let (mut all, mut one, mut two) =
            (Histogram::default(), Histogram::default(), Histogram::default());
        for value in 1..=1000i64 {
            all.add(value * 1000);
            let part = if value % 3 == 0 { &mut one } else { &mut two };
            part.add(value * 1000);
        }
        // Of few values and of many, whichever is added to the other.
        assert!(!one.few.is_empty() && two.few.is_empty());
        let mut other = two.clone();
        other.merge(&one.to_state()).unwrap();
        assert_eq!(other, all);
        one.merge(&two.to_state()).unwrap();
        assert_eq!(one.quantile(0.5), all.quantile(0.5));
        assert_eq!(one.quantile(1.0), all.quantile(1.0));
        assert_eq!(all.quantile(1.0), Some(1_000_000));
        let median = all.quantile(0.5).unwrap();
        assert!((median - 500_000).abs() < 4_000, "{median}");
        assert_eq!(Histogram::default().quantile(0.5), None);
    }

    #[test]
    fn few_values_count_like_many() {
        let (mut few, mut many) = (Histogram::default(), Histogram::default());
        for value in 0..300i64 {
            few.add(value * value * 1000);
            many.count(bucket(value * value * 1000), 1);
        }
        many.max = few.max;
        assert!(few.counts.is_empty() && many.few.is_empty());
        for rank in [0.0, 0.01, 0.5, 0.9, 0.99, 1.0] {
            assert_eq!(few.quantile(rank), many.quantile(rank), "{rank}");
        }
    }
}
