//! Parses SQL, and refuses what does more than read.

use std::sync::Arc;

use datafusion::error::DataFusionError;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;
use datafusion::sql::sqlparser::dialect::GenericDialect;

use crate::error::Error;
use crate::params::{self, Values};

/// A text as a literal of SQL.
pub(crate) fn text_literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// One parsed SQL statement.
#[derive(Debug, Clone)]
pub struct Query {
    pub(crate) statement: Statement,
    /// All the SQL that it was written in, in which errors have their places.
    pub(crate) sql: Arc<str>,
}

impl Query {
    /// The names of its parameters, `$name` in SQL, each once, sorted.
    pub fn params(&self) -> Vec<String> {
        params::names(&self.statement)
    }

    /// Puts values in the place of its parameters.
    pub fn bind(&mut self, values: &Values) -> Result<(), Error> {
        params::bind(&mut self.statement, values)
    }

    /// Whether its rows are sorted.
    pub fn is_ordered(&self) -> bool {
        match &self.statement {
            Statement::Statement(sql) => {
                matches!(sql.as_ref(), SqlStatement::Query(query) if query.order_by.is_some())
            }
            _ => false,
        }
    }
}

/// The statements of `sql`, which semicolons separate.
pub fn parse(sql: &str) -> Result<Vec<Query>, DataFusionError> {
    let mut parser = DFParserBuilder::new(sql).with_dialect(&GenericDialect {}).build()?;
    let sql: Arc<str> = sql.into();
    let statements = parser.parse_statements()?.into_iter().map(|statement| {
        let is_list =
            matches!(&statement, Statement::Statement(sql) if sql.to_string() == "SHOW TABLES");
        if is_list { show_tables() } else { Ok(statement) }
    });
    statements.map(|statement| Ok(Query { statement: statement?, sql: sql.clone() })).collect()
}

/// `SHOW TABLES`: the engine's own has its internal tables and the inputs of views too, in no order.
fn show_tables() -> Result<Statement, DataFusionError> {
    let sql = "SELECT table_schema, table_name, table_type FROM information_schema.tables \
               WHERE table_schema <> 'information_schema' AND NOT ends_with(table_name, '_computed') \
               ORDER BY table_schema, table_name";
    DFParserBuilder::new(sql).with_dialect(&GenericDialect {}).build()?.parse_statement()
}

/// Refuses by the first word what could do more than read; the plan is verified as well.
pub fn refuse_writes(statement: &Statement) -> Result<(), Error> {
    let refused = |text: String| {
        let word = text.split_whitespace().next().unwrap_or_default().to_uppercase();
        Err(Error::NotAllowed(word))
    };
    match statement {
        Statement::Explain(explain) => refuse_writes(&explain.statement),
        Statement::Statement(sql) => match sql.as_ref() {
            SqlStatement::Query(_)
            | SqlStatement::Explain { .. }
            | SqlStatement::ExplainTable { .. }
            | SqlStatement::ShowTables { .. }
            | SqlStatement::ShowColumns { .. }
            | SqlStatement::ShowFunctions { .. }
            | SqlStatement::ShowVariable { .. } => Ok(()),
            other => refused(other.to_string()),
        },
        other => refused(other.to_string()),
    }
}
