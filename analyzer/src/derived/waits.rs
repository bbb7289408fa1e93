//! Each interval off the CPU with the system call that the thread was in.
//!
//! Both tables are in the order of time; of each thread the call that began last is kept.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int32Array, Int64Array, Int64Builder, RecordBatch, StringViewArray,
    StringViewBuilder, TimestampNanosecondArray, TimestampNanosecondBuilder,
};
use arrow::datatypes::{
    DataType, Field, Int32Type, Int64Type, Schema, SchemaRef, TimeUnit, TimestampNanosecondType,
};
use datafusion::common::HashMap;
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
    provider: |inputs| Arc::new(PassTable::new(Waits, inputs)),
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

    /// Most queries want few of the many columns, and to read a column takes longer than to look at it.
    fn reads(&self, input: usize, column: &str, wanted: &Schema) -> bool {
        let is_wanted = |name: &str| wanted.column_with_name(name).is_some();
        match (input, column) {
            (_, "ts" | "tid") | (1, "duration_ns") => true,
            (0, column) => is_wanted(column),
            (_, "syscall") => is_wanted("syscall"),
            (_, argument) => is_wanted(&format!("syscall_{argument}")),
        }
    }

    fn is_in_order(&self) -> bool {
        true
    }

    fn run(
        &self,
        inputs: Vec<Ordered>,
        wanted: SchemaRef,
        context: Arc<TaskContext>,
        out: Out,
    ) -> BoxFuture<'static, Result<()>> {
        async move {
            let [offcpu, syscalls] = inputs.as_slice() else {
                return Err(DataFusionError::Internal("two inputs".to_string()));
            };
            let mut offcpu = offcpu.read(context.clone())?;
            // Nobody may ask for the call.
            let is_asked = wanted.fields().iter().any(|field| field.name().starts_with("syscall"));
            let calls = is_asked.then(|| syscalls.read(context)).transpose()?;
            let mut calls = Calls::new(calls);
            while let Some(batch) = offcpu.next().await? {
                let batch = calls.beside(&batch, &wanted).await;
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
    rows: Option<Merge>,
    begun: Option<Begun>,
    /// The call that each thread made last, by its id: of one machine at a time.
    last: HashMap<i32, Call>,
    numbers: HashMap<Box<str>, u32>,
    names: Vec<Box<str>>,
}

/// System calls in the order in which they began, those before `at` taken note of.
struct Begun {
    ts: TimestampNanosecondArray,
    tid: Int32Array,
    duration: Int64Array,
    name: Option<StringViewArray>,
    arguments: [Option<Int64Array>; ARGUMENTS.len()],
    at: usize,
}

impl Begun {
    fn of(batch: &RecordBatch) -> Result<Begun> {
        let column = |name: &str| {
            let column = batch.column_by_name(name);
            column.ok_or_else(|| DataFusionError::Internal(format!("no column {name}")))
        };
        let argument = |name| {
            let column = batch.column_by_name(name);
            column.map(|column| column.as_primitive::<Int64Type>().clone())
        };
        Ok(Begun {
            ts: column("ts")?.as_primitive::<TimestampNanosecondType>().clone(),
            tid: column("tid")?.as_primitive::<Int32Type>().clone(),
            duration: column("duration_ns")?.as_primitive::<Int64Type>().clone(),
            name: batch.column_by_name("syscall").map(|column| column.as_string_view().clone()),
            arguments: ARGUMENTS.map(argument),
            at: 0,
        })
    }
}

impl Calls {
    fn new(rows: Option<Merge>) -> Calls {
        let (last, numbers) = (HashMap::default(), HashMap::default());
        Calls { rows, begun: None, last, numbers, names: Vec::new() }
    }

    /// The rows of a batch, each with what is wanted of its call.
    async fn beside(&mut self, batch: &RecordBatch, wanted: &Schema) -> Result<RecordBatch> {
        let is_wanted = |name: &str| wanted.column_with_name(name).is_some();
        let has_arguments = ARGUMENTS.map(|name| is_wanted(&format!("syscall_{name}")));
        let mut names = is_wanted("syscall").then(StringViewBuilder::new);
        let mut starts = is_wanted("syscall_ts").then(TimestampNanosecondBuilder::new);
        let mut arguments = has_arguments.map(|is_wanted| is_wanted.then(Int64Builder::new));
        let ts = batch.schema_ref().index_of("ts")?;
        let tids = batch.column(batch.schema_ref().index_of("tid")?).as_primitive::<Int32Type>();
        for (ts, tid) in moments(batch, ts).iter().zip(tids.values()) {
            self.go_on(*ts).await?;
            let call = self.last.get(tid).filter(|call| call.end >= *ts);
            if let Some(names) = &mut names {
                names.append_option(call.map(|call| &*self.names[call.name as usize]));
            }
            if let Some(starts) = &mut starts {
                starts.append_option(call.map(|call| call.ts));
            }
            for (at, arguments) in arguments.iter_mut().enumerate() {
                if let Some(arguments) = arguments {
                    arguments.append_option(call.and_then(|call| call.arguments[at]));
                }
            }
        }
        let mut fields = batch.schema_ref().fields().to_vec();
        let mut columns = batch.columns().to_vec();
        let mut add = |name: &str, column: ArrayRef| {
            fields.push(Arc::new(Field::new(name, column.data_type().clone(), true)));
            columns.push(column);
        };
        if let Some(mut names) = names {
            add("syscall", Arc::new(names.finish()));
        }
        if let Some(mut starts) = starts {
            add("syscall_ts", Arc::new(starts.finish().with_timezone("UTC")));
        }
        for (name, arguments) in ARGUMENTS.iter().zip(arguments) {
            if let Some(mut arguments) = arguments {
                add(&format!("syscall_{name}"), Arc::new(arguments.finish()));
            }
        }
        Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
    }

    /// Takes note of all calls that began until `ts`.
    async fn go_on(&mut self, ts: i64) -> Result<()> {
        loop {
            if let Some(begun) = self.begun.take() {
                let begun = self.note(begun, ts);
                let is_ahead = begun.at < begun.ts.len();
                self.begun = Some(begun);
                if is_ahead {
                    return Ok(());
                }
            }
            let Some(rows) = &mut self.rows else { return Ok(()) };
            match rows.next().await? {
                Some(batch) => self.begun = Some(Begun::of(&batch)?),
                None => (self.begun, self.rows) = (None, None),
            }
        }
    }

    fn note(&mut self, mut begun: Begun, until: i64) -> Begun {
        let (moments, tids) = (begun.ts.values(), begun.tid.values());
        let mut at = begun.at;
        while at < moments.len() && moments[at] <= until {
            let ts = moments[at];
            let duration = begun.duration.is_valid(at).then(|| begun.duration.value(at));
            let end = duration.map_or(i64::MAX, |ns| ts.saturating_add(ns));
            let argument = |column: &Option<Int64Array>| {
                let column = column.as_ref()?;
                column.is_valid(at).then(|| column.value(at))
            };
            let arguments = begun.arguments.each_ref().map(argument);
            let name = begun.name.as_ref().map_or(0, |names| self.number(names.value(at)));
            self.last.insert(tids[at], Call { ts, end, arguments, name });
            at += 1;
        }
        begun.at = at;
        begun
    }

    /// The number of a name.
    fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = self.names.len() as u32;
        self.names.push(name.into());
        self.numbers.insert(name.into(), number);
        number
    }
}
