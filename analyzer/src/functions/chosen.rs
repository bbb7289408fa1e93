//! Aggregates that choose one of the values of a group: `last_known`, and `min` and `max` of texts.
//!
//! What is kept of a group is where its value is; arrays that hold few values of use are replaced by one that holds
//! those alone. The engine's `last_value` with an order compares each row with the last one of its group, where files
//! have an order already, which partitions keep (`order.rs`). Its `min` and `max` of texts go through all groups for each
//! batch of rows; the optimizer puts those of here in their place.

use std::mem::size_of;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, new_null_array};
use arrow::compute::{interleave, nullif};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, Aggregate, AggregateUDF, AggregateUDFImpl, EmitTo, Expr, ExprSchemable,
    GroupsAccumulator, LogicalPlan, Signature, Volatility,
};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

/// Arrays may hold so many bytes more than twice what is of use.
const SLACK_BYTES: usize = 1 << 20;

/// Which value of a group is kept. NULL is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Choice {
    /// The one that comes last.
    Last,
    /// Of texts, the first by its bytes.
    Least,
    /// Of texts, the last by its bytes.
    Greatest,
}

/// `last_known`: the last value that is not NULL, in the order in which rows come.
pub fn last_known() -> AggregateUDF {
    Chosen::aggregate(Choice::Last)
}

/// Puts `min` and `max` of here in the place of the engine's, for groups of texts.
#[derive(Debug)]
pub struct TextExtremes {
    least: Arc<AggregateUDF>,
    greatest: Arc<AggregateUDF>,
}

impl TextExtremes {
    pub fn new() -> TextExtremes {
        let aggregate = |choice| Arc::new(Chosen::aggregate(choice));
        TextExtremes { least: aggregate(Choice::Least), greatest: aggregate(Choice::Greatest) }
    }
}

impl OptimizerRule for TextExtremes {
    fn name(&self) -> &str {
        "text_extremes"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Aggregate(aggregate) = plan else { return Ok(Transformed::no(plan)) };
        if aggregate.group_expr.is_empty() {
            return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
        }
        let rows = aggregate.input.schema().clone();
        let replaced = aggregate.aggr_expr.iter().map(|expr| {
            expr.clone().transform_up(|expr| {
                let Expr::AggregateFunction(mut call) = expr else {
                    return Ok(Transformed::no(expr));
                };
                let ours = match call.func.name() {
                    "min" => &self.least,
                    "max" => &self.greatest,
                    _ => return Ok(Transformed::no(Expr::AggregateFunction(call))),
                };
                let is_text = call.params.args[0].get_type(&rows)? == DataType::Utf8View;
                if !is_text || call.func == *ours {
                    return Ok(Transformed::no(Expr::AggregateFunction(call)));
                }
                call.func = ours.clone();
                Ok(Transformed::yes(Expr::AggregateFunction(call)))
            })
        });
        let replaced: Vec<_> = replaced.collect::<Result<_>>()?;
        if !replaced.iter().any(|expr| expr.transformed) {
            return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
        }
        let replaced = replaced.into_iter().map(|expr| expr.data).collect();
        let aggregate = Aggregate::try_new(aggregate.input, aggregate.group_expr, replaced)?;
        Ok(Transformed::yes(LogicalPlan::Aggregate(aggregate)))
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Chosen {
    choice: Choice,
    signature: Signature,
}

impl Chosen {
    fn aggregate(choice: Choice) -> AggregateUDF {
        let signature = Signature::any(1, Volatility::Immutable);
        AggregateUDF::new_from_impl(Chosen { choice, signature })
    }
}

impl AggregateUDFImpl for Chosen {
    fn name(&self) -> &str {
        match self.choice {
            Choice::Last => "last_known",
            Choice::Least => "min",
            Choice::Greatest => "max",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        Ok(args[0].clone())
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let ty = args.return_field.data_type().clone();
        Ok(vec![Arc::new(Field::new(format!("{}[chosen]", args.name), ty, true))])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(One { groups: Groups::new(self.choice, args.return_field.data_type()) }))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Groups::new(self.choice, args.return_field.data_type())))
    }
}

/// Without groups: one group of all rows.
#[derive(Debug)]
struct One {
    groups: Groups,
}

impl Accumulator for One {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.groups.update(&values[0], &vec![0; values[0].len()], None, 1)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.groups.places.resize(1, NOWHERE);
        ScalarValue::try_from_array(&self.groups.values(&self.groups.places)?, 0)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.groups.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }
}

