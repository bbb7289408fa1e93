//! What SQL gets to tell what is the same each time: patterns of paths, names of programs.

use std::sync::Arc;

use arrow::array::{AsArray, StringViewBuilder};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::patterns;

/// A function from texts to the text that stands for those like it.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Pattern {
    kind: Kind,
    signature: Signature,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Path,
    Program,
}

/// `path_pattern`, `program_name`.
pub fn all() -> Vec<ScalarUDF> {
    [(Kind::Path, 1), (Kind::Program, 2)]
        .into_iter()
        .map(|(kind, count)| {
            let signature = Signature::string(count, Volatility::Immutable);
            ScalarUDF::new_from_impl(Pattern { kind, signature })
        })
        .collect()
}

impl ScalarUDFImpl for Pattern {
    fn name(&self) -> &str {
        match self.kind {
            Kind::Path => "path_pattern",
            Kind::Program => "program_name",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let texts = |index: usize| {
            let array = args.args[index].to_array(args.number_rows)?;
            Ok::<_, datafusion::error::DataFusionError>(cast(&array, &DataType::Utf8)?)
        };
        let first = texts(0)?;
        let mut out = StringViewBuilder::with_capacity(args.number_rows);
        match self.kind {
            Kind::Path => first
                .as_string::<i32>()
                .iter()
                .for_each(|path| out.append_option(path.map(patterns::path))),
            Kind::Program => {
                let second = texts(1)?;
                let (exes, names) = (first.as_string::<i32>(), second.as_string::<i32>());
                for (exe, name) in exes.iter().zip(names.iter()) {
                    out.append_value(patterns::program(exe, name));
                }
            }
        }
        Ok(ColumnarValue::Array(Arc::new(out.finish())))
    }
}
