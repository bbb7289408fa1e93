//! Parameters of SQL: `$name` in the text, a value given by people.
//!
//! Values are put into the parsed statement as literals, never into its text.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, ExactNumberInfo, Expr, Value as SqlValue, visit_expressions,
    visit_expressions_mut,
};

use crate::error::Error;

/// A parameter as a header declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// Its name; `$name` in SQL.
    pub name: String,
    /// What its values are.
    pub kind: ParamKind,
    /// Its value when none is given; none is NULL.
    pub default: Option<String>,
    /// The only values there are; none when all of the kind are.
    pub choices: Vec<String>,
    /// What it means.
    pub doc: String,
}

/// What the values of a parameter are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamKind {
    /// Any text.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// A span of time such as `10ms`; in SQL, nanoseconds.
    Duration,
    /// A size such as `64KiB`; in SQL, bytes.
    Bytes,
    /// `true` or `false`.
    Bool,
}

impl ParamKind {
    const NAMES: [(&'static str, ParamKind); 6] = [
        ("text", ParamKind::Text),
        ("integer", ParamKind::Integer),
        ("number", ParamKind::Number),
        ("duration", ParamKind::Duration),
        ("bytes", ParamKind::Bytes),
        ("bool", ParamKind::Bool),
    ];

    pub(crate) fn by_name(name: &str) -> Option<ParamKind> {
        ParamKind::NAMES.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }

    pub(crate) fn names() -> String {
        ParamKind::NAMES.map(|(name, _)| name).join(", ")
    }

    /// Its name in headers.
    pub fn name(self) -> &'static str {
        ParamKind::NAMES.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    fn sql_type(self) -> DataType {
        match self {
            ParamKind::Text => DataType::Varchar(None),
            ParamKind::Number => DataType::Double(ExactNumberInfo::None),
            ParamKind::Bool => DataType::Boolean,
            ParamKind::Integer | ParamKind::Duration | ParamKind::Bytes => DataType::BigInt(None),
        }
    }
}

/// A value of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Text.
    Text(String),
    /// A whole number; a duration in nanoseconds; a size in bytes.
    Integer(i64),
    /// A number.
    Number(f64),
    /// Yes or no.
    Bool(bool),
    /// Nothing was given.
    Null(ParamKind),
}

/// Values by the names of their parameters.
pub type Values = BTreeMap<String, Value>;

impl Param {
    /// Reads a value. An error says what was expected.
    pub fn value(&self, text: &str) -> Result<Value, String> {
        let expected = |what: &str| format!("expected {what}, not \"{text}\"");
        if !self.choices.is_empty() && !self.choices.iter().any(|choice| choice == text) {
            return Err(expected(&self.choices.join(", ")));
        }
        match self.kind {
            ParamKind::Text => Ok(Value::Text(text.to_string())),
            ParamKind::Integer => {
                text.parse().map(Value::Integer).map_err(|_| expected("a whole number"))
            }
            ParamKind::Number => match text.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(Value::Number(number)),
                _ => Err(expected("a number")),
            },
            ParamKind::Bool => text.parse().map(Value::Bool).map_err(|_| expected("true or false")),
            ParamKind::Duration => humantime::parse_duration(text)
                .ok()
                .and_then(|duration| i64::try_from(duration.as_nanos()).ok())
                .map(Value::Integer)
                .ok_or_else(|| expected("a span of time such as 10ms")),
            ParamKind::Bytes => text
                .parse::<bytesize::ByteSize>()
                .ok()
                .and_then(|size| i64::try_from(size.as_u64()).ok())
                .map(Value::Integer)
                .ok_or_else(|| expected("a size such as 64KiB")),
        }
    }

    /// What its values are, for people: its type, or the values there are.
    pub fn type_name(&self) -> String {
        match self.choices.is_empty() {
            true => self.kind.name().to_string(),
            false => self.choices.join("|"),
        }
    }

    /// The value it has when none is given.
    pub fn default_value(&self) -> Value {
        let value = self.default.as_deref().and_then(|text| self.value(text).ok());
        value.unwrap_or(Value::Null(self.kind))
    }
}

