//! Stacks: their outermost and innermost function, and what lies between.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanBuilder, StringViewArray, StringViewBuilder};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// What separates the functions in the text of a stack.
const SEPARATOR: char = ';';

/// `stack_contains`, `stack_cut`, `stack_leaf`, `stack_root`.
pub fn all() -> Vec<ScalarUDF> {
    let texts = |count| Signature::exact(vec![DataType::Utf8View; count], Volatility::Immutable);
    let part = |kind, count| ScalarUDF::new_from_impl(StackPart { kind, signature: texts(count) });
    let signature = Signature::user_defined(Volatility::Immutable);
    vec![
        ScalarUDF::new_from_impl(StackContains { signature }),
        part(Part::Cut, 2),
        part(Part::Leaf, 1),
        part(Part::Root, 1),
    ]
}

/// A function from the text of a stack to a part of it.
#[derive(Debug, PartialEq, Eq, Hash)]
struct StackPart {
    kind: Part,
    signature: Signature,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Part {
    Cut,
    Leaf,
    Root,
}

impl ScalarUDFImpl for StackPart {
    fn name(&self) -> &str {
        match self.kind {
            Part::Cut => "stack_cut",
            Part::Leaf => "stack_leaf",
            Part::Root => "stack_root",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let stacks = args.args[0].to_array(args.number_rows)?;
        let patterns = args.args.get(1).map(|arg| arg.to_array(args.number_rows)).transpose()?;
        let pattern = |row: usize| {
            let patterns = patterns.as_ref()?.as_string_view();
            patterns.is_valid(row).then(|| patterns.value(row))
        };
        let mut texts = StringViewBuilder::with_capacity(args.number_rows);
        for (row, stack) in stacks.as_string_view().iter().enumerate() {
            texts.append_option(stack.and_then(|stack| match self.kind {
                Part::Cut => cut(stack, pattern(row)?),
                Part::Leaf => stack.rsplit(SEPARATOR).next(),
                Part::Root => stack.split(SEPARATOR).next(),
            }));
        }
        Ok(ColumnarValue::Array(Arc::new(texts.finish())))
    }
}

/// A stack from the outermost function on that is like a pattern.
fn cut<'a>(stack: &'a str, pattern: &str) -> Option<&'a str> {
    let mut at = 0;
    for function in stack.split(SEPARATOR) {
        if is_like(function, pattern) {
            return Some(&stack[at..]);
        }
        at += function.len() + SEPARATOR.len_utf8();
    }
    None
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct StackContains {
    signature: Signature,
}

impl ScalarUDFImpl for StackContains {
    fn name(&self) -> &str {
        "stack_contains"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [frames @ DataType::List(_), DataType::Utf8 | DataType::Utf8View] => {
                Ok(vec![frames.clone(), DataType::Utf8View])
            }
            _ => Err(DataFusionError::Plan(
                "stack_contains takes the column `frames` of `stacks` and a pattern".to_string(),
            )),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let stacks = args.args[0].to_array(args.number_rows)?;
        let patterns = args.args[1].to_array(args.number_rows)?;
        let (stacks, patterns) = (stacks.as_list::<i32>(), patterns.as_string_view());
        let functions = stacks
            .values()
            .as_struct_opt()
            .and_then(|frames| frames.column_by_name("function"))
            .ok_or_else(|| DataFusionError::Execution("these are no frames".to_string()))?;
        let functions = cast(functions, &DataType::Utf8View)?;
        let functions: &StringViewArray = functions.as_string_view();
        let mut found = BooleanBuilder::with_capacity(stacks.len());
        for (row, pattern) in patterns.iter().enumerate() {
            found.append_option(pattern.filter(|_| stacks.is_valid(row)).map(|pattern| {
                let offsets = stacks.value_offsets();
                let mut frames = offsets[row] as usize..offsets[row + 1] as usize;
                frames.any(|frame| {
                    functions.is_valid(frame) && is_like(functions.value(frame), pattern)
                })
            }));
        }
        Ok(ColumnarValue::Array(Arc::new(found.finish())))
    }
}

/// Whether a text is LIKE a pattern: `%` is any text, `_` any character, `\` takes the next one as it
/// is. What follows the last `%` is tried from each place on, so that the time is the product of the
/// lengths at most.
fn is_like(text: &str, pattern: &str) -> bool {
    let (mut text, mut pattern) = (text.chars(), pattern.chars());
    let mut retry: Option<(std::str::Chars, std::str::Chars)> = None;
    loop {
        let before = text.clone();
        let is_match = match pattern.next() {
            Some('%') => {
                retry = Some((before, pattern.clone()));
                continue;
            }
            Some('_') => text.next().is_some(),
            Some('\\') => {
                let literal = pattern.next().unwrap_or('\\');
                text.next() == Some(literal)
            }
            Some(literal) => text.next() == Some(literal),
            None if text.as_str().is_empty() => return true,
            None => false,
        };
        if is_match {
            continue;
        }
        let Some((mut again, rest)) = retry.take() else { return false };
        if again.next().is_none() {
            return false;
        }
        (text, pattern) = (again.clone(), rest.clone());
        retry = Some((again, rest));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_like() {
        let check = |text: &str, pattern: &str, expected| {
            assert_eq!(is_like(text, pattern), expected, "{text} {pattern}");
        };
        check("malloc", "malloc", true);
        check("malloc", "mall", false);
        check("malloc", "mall%", true);
        check("malloc", "%", true);
        check("", "%", true);
        check("", "_", false);
        check("malloc", "m_ll_c", true);
        check("operator new(unsigned long)", "%new(%)", true);
        check("a%b", "a\\%b", true);
        check("axb", "a\\%b", false);
        check("abcabd", "%ab_d", false);
        check("abcabxd", "%ab_d", true);
        check("grüße", "gr__e", true);
        check(&"a".repeat(10_000), &"%a".repeat(20), true);
    }

    #[test]
    fn a_stack_is_cut_at_the_outermost_match() {
        assert_eq!(cut("main;run;step;run;leaf", "run"), Some("run;step;run;leaf"));
        assert_eq!(cut("main;leaf", "%f"), Some("leaf"));
        assert_eq!(cut("main;leaf", "other"), None);
    }
}