/// The place of NULL.
const NOWHERE: (usize, usize) = (0, 0);

/// The value of each group.
#[derive(Debug)]
struct Groups {
    choice: Choice,
    /// The first has NULL alone.
    arrays: Vec<ArrayRef>,
    /// Where the value of each group is: in which array, in which row.
    places: Vec<(usize, usize)>,
    /// What all arrays hold, and what they held when they were last replaced by one.
    bytes: usize,
    compact_bytes: usize,
}

impl Groups {
    fn new(choice: Choice, ty: &DataType) -> Groups {
        Groups {
            choice,
            arrays: vec![new_null_array(ty, 1)],
            places: Vec::new(),
            bytes: 0,
            compact_bytes: 0,
        }
    }

    fn update(
        &mut self,
        values: &ArrayRef,
        groups: &[usize],
        filter: Option<&BooleanArray>,
        count: usize,
    ) -> Result<()> {
        self.places.resize(count, NOWHERE);
        let array = self.arrays.len();
        self.arrays.push(values.clone());
        let is_wanted =
            |row: usize| filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        let rows = groups.iter().enumerate();
        let rows = rows.filter(|(row, _)| values.is_valid(*row) && is_wanted(*row));
        if self.choice == Choice::Last {
            rows.for_each(|(row, group)| self.places[*group] = (array, row));
        } else {
            let texts: Vec<_> = self.arrays.iter().map(|array| array.as_string_view()).collect();
            let text = |(array, row): (usize, usize)| texts[array].value(row);
            for (row, group) in rows {
                let (place, here) = (&mut self.places[*group], (array, row));
                let is_chosen = || match self.choice {
                    Choice::Least => text(here) < text(*place),
                    _ => text(here) > text(*place),
                };
                if *place == NOWHERE || is_chosen() {
                    *place = here;
                }
            }
        }
        self.bytes += held_bytes(values);
        if self.bytes > 2 * self.compact_bytes + SLACK_BYTES {
            let all = self.values(&self.places)?;
            let all = match all.data_type() {
                DataType::Utf8View => Arc::new(all.as_string_view().gc()),
                _ => all,
            };
            self.bytes = held_bytes(&all);
            self.compact_bytes = self.bytes;
            self.arrays.truncate(1);
            self.arrays.push(all);
            self.places = (0..self.places.len()).map(|row| (1, row)).collect();
        }
        Ok(())
    }

    fn values(&self, places: &[(usize, usize)]) -> Result<ArrayRef> {
        let arrays: Vec<&dyn Array> = self.arrays.iter().map(AsRef::as_ref).collect();
        Ok(interleave(&arrays, places)?)
    }

    fn emit(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        let places = emit.take_needed(&mut self.places);
        let values = self.values(&places)?;
        if self.places.is_empty() {
            self.arrays.truncate(1);
            (self.bytes, self.compact_bytes) = (0, 0);
        }
        Ok(values)
    }
}

