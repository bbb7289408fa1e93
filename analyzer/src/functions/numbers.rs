//! Numbers as text.

use std::sync::Arc;

use arrow::array::{AsArray, StringViewBuilder};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use schema::human;

/// A function from a whole number to text.
#[derive(Debug, PartialEq, Eq, Hash)]
struct NumberText {
    kind: Kind,
    signature: Signature,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Hex,
    Bytes,
    Duration,
}

/// `hex`, `human_bytes`, `human_duration`.
pub fn all() -> Vec<ScalarUDF> {
    [Kind::Hex, Kind::Bytes, Kind::Duration]
        .into_iter()
        .map(|kind| {
            let signature = Signature::exact(vec![DataType::Int64], Volatility::Immutable);
            ScalarUDF::new_from_impl(NumberText { kind, signature })
        })
        .collect()
}

impl ScalarUDFImpl for NumberText {
    fn name(&self) -> &str {
        match self.kind {
            Kind::Hex => "hex",
            Kind::Bytes => "human_bytes",
            Kind::Duration => "human_duration",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let numbers = args.args[0].to_array(args.number_rows)?;
        let numbers = numbers.as_primitive::<Int64Type>();
        let mut texts = StringViewBuilder::with_capacity(args.number_rows);
        for number in numbers {
            texts.append_option(number.map(|number| match self.kind {
                Kind::Hex => format!("{number:#x}"),
                Kind::Bytes => human::bytes(number),
                Kind::Duration => human::duration(number),
            }));
        }
        Ok(ColumnarValue::Array(Arc::new(texts.finish())))
    }
}
