//! The functions that SQL gets on top of the engine's own.

mod buckets;
mod chosen;
mod numbers;
mod quantile;
mod stacks;
mod syscalls;
mod texts;

use std::sync::Arc;

use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use schema::syscalls::Arch;

pub(crate) use chosen::TextExtremes;
pub(crate) use texts::clean_path;

/// What `ebrec schema --functions` says about a function.
#[derive(Debug, Clone, Copy)]
pub struct FunctionDoc {
    /// Its name.
    pub name: &'static str,
    /// How it is called.
    pub usage: &'static str,
    /// What it returns.
    pub doc: &'static str,
}

/// Every function of ebrec.
pub const FUNCTIONS: &[FunctionDoc] = &[
    FunctionDoc { name: "base_name", usage: "base_name(path)", doc: "Last part of a path." },
    FunctionDoc {
        name: "clean_path",
        usage: "clean_path(path)",
        doc: "A path without `.`, `..` and doubled slashes; links are not followed.",
    },
    FunctionDoc {
        name: "entropy",
        usage: "entropy(text)",
        doc: "Shannon's entropy of the characters of a text, in bits for each: how random it looks.",
    },
    FunctionDoc {
        name: "hex",
        usage: "hex(n)",
        doc: "Text of a whole number in hexadecimal: 0x1f.",
    },
    FunctionDoc {
        name: "human_bytes",
        usage: "human_bytes(n)",
        doc: "Text of a number of bytes for people: 1.23 MiB.",
    },
    FunctionDoc {
        name: "human_duration",
        usage: "human_duration(ns)",
        doc: "Text of a number of nanoseconds for people: 1.23 ms.",
    },
    FunctionDoc {
        name: "last_known",
        usage: "last_known(value)",
        doc: "Aggregate: the last value that is not NULL, in the order in which rows come: those of a table in that of its files.",
    },
    FunctionDoc {
        name: "log2_bucket",
        usage: "log2_bucket(n)",
        doc: "Largest power of two that is not above a number; 0 for numbers below 1.",
    },
    FunctionDoc {
        name: "overlap_ns",
        usage: "overlap_ns(ts, duration_ns, other_ts, other_duration_ns)",
        doc: "How long two intervals go on at once; one whose duration is NULL has not ended.",
    },
    FunctionDoc {
        name: "path_pattern",
        usage: "path_pattern(path)",
        doc: "A path with `*` for what is different each time: numbers, UUIDs, hashes, made-up names.",
    },
    FunctionDoc {
        name: "program_name",
        usage: "program_name(exe, comm)",
        doc: "What a program is called in baselines: the pattern of its file, or `[comm]` where it is in no file.",
    },
    FunctionDoc {
        name: "quantile",
        usage: "quantile(n, 0.99)",
        doc: "Aggregate: the value that a share of the whole numbers is not above, to 0.8 %; numbers below 64 are exact. Its memory does not grow with their count.",
    },
    FunctionDoc {
        name: "stack_contains",
        usage: "stack_contains(frames, 'pattern')",
        doc: "Whether a function of a stack is LIKE the pattern: 'malloc', 'std::%', '%alloc%'.",
    },
    FunctionDoc {
        name: "stack_cut",
        usage: "stack_cut(folded, 'pattern')",
        doc: "Text of a stack from its outermost function that is LIKE the pattern inwards; NULL when there is none.",
    },
    FunctionDoc {
        name: "stack_leaf",
        usage: "stack_leaf(folded)",
        doc: "Innermost function of the text of a stack.",
    },
    FunctionDoc {
        name: "stack_root",
        usage: "stack_root(folded)",
        doc: "Outermost function of the text of a stack.",
    },
    FunctionDoc {
        name: "syscall_arg",
        usage: "syscall_arg(syscall, 'name', arg0, arg1, arg2, arg3, arg4, arg5)",
        doc: "Argument of a system call by its name in the man page, such as 'flags'; NULL when the call has none of that name.",
    },
    FunctionDoc {
        name: "syscall_text",
        usage: "syscall_text(syscall, arg0, arg1, arg2, arg3, arg4, arg5, ret, path, path2, address, truncated)",
        doc: "Text of a system call as strace writes it.",
    },
    FunctionDoc {
        name: "time_bucket",
        usage: "time_bucket(ts, width_ns)",
        doc: "Beginning of the stretch of time of that width that a moment lies in, counted from 1970.",
    },
];

/// The functions for traces of one architecture.
pub fn all(arch: Arch) -> Vec<Arc<ScalarUDF>> {
    let mut functions = numbers::all();
    functions.extend(buckets::all());
    functions.extend(crate::baseline::functions());
    functions.extend(stacks::all());
    functions.extend(syscalls::all(arch));
    functions.extend(texts::all());
    functions.into_iter().map(Arc::new).collect()
}

/// The aggregates.
pub fn aggregates() -> Vec<Arc<AggregateUDF>> {
    vec![Arc::new(chosen::last_known()), Arc::new(quantile::quantile())]
}
