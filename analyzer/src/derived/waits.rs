//! Each interval off the CPU with the system call that the thread was in.
//!
//! Both tables are in the order of time; of each thread the call that began last is kept.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Builder, RecordBatch, StringViewArray, StringViewBuilder,
    TimestampNanosecondBuilder,
};
use arrow::datatypes::{
    DataType, Field, Int32Type, Int64Type, Schema, SchemaRef, TimeUnit, TimestampNanosecondType,
};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use futures::FutureExt;
use futures::future::BoxFuture;

use super::ordered::{Merge, Ordered, moments};
use super::pass::{Out, Pass, PassTable};
use super::{Columns, DerivedTable};
use crate::tables::reading_schema;

/// `waits_computed`.
pub const TABLE: DerivedTable = DerivedTable {
    name: "waits_computed",
    inputs: &[
        ("offcpu", Columns::All),
        (
            "syscalls",
            Columns::Only(&["ts", "tid", "syscall", "duration_ns", "arg0", "arg1", "arg2"]),
        ),
    ],
    provider: |inputs| Arc::new(PassTable { pass: Arc::new(Waits), inputs }),
};

/// Arguments of the call that are told: what it waits for is among them.
const ARGUMENTS: [&str; 3] = ["arg0", "arg1", "arg2"];

#[derive(Debug)]
struct Waits;

impl Pass for Waits {
    fn name(&self) -> &'static str {
        TABLE.name
    }

    fn schema(&self) -> SchemaRef {
        let offcpu = schema::tables::by_name("offcpu").expect("it is in the schema");
        let offcpu = reading_schema(&schema::arrow::schema(offcpu));
        let mut fields: Vec<_> = offcpu.fields().iter().cloned().collect();
        let moment = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
        let added = [("syscall", DataType::Utf8View), ("syscall_ts", moment)];
        let arguments = ARGUMENTS.map(|name| (format!("syscall_{name}"), DataType::Int64));
        let added = added.map(|(name, ty)| (name.to_string(), ty)).into_iter().chain(arguments);
        fields.extend(added.map(|(name, ty)| Arc::new(Field::new(name, ty, true))));
        Arc::new(Schema::new(fields))
    }

    fn run(
        &self,
        inputs: Vec<Ordered>,
        context: Arc<TaskContext>,
        out: Out,
    ) -> BoxFuture<'static, Result<()>> {
        let schema = self.schema();
        async move {
            let [offcpu, syscalls] = inputs.as_slice() else {
                return Err(DataFusionError::Internal("two inputs".to_string()));
            };
            let mut offcpu = offcpu.read(context.clone())?;
            let mut calls = Calls::new(syscalls.read(context)?);
            while let Some(batch) = offcpu.next().await? {
                let batch = calls.beside(&batch, &schema).await;
                if out.send(batch).await.is_err() {
                    break;
                }
            }
            Ok(())
        }
        .boxed()
    }
}

/// A system call that may still go on.
#[derive(Clone, Copy)]
struct Call {
    ts: i64,
    /// When it returned; the end of time if it has not.
    end: i64,
    arguments: [Option<i64>; ARGUMENTS.len()],
    name: u32,
}

/// The system calls up to a moment.
struct Calls {
    rows: Merge,
    batch: Option<(RecordBatch, usize)>,
    is_over: bool,
    /// The call that each thread made last, by its id: of one machine at a time.
    last: HashMap<i32, Call>,
    numbers: HashMap<Box<str>, u32>,
    names: Vec<Box<str>>,
}

impl Calls {
    fn new(rows: Merge) -> Calls {
        Calls {
            rows,
            batch: None,
            is_over: false,
            last: HashMap::new(),
            numbers: HashMap::new(),
            names: Vec::new(),
        }
    }

    /// The rows of a batch, each with its call.
    async fn beside(&mut self, batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
        let index = |name: &str| {
            let found = schema.column_with_name(name).map(|(index, _)| index);
            found.ok_or_else(|| DataFusionError::Internal(format!("no column {name}")))
        };
        let tids = batch.column(index("tid")?).as_primitive::<Int32Type>();
        let mut names = StringViewBuilder::with_capacity(batch.num_rows());
        let mut starts = TimestampNanosecondBuilder::with_capacity(batch.num_rows());
        let mut arguments = ARGUMENTS.map(|_| Int64Builder::with_capacity(batch.num_rows()));
        for (ts, tid) in moments(batch, index("ts")?).iter().zip(tids.values()) {
            self.go_on(*ts).await?;
            let call = self.last.get(tid).filter(|call| call.end >= *ts);
            names.append_option(call.map(|call| &*self.names[call.name as usize]));
            starts.append_option(call.map(|call| call.ts));
            for (at, argument) in arguments.iter_mut().enumerate() {
                argument.append_option(call.and_then(|call| call.arguments[at]));
            }
        }
        let mut columns = batch.columns().to_vec();
        columns.push(Arc::new(names.finish()));
        columns.push(Arc::new(starts.finish().with_timezone("UTC")));
        columns.extend(arguments.map(|mut argument| Arc::new(argument.finish()) as ArrayRef));
        Ok(RecordBatch::try_new(schema.clone(), columns)?)
    }

    /// Takes note of all calls that began until `ts`.
    async fn go_on(&mut self, ts: i64) -> Result<()> {
        while !self.is_over {
            if let Some((batch, at)) = &mut self.batch {
                let column = |name: &str| {
                    let column = batch.column_by_name(name);
                    column.ok_or_else(|| DataFusionError::Internal(format!("no column {name}")))
                };
                let begun = column("ts")?.as_primitive::<TimestampNanosecondType>().values();
                let tids = column("tid")?.as_primitive::<Int32Type>();
                let durations = column("duration_ns")?.as_primitive::<Int64Type>();
                let columns = ARGUMENTS.map(&column);
                let mut registers = Vec::with_capacity(columns.len());
                for register in columns {
                    registers.push(register?.as_primitive::<Int64Type>());
                }
                let names: &StringViewArray = column("syscall")?.as_string_view();
                while *at < batch.num_rows() {
                    if begun[*at] > ts {
                        return Ok(());
                    }
                    let duration = durations.is_valid(*at).then(|| durations.value(*at));
                    let end = duration.map_or(i64::MAX, |ns| begun[*at].saturating_add(ns));
                    let argument = |index: usize| {
                        let register = registers[index];
                        register.is_valid(*at).then(|| register.value(*at))
                    };
                    let arguments = std::array::from_fn(argument);
                    let name = number(&mut self.numbers, &mut self.names, names.value(*at));
                    self.last
                        .insert(tids.value(*at), Call { ts: begun[*at], end, arguments, name });
                    *at += 1;
                }
            }
            match self.rows.next().await? {
                Some(batch) => self.batch = Some((batch, 0)),
                None => self.is_over = true,
            }
        }
        Ok(())
    }
}

/// The number of a name.
fn number(numbers: &mut HashMap<Box<str>, u32>, names: &mut Vec<Box<str>>, name: &str) -> u32 {
    if let Some(number) = numbers.get(name) {
        return *number;
    }
    names.push(name.into());
    numbers.insert(name.into(), names.len() as u32 - 1);
    names.len() as u32 - 1
}
