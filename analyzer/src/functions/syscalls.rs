//! System calls: their text, and their arguments by name.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Builder, StringViewBuilder};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, lit,
};
use schema::syscalls::{Arch, Call, Kind, render, signature};

/// `syscall_text` for traces of `arch`, and `syscall_arg`.
pub fn all(arch: Arch) -> Vec<ScalarUDF> {
    let numbers = [const { DataType::Int64 }; 6];
    let mut text = vec![DataType::Utf8View];
    text.extend(numbers.clone());
    text.push(DataType::Int64);
    text.extend([DataType::Utf8View, DataType::Utf8View, DataType::Utf8View, DataType::Boolean]);
    let mut arg = vec![DataType::Utf8View, DataType::Utf8View];
    arg.extend(numbers);
    vec![
        ScalarUDF::new_from_impl(SyscallText {
            arch: arch.name(),
            signature: Signature::exact(text, Volatility::Immutable),
        }),
        ScalarUDF::new_from_impl(SyscallArg {
            signature: Signature::exact(arg, Volatility::Immutable),
        }),
    ]
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct SyscallText {
    arch: &'static str,
    signature: Signature,
}

impl ScalarUDFImpl for SyscallText {
    fn name(&self) -> &str {
        "syscall_text"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arch = Arch::from_name(self.arch).unwrap_or(Arch::X86_64);
        let columns = arrays(&args)?;
        let text = |column: usize, row: usize| {
            let column = columns[column].as_string_view();
            column.is_valid(row).then(|| column.value(row))
        };
        let rows = columns[0].len();
        let mut texts = StringViewBuilder::with_capacity(rows);
        let mut line = String::new();
        for row in 0..rows {
            let Some(name) = text(0, row) else {
                texts.append_null();
                continue;
            };
            let truncated = columns[11].as_boolean();
            let call = Call {
                arch,
                name,
                args: registers(&columns[1..7], row),
                ret: number(&columns[7], row),
                path: text(8, row),
                path2: text(9, row),
                address: text(10, row),
                truncated: truncated.is_valid(row) && truncated.value(row),
            };
            line.clear();
            render(&call, &mut line);
            texts.append_value(&line);
        }
        Ok(ColumnarValue::Array(Arc::new(texts.finish())))
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct SyscallArg {
    signature: Signature,
}

impl ScalarUDFImpl for SyscallArg {
    fn name(&self) -> &str {
        "syscall_arg"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if let [ColumnarValue::Scalar(syscall), ColumnarValue::Scalar(name), registers @ ..] =
            &args.args[..]
        {
            return of_one_call(syscall, name, registers, args.number_rows);
        }
        let columns = arrays(&args)?;
        let (syscalls, names) = (columns[0].as_string_view(), columns[1].as_string_view());
        let registers: Vec<_> =
            columns[2..8].iter().map(|column| column.as_primitive::<Int64Type>()).collect();
        let mut values = Int64Builder::with_capacity(syscalls.len());
        // Rows that follow each other are often of the same call: texts of a column with the same view are the same.
        let (mut views, mut found) = (None, None);
        for row in 0..syscalls.len() {
            let here = Some((syscalls.views()[row], names.views()[row]));
            if here != views {
                views = here;
                found = place(syscalls.value(row), names.value(row));
            }
            let register = found
                .filter(|_| syscalls.is_valid(row) && names.is_valid(row))
                .and_then(|(place, kind)| Some((registers.get(place)?, kind)))
                .filter(|(register, _)| register.is_valid(row));
            // The register's upper half is noise for an argument of 32 bits.
            values.append_option(register.map(|(register, kind)| kind.value(register.value(row))));
        }
        Ok(ColumnarValue::Array(Arc::new(values.finish())))
    }

    /// Of a known call no register is read but that of the argument.
    fn simplify(&self, mut args: Vec<Expr>, _: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let (Some(syscall), Some(name)) = (literal(&args[0]), literal(&args[1])) else {
            return Ok(ExprSimplifyResult::Original(args));
        };
        let found = place(syscall, name).map(|(place, _)| place);
        let mut is_changed = false;
        for (register, arg) in args[2..].iter_mut().enumerate() {
            if found != Some(register) && !matches!(arg, Expr::Literal(..)) {
                *arg = lit(ScalarValue::Int64(None));
                is_changed = true;
            }
        }
        if !is_changed {
            return Ok(ExprSimplifyResult::Original(args));
        }
        let same = ScalarUDF::new_from_impl(SyscallArg { signature: self.signature.clone() });
        Ok(ExprSimplifyResult::Simplified(same.call(args)))
    }
}

/// An argument of calls that are all the same.
fn of_one_call(
    syscall: &ScalarValue,
    name: &ScalarValue,
    registers: &[ColumnarValue],
    rows: usize,
) -> Result<ColumnarValue> {
    let texts = syscall.try_as_str().flatten().zip(name.try_as_str().flatten());
    let found = texts.and_then(|(syscall, name)| place(syscall, name));
    let Some((register, kind)) =
        found.and_then(|(place, kind)| Some((registers.get(place)?, kind)))
    else {
        return Ok(ColumnarValue::Scalar(ScalarValue::Int64(None)));
    };
    let values = register.to_array(rows)?;
    let values = values.as_primitive::<Int64Type>().unary::<_, Int64Type>(|n| kind.value(n));
    Ok(ColumnarValue::Array(Arc::new(values)))
}

/// A literal text.
fn literal(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten(),
        _ => None,
    }
}

/// Which register an argument of a system call is in, and what it is.
fn place(syscall: &str, name: &str) -> Option<(usize, Kind)> {
    let args = signature(syscall)?.args;
    let place = args.iter().position(|arg| arg.name == name)?;
    Some((place, args[place].kind))
}

fn arrays(args: &ScalarFunctionArgs) -> Result<Vec<ArrayRef>> {
    args.args.iter().map(|arg| arg.to_array(args.number_rows)).collect()
}

fn registers(columns: &[ArrayRef], row: usize) -> [Option<i64>; 6] {
    std::array::from_fn(|index| number(&columns[index], row))
}

fn number(column: &ArrayRef, row: usize) -> Option<i64> {
    let column = column.as_primitive::<Int64Type>();
    column.is_valid(row).then(|| column.value(row))
}
