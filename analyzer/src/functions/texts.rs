//! Functions on texts that checks are made of: paths, and how random a text looks.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Builder, StringArray, StringViewBuilder};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// A function from one text to something.
#[derive(Debug, PartialEq, Eq, Hash)]
struct OfText {
    kind: Kind,
    signature: Signature,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    BaseName,
    CleanPath,
    Entropy,
}

/// `base_name`, `clean_path`, `entropy`.
pub fn all() -> Vec<ScalarUDF> {
    [Kind::BaseName, Kind::CleanPath, Kind::Entropy]
        .into_iter()
        .map(|kind| {
            let signature = Signature::string(1, Volatility::Immutable);
            ScalarUDF::new_from_impl(OfText { kind, signature })
        })
        .collect()
}

impl ScalarUDFImpl for OfText {
    fn name(&self) -> &str {
        match self.kind {
            Kind::BaseName => "base_name",
            Kind::CleanPath => "clean_path",
            Kind::Entropy => "entropy",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.kind {
            Kind::BaseName | Kind::CleanPath => DataType::Utf8View,
            Kind::Entropy => DataType::Float64,
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let texts = args.args[0].to_array(args.number_rows)?;
        let texts = cast(&texts, &DataType::Utf8)?;
        let texts: &StringArray = texts.as_string();
        let made: ArrayRef = match self.kind {
            Kind::BaseName => made(texts, base_name),
            Kind::CleanPath => made(texts, clean_path),
            Kind::Entropy => {
                let mut numbers = Float64Builder::with_capacity(texts.len());
                texts.iter().for_each(|text| numbers.append_option(text.map(entropy)));
                Arc::new(numbers.finish())
            }
        };
        Ok(ColumnarValue::Array(made))
    }
}

fn made(texts: &StringArray, make: fn(&str) -> String) -> ArrayRef {
    let mut out = StringViewBuilder::with_capacity(texts.len());
    texts.iter().for_each(|text| out.append_option(text.map(make)));
    Arc::new(out.finish())
}

/// What is behind the last slash.
fn base_name(path: &str) -> String {
    path.rsplit('/').next().unwrap_or_default().to_string()
}

/// The path without `.`, `..`, doubled slashes and a slash at its end. Links are not known here: `a/../b` is taken
/// for `b`, as it is when `a` is a directory.
pub(crate) fn clean_path(path: &str) -> String {
    let is_absolute = path.starts_with('/');
    let is_clean = !path.contains("//") && !path.contains("/.") && !path.starts_with('.');
    if is_clean && !(path.len() > 1 && path.ends_with('/')) {
        return path.to_string();
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => _ = parts.pop(),
            ".." if is_absolute => {}
            _ => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (is_absolute, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_string(),
        (false, false) => joined,
    }
}

/// Shannon's entropy of the characters of a text, in bits for each: 0 for one that is repeated, about 4 for random
/// letters of the length of a name.
fn entropy(text: &str) -> f64 {
    let mut letters: Vec<char> = text.chars().collect();
    letters.sort_unstable();
    let count = letters.len() as f64;
    letters
        .chunk_by(|one, other| one == other)
        .map(|same| same.len() as f64 / count)
        .map(|share| -share * share.log2())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_as_the_kernel_would_walk_them() {
        let cases = [
            ("/etc/shadow", "/etc/shadow"),
            ("/etc/../etc//./shadow", "/etc/shadow"),
            ("/../../etc/shadow", "/etc/shadow"),
            ("./a/b/", "a/b"),
            ("../x", "../x"),
            ("a/..", "."),
            ("../../x", "../../x"),
            ("/", "/"),
            ("//", "/"),
            ("/home/.ssh/id", "/home/.ssh/id"),
            ("", ""),
        ];
        for (path, clean) in cases {
            assert_eq!(clean_path(path), clean, "{path}");
        }
    }

    #[test]
    fn the_last_part_is_the_name() {
        assert_eq!(base_name("/usr/bin/bash"), "bash");
        assert_eq!(base_name("bash"), "bash");
        assert_eq!(base_name("/usr/bin/"), "");
    }

    #[test]
    fn entropy_is_that_of_the_characters() {
        assert_eq!(entropy(""), 0.0);
        assert_eq!(entropy("aaaa"), 0.0);
        assert_eq!(entropy("abab"), 1.0);
        assert_eq!(entropy("abcdefgh"), 3.0);
    }
}
