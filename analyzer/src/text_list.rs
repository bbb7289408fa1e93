//! Whether a text is one of a list, without hashing the text.
//!
//! The engine holds a text as a view of 16 bytes, which is all of it where it has up to 12, as names of system calls,
//! events and operations do; of a longer one it has the length and the first 4. The engine's own `IN` hashes and compares
//! the texts; here views are looked up, and of longer texts those alone are compared that begin like one of the list.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, make_view};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{DataType, Schema};
use datafusion::common::HashSet;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{InListExpr, Literal};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::{FilterExec, FilterExecBuilder};
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};

/// The longest text that is its view.
const INLINE_BYTES: usize = 12;

/// Puts [`TextList`] in the place of lists of texts, in conditions on rows and in what is computed of them.
#[derive(Debug)]
pub struct TextLists;

impl PhysicalOptimizerRule for TextLists {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let changed = plan.transform_up(|node| {
            if let Some(filter) = node.downcast_ref::<FilterExec>() {
                let condition = with_text_lists(filter.predicate(), &filter.input().schema())?;
                if condition.transformed {
                    let filter = FilterExecBuilder::from(filter).with_predicate(condition.data);
                    return Ok(Transformed::yes(Arc::new(filter.build()?)));
                }
            }
            if let Some(projection) = node.downcast_ref::<ProjectionExec>() {
                let (input, mut is_changed) = (projection.input(), false);
                let columns = projection.expr().iter().map(|column| {
                    let expr = with_text_lists(&column.expr, &input.schema())?;
                    is_changed |= expr.transformed;
                    Ok(ProjectionExpr { expr: expr.data, alias: column.alias.clone() })
                });
                let columns = columns.collect::<Result<Vec<_>>>()?;
                if is_changed {
                    let projection = ProjectionExec::try_new(columns, input.clone())?;
                    return Ok(Transformed::yes(Arc::new(projection)));
                }
            }
            Ok(Transformed::no(node))
        })?;
        Ok(changed.data)
    }

    fn name(&self) -> &str {
        "text_lists"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// A condition on rows of `schema` with [`TextList`] in the place of the engine's lists of texts.
pub fn with_text_lists(
    condition: &Arc<dyn PhysicalExpr>,
    schema: &Schema,
) -> Result<Transformed<Arc<dyn PhysicalExpr>>> {
    condition.clone().transform_up(|expr| {
        let list = expr.downcast_ref::<InListExpr>().and_then(|list| TextList::of(list, schema));
        Ok(match list {
            Some(list) => Transformed::yes(Arc::new(list) as Arc<dyn PhysicalExpr>),
            None => Transformed::no(expr),
        })
    })
}

/// `text IN (list)`, or `text NOT IN (list)`.
#[derive(Debug)]
struct TextList {
    text: Arc<dyn PhysicalExpr>,
    list: Arc<[String]>,
    negated: bool,
    /// Views of the texts that are their views.
    short: HashSet<u128>,
    /// The others, behind the half of their views that does not depend on where they are.
    long: Vec<(u64, String)>,
}

impl TextList {
    /// The same as the engine's list; none if it is not one of known texts.
    fn of(list: &InListExpr, schema: &Schema) -> Option<TextList> {
        if list.expr().data_type(schema).ok()? != DataType::Utf8View {
            return None;
        }
        let texts = list.list().iter().map(|text| {
            let text = text.downcast_ref::<Literal>()?.value().try_as_str()??;
            Some(text.to_string())
        });
        let texts = texts.collect::<Option<Vec<_>>>()?;
        Some(TextList::new(list.expr().clone(), texts.into(), list.negated()))
    }

    fn new(text: Arc<dyn PhysicalExpr>, list: Arc<[String]>, negated: bool) -> TextList {
        let (short, long): (Vec<&String>, Vec<&String>) =
            list.iter().partition(|text| text.len() <= INLINE_BYTES);
        let view = |text: &str| make_view(text.as_bytes(), 0, 0);
        TextList {
            text,
            negated,
            short: short.into_iter().map(|text| view(text)).collect(),
            long: long.into_iter().map(|text| (view(text) as u64, text.clone())).collect(),
            list,
        }
    }
}

impl PartialEq for TextList {
    fn eq(&self, other: &TextList) -> bool {
        self.text.eq(&other.text) && self.list == other.list && self.negated == other.negated
    }
}

impl Eq for TextList {}

impl Hash for TextList {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
        self.list.hash(state);
        self.negated.hash(state);
    }
}

