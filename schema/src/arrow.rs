//! Tables as Arrow schemas.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};

use crate::tables::{Column, ColumnType, FRAME, Table};

/// The Arrow type of a column.
pub fn data_type(ty: ColumnType) -> DataType {
    match ty {
        ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
        ColumnType::Int32 => DataType::Int32,
        ColumnType::Int64 => DataType::Int64,
        ColumnType::Float64 => DataType::Float64,
        // Plain text: Parquet dictionary-encodes it all the same, and an Arrow dictionary in the
        // file's metadata is what other engines stumble over.
        ColumnType::Text => DataType::Utf8,
        ColumnType::Bool => DataType::Boolean,
        ColumnType::Binary => DataType::Binary,
        ColumnType::Frames => DataType::List(frame()),
    }
}

/// The element of a list of frames.
pub fn frame() -> FieldRef {
    let members: Fields = FRAME.iter().map(field).collect();
    Arc::new(Field::new("element", DataType::Struct(members), false))
}

fn field(column: &Column) -> Field {
    let doc = HashMap::from([("doc".to_string(), column.doc.to_string())]);
    Field::new(column.name, data_type(column.ty), column.nullable).with_metadata(doc)
}

/// The Arrow schema of a table.
pub fn schema(table: &Table) -> SchemaRef {
    let fields: Vec<Field> = table.columns().iter().map(field).collect();
    Arc::new(Schema::new(fields))
}