/// What an array keeps in memory, and what others may keep as well.
fn held_bytes(array: &ArrayRef) -> usize {
    let texts = array.as_string_view_opt().map(|texts| texts.data_buffers().iter());
    let texts: usize = texts.into_iter().flatten().map(|buffer| buffer.len()).sum();
    texts + array.to_data().get_slice_memory_size().unwrap_or_default()
}

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        count: usize,
    ) -> Result<()> {
        self.update(&values[0], groups, filter, count)
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], count: usize) -> Result<()> {
        self.update(&states[0], groups, None, count)
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        self.emit(emit)
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.emit(emit)?])
    }

    /// The value of each row, for when groups are so many that nothing is gained by grouping early.
    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let Some(filter) = filter else { return Ok(vec![values[0].clone()]) };
        let is_unwanted = filter.iter().map(|is_wanted| Some(is_wanted != Some(true)));
        Ok(vec![nullif(&values[0], &is_unwanted.collect::<BooleanArray>())?])
    }

    fn size(&self) -> usize {
        self.places.capacity() * size_of::<(usize, usize)>() + self.bytes
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::StringViewArray;
    use arrow::util::pretty::pretty_format_batches;
    use datafusion::common::tree_node::TreeNodeRecursion;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::logical_expr::expr::AggregateFunction;
    use datafusion::prelude::SessionContext;

    use super::*;

    fn texts<'a>(texts: impl IntoIterator<Item = Option<&'a str>>) -> ArrayRef {
        Arc::new(StringViewArray::from_iter(texts))
    }

    fn groups(choice: Choice) -> Groups {
        Groups::new(choice, &DataType::Utf8View)
    }

    #[test]
    fn the_later_row_counts_unless_it_is_null_or_left_out() {
        let mut groups = groups(Choice::Last);
        groups.update(&texts([Some("a"), None, Some("b")]), &[0, 1, 0], None, 2).unwrap();
        let filter = BooleanArray::from(vec![Some(true), Some(false), None, Some(true)]);
        let rows = texts([Some("c"), Some("d"), Some("e"), None]);
        groups.update(&rows, &[2, 0, 0, 0], Some(&filter), 4).unwrap();
        let known = groups.evaluate(EmitTo::First(3)).unwrap();
        assert_eq!(&known, &texts([Some("b"), None, Some("c")]));
        assert_eq!(&groups.evaluate(EmitTo::All).unwrap(), &texts([None]));
    }

    #[test]
    fn texts_are_compared_by_their_bytes() {
        for (choice, wanted) in [(Choice::Least, "a text of some length"), (Choice::Greatest, "é")]
        {
            let mut groups = groups(choice);
            let rows =
                texts([Some("b"), None, Some("a text of some length"), Some("é"), Some("aé")]);
            groups.update(&rows, &[0, 0, 0, 0, 1], None, 2).unwrap();
            groups.update(&texts([Some("b"), None]), &[0, 1], None, 3).unwrap();
            let known = groups.evaluate(EmitTo::All).unwrap();
            assert_eq!(&known, &texts([Some(wanted), Some("aé"), None]));
        }
    }

    #[test]
    fn memory_grows_with_the_groups_and_not_with_the_rows() {
        let mut groups = groups(Choice::Last);
        let mut last = String::new();
        for round in 0..2000 {
            last = format!("a text that is no part of its view, of round {round}");
            let rows = std::iter::once(None).chain(std::iter::repeat_n(Some(last.as_str()), 100));
            groups.update(&texts(rows), &[vec![1], vec![0; 100]].concat(), None, 2).unwrap();
            assert!(groups.size() < 4 * SLACK_BYTES, "{}", groups.size());
        }
        assert_eq!(&groups.evaluate(EmitTo::All).unwrap(), &texts([Some(last.as_str()), None]));
    }

    #[test]
    fn rows_that_are_left_out_are_no_state() {
        let filter = BooleanArray::from(vec![Some(true), Some(false), None]);
        let rows = [texts([Some("a"), Some("b"), Some("c")])];
        let states = groups(Choice::Last).convert_to_state(&rows, Some(&filter)).unwrap();
        assert_eq!(&states[0], &texts([Some("a"), None, None]));
    }

    #[tokio::test]
    async fn the_engine_chooses_the_same() {
        let sql = "SELECT n % 7 AS g, min(t) AS low, max(t) FILTER (WHERE n > 300) AS high, min(n) AS n \
                   FROM (SELECT value AS n, CASE WHEN value % 5 > 0 THEN arrow_cast(concat(CAST(value * 7919 % 1000 AS VARCHAR), \
                   repeat(' and more', value % 3)), 'Utf8View') END AS t FROM range(1000)) GROUP BY 1 ORDER BY 1";
        let mut answers = Vec::new();
        for rule in [None, Some(Arc::new(TextExtremes::new()))] {
            let state = SessionStateBuilder::new().with_default_features();
            let has_rule = rule.is_some();
            let state = match rule {
                Some(rule) => state.with_optimizer_rule(rule),
                None => state,
            };
            let context = SessionContext::new_with_state(state.build());
            let query = context.sql(sql).await.unwrap();
            let plan = query.clone().into_optimized_plan().unwrap();
            let mut ours = 0;
            plan.apply(|node| {
                node.apply_expressions(|expr| {
                    expr.apply(|expr| {
                        let is_ours = |call: &AggregateFunction| call.func.inner().is::<Chosen>();
                        ours += usize::from(
                            matches!(expr, Expr::AggregateFunction(call) if is_ours(call)),
                        );
                        Ok(TreeNodeRecursion::Continue)
                    })
                })
            })
            .unwrap();
            assert_eq!(ours, if has_rule { 2 } else { 0 }, "{}", plan.display_indent());
            let rows = query.collect().await.unwrap();
            answers.push(pretty_format_batches(&rows).unwrap().to_string());
        }
        assert_eq!(answers[0], answers[1]);
    }
}