impl fmt::Display for TextList {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let not = if self.negated { "NOT " } else { "" };
        write!(f, "{} {not}IN TEXTS ({})", self.text, self.list.join(", "))
    }
}

impl PhysicalExpr for TextList {
    fn data_type(&self, _: &Schema) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn nullable(&self, schema: &Schema) -> Result<bool> {
        self.text.nullable(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let texts = self.text.evaluate(batch)?.into_array(batch.num_rows())?;
        let texts = texts.as_string_view();
        let views = texts.views();
        let is_in_list = |row: usize| {
            let view = views[row];
            if view as u32 as usize <= INLINE_BYTES {
                return self.short.contains(&view);
            }
            self.long.iter().any(|(head, text)| *head == view as u64 && text == texts.value(row))
        };
        let found = BooleanBuffer::collect_bool(views.len(), |row| is_in_list(row) != self.negated);
        Ok(ColumnarValue::Array(Arc::new(BooleanArray::new(found, texts.nulls().cloned()))))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.text]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        let text = children.swap_remove(0);
        Ok(Arc::new(TextList::new(text, self.list.clone(), self.negated)))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::StringViewArray;
    use arrow::datatypes::Field;
    use datafusion::common::ScalarValue;
    use datafusion::physical_expr::expressions::{Column, in_list, lit};

    use super::*;

    /// What the engine says of texts and a list, and what is said here.
    fn both(texts: StringViewArray, list: &[&str], negated: bool) -> [BooleanArray; 2] {
        let schema = Schema::new(vec![Field::new("text", DataType::Utf8View, true)]);
        let column = Arc::new(Column::new("text", 0));
        let text = |text: &&str| lit(ScalarValue::Utf8View(Some(text.to_string())));
        let list = list.iter().map(text).collect();
        let engine = in_list(column, list, &negated, &schema).unwrap();
        let ours = with_text_lists(&engine, &schema).unwrap();
        assert!(ours.transformed);
        let batch = RecordBatch::try_new(Arc::new(schema), vec![Arc::new(texts)]).unwrap();
        [engine, ours.data].map(|list| {
            let found = list.evaluate(&batch).unwrap().into_array(batch.num_rows()).unwrap();
            found.as_boolean().clone()
        })
    }

    #[test]
    fn the_engine_finds_the_same() {
        let list = ["", "openat", "twelve bytes", "thirteen byte", "thirteen more than that"];
        let texts = [
            Some("openat"),
            None,
            Some("open"),
            Some("openat2"),
            Some(""),
            Some("twelve bytes"),
            Some("twelve byteS"),
            Some("thirteen byte"),
            Some("thirteen bytE"),
            Some("thirteen more than that"),
            Some("thirteen more than thiS"),
            Some("twelve bytes and more than that"),
        ];
        for negated in [false, true] {
            let texts = StringViewArray::from_iter(texts);
            let [engine, ours] = both(texts.clone(), &list, negated);
            assert_eq!(engine, ours);
            let [engine, ours] = both(texts.slice(3, 7), &list, negated);
            assert_eq!(engine, ours);
        }
    }

    #[test]
    fn a_list_with_null_is_the_engine_s() {
        let schema = Schema::new(vec![Field::new("text", DataType::Utf8View, true)]);
        let column = Arc::new(Column::new("text", 0));
        let list = [Some("a".to_string()), None].map(|text| lit(ScalarValue::Utf8View(text)));
        let list = in_list(column, list.into(), &false, &schema).unwrap();
        assert!(!with_text_lists(&list, &schema).unwrap().transformed);
    }
}
