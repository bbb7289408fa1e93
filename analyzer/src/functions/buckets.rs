//! Buckets of time and of size, and how far intervals overlap.

use std::sync::Arc;

use arrow::array::{Array, AsArray, Int64Builder, TimestampNanosecondBuilder};
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampNanosecondType};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

fn moment() -> DataType {
    DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()))
}

/// `log2_bucket`, `overlap_ns`, `time_bucket`.
pub fn all() -> Vec<ScalarUDF> {
    let function = |kind, types: Vec<DataType>| {
        let signature = Signature::exact(types, Volatility::Immutable);
        ScalarUDF::new_from_impl(Bucket { kind, signature })
    };
    let number = DataType::Int64;
    vec![
        function(Kind::Log2, vec![number.clone()]),
        function(Kind::Overlap, vec![moment(), number.clone(), moment(), number.clone()]),
        function(Kind::Time, vec![moment(), number]),
    ]
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Bucket {
    kind: Kind,
    signature: Signature,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Log2,
    Overlap,
    Time,
}

impl ScalarUDFImpl for Bucket {
    fn name(&self) -> &str {
        match self.kind {
            Kind::Log2 => "log2_bucket",
            Kind::Overlap => "overlap_ns",
            Kind::Time => "time_bucket",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.kind {
            Kind::Time => moment(),
            Kind::Log2 | Kind::Overlap => DataType::Int64,
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let columns = args.args.iter().map(|arg| arg.to_array(rows)).collect::<Result<Vec<_>>>()?;
        let number = |column: usize, row: usize| {
            let column = columns[column].as_primitive::<Int64Type>();
            column.is_valid(row).then(|| column.value(row))
        };
        let time = |column: usize, row: usize| {
            let column = columns[column].as_primitive::<TimestampNanosecondType>();
            column.is_valid(row).then(|| column.value(row))
        };
        if self.kind == Kind::Time {
            let mut moments = TimestampNanosecondBuilder::with_capacity(rows);
            for row in 0..rows {
                let width = number(1, row).filter(|width| *width > 0);
                moments.append_option(
                    time(0, row)
                        .zip(width)
                        .map(|(ts, width)| ts.div_euclid(width).saturating_mul(width)),
                );
            }
            return Ok(ColumnarValue::Array(Arc::new(moments.finish().with_timezone("UTC"))));
        }
        let mut numbers = Int64Builder::with_capacity(rows);
        for row in 0..rows {
            numbers.append_option(match self.kind {
                Kind::Log2 => number(0, row).map(|n| if n < 1 { 0 } else { 1 << n.ilog2() }),
                _ => overlap((time(0, row), number(1, row)), (time(2, row), number(3, row))),
            });
        }
        Ok(ColumnarValue::Array(Arc::new(numbers.finish())))
    }
}

/// How long two intervals go on at once; one without a length has not ended.
fn overlap(one: (Option<i64>, Option<i64>), other: (Option<i64>, Option<i64>)) -> Option<i64> {
    let (one_from, other_from) = (one.0?, other.0?);
    let end =
        |from: i64, length: Option<i64>| length.map_or(i64::MAX, |ns| from.saturating_add(ns));
    let until = end(one_from, one.1).min(end(other_from, other.1));
    Some(until.saturating_sub(one_from.max(other_from)).max(0))
}

#[cfg(test)]
mod tests {
    use super::overlap;

    #[test]
    fn intervals_overlap_where_both_go_on() {
        let check = |one, other, expected| assert_eq!(overlap(one, other), expected);
        check((Some(0), Some(10)), (Some(5), Some(10)), Some(5));
        check((Some(0), Some(5)), (Some(5), Some(10)), Some(0));
        check((Some(0), Some(5)), (Some(7), None), Some(0));
        check((Some(0), None), (Some(7), Some(3)), Some(3));
        check((None, Some(5)), (Some(7), None), None);
    }
}
