//! Whole columns of a table by name; those that nobody gives are filled in by what the schema says.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    StringBuilder, TimestampNanosecondArray, new_null_array,
};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use schema::ColumnType;
use schema::tables::Column;

/// Name of the machine that nothing was recorded on.
pub(crate) const HOST: &str = "synth";

/// The columns of a batch in the making.
pub(crate) struct Columns {
    schema: SchemaRef,
    columns: Vec<Column>,
    arrays: Vec<Option<ArrayRef>>,
    rows: usize,
}

impl Columns {
    /// Begins a batch of `rows` rows of `table`.
    pub fn new(table: &str, rows: usize) -> Columns {
        let table = schema::tables::by_name(table).expect("the schema declares the table");
        let columns = table.columns();
        let arrays = columns.iter().map(|_| None).collect();
        Columns { schema: schema::arrow::schema(table), columns, arrays, rows }
    }

    pub fn moment(&mut self, name: &str, values: impl Iterator<Item = Option<i64>>) {
        let array = TimestampNanosecondArray::from_iter(values).with_timezone("UTC");
        self.set(name, Arc::new(array));
    }

    pub fn int32(&mut self, name: &str, values: impl Iterator<Item = Option<i32>>) {
        self.set(name, Arc::new(Int32Array::from_iter(values)));
    }

    pub fn int64(&mut self, name: &str, values: impl Iterator<Item = Option<i64>>) {
        self.set(name, Arc::new(Int64Array::from_iter(values)));
    }

    pub fn real(&mut self, name: &str, values: impl Iterator<Item = Option<f64>>) {
        self.set(name, Arc::new(Float64Array::from_iter(values)));
    }

    pub fn flag(&mut self, name: &str, values: impl Iterator<Item = bool>) {
        self.set(name, Arc::new(BooleanArray::from_iter(values.map(Some))));
    }

    pub fn text<'a>(&mut self, name: &str, values: impl Iterator<Item = Option<&'a str>>) {
        let mut builder = StringBuilder::with_capacity(self.rows, self.rows * 8);
        values.for_each(|value| builder.append_option(value));
        self.set(name, Arc::new(builder.finish()));
    }

    /// Gives a column.
    pub fn set(&mut self, name: &str, array: ArrayRef) {
        let at = self.columns.iter().position(|column| column.name == name);
        self.arrays[at.expect("the schema declares the column")] = Some(array);
    }

    /// The batch, with NULL, zero, false or "" in the columns that were not given.
    pub fn finish(self) -> Result<RecordBatch, ArrowError> {
        let rows = self.rows;
        let fields = self.schema.fields().iter();
        let arrays = self.columns.iter().zip(self.arrays).zip(fields);
        let arrays = arrays.map(|((column, array), field)| {
            array.unwrap_or_else(|| match column.ty {
                _ if column.nullable => new_null_array(field.data_type(), rows),
                ColumnType::Text if column.name == "host" => repeated(HOST, rows),
                ColumnType::Text => repeated("", rows),
                ColumnType::Bool => Arc::new(BooleanArray::from(vec![false; rows])),
                ColumnType::Int32 => Arc::new(Int32Array::from(vec![0; rows])),
                ColumnType::Int64 => Arc::new(Int64Array::from(vec![0; rows])),
                ColumnType::Float64 => Arc::new(Float64Array::from(vec![0.0; rows])),
                ColumnType::Timestamp => {
                    Arc::new(TimestampNanosecondArray::from(vec![0; rows]).with_timezone("UTC"))
                }
                // No table has one that must be there and that is left out.
                ColumnType::Binary | ColumnType::Frames => new_null_array(field.data_type(), rows),
            })
        });
        RecordBatch::try_new(self.schema.clone(), arrays.collect())
    }
}

fn repeated(text: &str, rows: usize) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, rows)))
}
