//! Files derived from the list of events are committed: a stale one is rewritten and the test
//! fails once, so that the difference is reviewed.

use std::path::Path;

fn ensure_contents(file: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    if std::fs::read_to_string(&path).is_ok_and(|found| found == expected) {
        return;
    }
    std::fs::create_dir_all(path.parent().expect("has a folder")).expect("folder can be made");
    std::fs::write(&path, expected).expect("file can be written");
    panic!("{file} was stale and has been rewritten: look at the difference and commit it");
}

#[test]
fn the_c_header_matches_the_list_of_events() {
    ensure_contents("ebpf/include/ebrec_events.h", &schema::c_header::render());
}

#[test]
fn the_tables_page_matches_the_list_of_events() {
    ensure_contents("docs/tables.md", &schema::docs::render());
}

/// Wire numbers, offsets and sizes are permanent: a change here breaks the traces people have.
#[test]
fn the_wire_layout_is_the_one_of_format_1() {
    let mut layout = String::new();
    for event in schema::events::EVENTS {
        let fields: Vec<String> =
            event.fields.iter().map(|field| format!("{}@{}", field.name, field.offset)).collect();
        layout += &format!("{} {} {} {}\n", event.id, event.name, event.size, fields.join(" "));
    }
    ensure_contents("schema/tests/layout.txt", &layout);
}

#[test]
fn every_event_table_is_declared_and_has_unique_columns() {
    for event in schema::events::EVENTS {
        if let Some(table) = event.table {
            assert!(schema::tables::by_name(table).is_some(), "{} names no table", event.name);
        }
    }
    for table in schema::tables::TABLES {
        let columns = table.columns();
        let names: std::collections::BTreeSet<_> =
            columns.iter().map(|column| column.name).collect();
        assert_eq!(names.len(), columns.len(), "{} repeats a column", table.name);
        assert!(columns.iter().all(|column| !column.doc.is_empty()), "{} lacks docs", table.name);
    }
}

#[test]
fn event_ids_are_unique_and_kinds_of_a_table_share_a_stream() {
    let ids: std::collections::BTreeSet<_> =
        schema::events::EVENTS.iter().map(|event| event.id).collect();
    assert_eq!(ids.len(), schema::events::EVENTS.len());
    for table in schema::tables::TABLES {
        let streams: std::collections::BTreeSet<_> =
            table.events().map(|event| event.stream).collect();
        assert!(streams.len() <= 1, "{}", table.name);
    }
}
