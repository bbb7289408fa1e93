//! The C header of the kernel side, from the list of events.

use std::fmt::Write;

use crate::events::{EVENTS, EventDef, Header, KINDS, TAIL_TRUNCATED, Tail};
use crate::sockets::{ENUMERATIONS, Enumeration};
use crate::types::{AllocationOperation, MalformedPacket};

/// The text of `ebpf/include/ebrec_events.h`.
pub fn render() -> String {
    let mut out = String::from(
        "/* Generated from schema/src/events.rs by `cargo test -p schema`; do not edit. */\n#pragma once\n\n\
         struct ebrec_header {\n\t__u64 ts_ns;\n\t__u32 tid;\n\t__u32 pid;\n\t__u16 kind;\n\t__u16 size;\n\t__u16 fixed;\n\t__u16 cpu;\n};\n",
    );
    let _ = writeln!(
        out,
        "_Static_assert(sizeof(struct ebrec_header) == {}, \"header\");\n",
        size_of::<Header>()
    );
    let _ = writeln!(out, "#define EBREC_KINDS {KINDS}\n#define EBREC_UNKNOWN (~0ULL)");
    let _ = writeln!(out, "#define EBREC_NOT_RETURNED (-__LONG_LONG_MAX__ - 1)");
    let _ = writeln!(out, "#define EBREC_SYSCALL_COMPAT {:#x}", crate::types::SYSCALL_COMPAT);
    let _ = writeln!(out, "#define EBREC_TAIL_TRUNCATED {TAIL_TRUNCATED}\n");
    out.push_str("enum ebrec_tail {\n");
    for tail in Tail::ALL {
        let _ = writeln!(out, "\tEBREC_TAIL_{} = {},", tail.name().to_uppercase(), tail as u8);
    }
    out.push_str("};\n\nenum ebrec_operation {\n");
    for operation in AllocationOperation::ALL {
        let name = operation.name().to_uppercase();
        let _ = writeln!(out, "\tEBREC_OP_{name} = {},", *operation as u32);
    }
    for Enumeration { prefix, names } in ENUMERATIONS {
        let _ = writeln!(out, "}};\n\nenum ebrec_{} {{", prefix.to_lowercase());
        for (number, name) in *names {
            let _ = writeln!(out, "\tEBREC_{prefix}_{} = {number},", name.to_uppercase());
        }
    }
    out.push_str("};\n\nenum ebrec_malformed {\n");
    for malformed in MalformedPacket::ALL {
        let name = malformed.name().to_uppercase();
        let _ = writeln!(out, "\tEBREC_MALFORMED_{name} = {},", *malformed as u32);
    }
    out.push_str("};\n\nenum ebrec_kind {\n");
    for event in EVENTS {
        let _ = writeln!(out, "\tEBREC_{} = {},", event.name.to_uppercase(), event.id);
    }
    out.push_str("};\n");
    EVENTS.iter().for_each(|event| event_struct(event, &mut out));
    out
}

fn event_struct(event: &EventDef, out: &mut String) {
    let _ = writeln!(
        out,
        "\n/* {} */\nstruct ebrec_{} {{\n\tstruct ebrec_header header;",
        event.doc, event.name
    );
    for field in event.fields {
        let (ty, array) = match field.ty.c_type().split_once('[') {
            Some((ty, length)) => (ty, format!("[{length}")),
            None => (field.ty.c_type(), String::new()),
        };
        let _ = writeln!(out, "\t{ty} {}{array}; /* {} */", field.name, field.doc);
    }
    let _ = writeln!(
        out,
        "}};\n_Static_assert(sizeof(struct ebrec_{}) == {}, \"{}\");",
        event.name, event.size, event.name
    );
}