impl Value {
    fn literal(&self) -> Expr {
        let number = |text: String| Expr::Value(SqlValue::Number(text, false).into());
        let cast = |expr: Expr, kind: ParamKind| Expr::Cast {
            kind: CastKind::Cast,
            expr: Box::new(expr),
            data_type: kind.sql_type(),
            array: false,
            format: None,
        };
        match self {
            Value::Text(text) => Expr::Value(SqlValue::SingleQuotedString(text.clone()).into()),
            Value::Integer(n) => number(n.to_string()),
            Value::Number(n) => cast(number(n.to_string()), ParamKind::Number),
            Value::Bool(b) => Expr::Value(SqlValue::Boolean(*b).into()),
            Value::Null(kind) => cast(Expr::Value(SqlValue::Null.into()), *kind),
        }
    }
}

/// The name of a parameter, if an expression is one.
fn name(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(value) => match &value.value {
            SqlValue::Placeholder(name) => Some(name.strip_prefix('$').unwrap_or(name)),
            _ => None,
        },
        _ => None,
    }
}

/// The names of the parameters of a statement, each once, sorted.
pub fn names(statement: &Statement) -> Vec<String> {
    let mut names = Vec::new();
    if let Statement::Statement(sql) = statement {
        let _ = visit_expressions(sql, |expr| {
            names.extend(name(expr).map(str::to_string));
            ControlFlow::<()>::Continue(())
        });
    }
    names.sort();
    names.dedup();
    names
}

/// Puts the values in the place of their parameters.
pub fn bind(statement: &mut Statement, values: &Values) -> Result<(), Error> {
    let Statement::Statement(sql) = statement else { return Ok(()) };
    let outcome = visit_expressions_mut(sql, |expr| {
        let Some(name) = name(expr) else { return ControlFlow::Continue(()) };
        match values.get(name) {
            Some(value) => {
                *expr = value.literal();
                ControlFlow::Continue(())
            }
            None => ControlFlow::Break(name.to_string()),
        }
    });
    match outcome {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(name) => {
            Err(Error::Param { name: format!("${name}"), reason: "it has no value".into() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement;

    #[test]
    fn a_value_stays_a_value() {
        let sql = "SELECT $a, x FROM t WHERE y = $b AND z > $c LIMIT $d";
        let mut query = statement::parse(sql).unwrap().remove(0);
        assert_eq!(names(&query.statement), ["a", "b", "c", "d"]);
        let values = Values::from([
            ("a".to_string(), Value::Null(ParamKind::Bytes)),
            ("b".to_string(), Value::Text("'; DROP TABLE t; --".to_string())),
            ("c".to_string(), Value::Number(0.5)),
            ("d".to_string(), Value::Integer(-3)),
        ]);
        bind(&mut query.statement, &values).unwrap();
        assert_eq!(
            query.statement.to_string(),
            "SELECT CAST(NULL AS BIGINT), x FROM t WHERE y = '''; DROP TABLE t; --' \
             AND z > CAST(0.5 AS DOUBLE) LIMIT -3"
        );
    }

    #[test]
    fn values_are_read_by_their_kind() {
        let check = |kind, text: &str, expected| {
            let param = Param {
                name: "x".into(),
                kind,
                default: None,
                choices: Vec::new(),
                doc: String::new(),
            };
            assert_eq!(param.value(text).ok(), expected, "{text}");
        };
        check(ParamKind::Duration, "1500us", Some(Value::Integer(1_500_000)));
        check(ParamKind::Duration, "5", None);
        check(ParamKind::Bytes, "64KiB", Some(Value::Integer(65_536)));
        check(ParamKind::Number, "inf", None);
        check(ParamKind::Integer, "1.5", None);
        check(ParamKind::Bool, "true", Some(Value::Bool(true)));
    }
}
