//! Aligned columns of text, fitted to the width of a terminal.

use std::io::{self, Write};

use comfy_table::presets::NOTHING;
use comfy_table::{
    CellAlignment, ColumnConstraint, ContentArrangement, Row, Table, TableComponent, Width,
};

/// Between two columns.
const GAP: u16 = 2;
/// Text is not cut below this width.
const TEXT_WIDTH_MIN: u16 = 8;

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its header.
    pub name: String,
    /// Whether it stands at the right.
    pub is_right: bool,
    /// Whether it is always as wide as what is in it.
    pub is_whole: bool,
}

impl Column {
    /// A column of text, which gives way where there is no room.
    pub fn text(name: &str) -> Column {
        Column { name: name.to_string(), is_right: false, is_whole: false }
    }

    /// A column of text that would mean something else when cut.
    pub fn whole(name: &str) -> Column {
        Column { is_whole: true, ..Column::text(name) }
    }

    /// A column of numbers.
    pub fn number(name: &str) -> Column {
        Column { is_right: true, ..Column::whole(name) }
    }
}

/// What becomes of text for which there is no room.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Long {
    /// It ends with an ellipsis, so that each row has one line.
    Cut,
    /// It goes on below.
    Wrapped,
}

/// Writes a table of the given width; without one nothing is cut.
pub fn write_table(
    columns: &[Column],
    rows: &[Vec<String>],
    long: Long,
    width: Option<usize>,
    out: &mut dyn Write,
) -> io::Result<()> {
    write_more(columns, rows, 0, long, width, out)
}

/// Writes rows of a table of which `before` were written already; the header goes before the first.
/// Where they do not fit, each value gets a line.
pub fn write_more(
    columns: &[Column],
    rows: &[Vec<String>],
    before: usize,
    long: Long,
    width: Option<usize>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut table = table(long, width);
    table.set_header(columns.iter().map(|column| &column.name));
    if fill(&mut table, columns, rows, long, width) {
        let lines = table.trim_fmt();
        // The header and its rule are always there: columns are not narrower.
        let skipped = if before > 0 { 2 } else { 0 };
        return lines.lines().skip(skipped).try_for_each(|line| writeln!(out, "{line}"));
    }
    for (number, row) in (before + 1..).zip(rows) {
        let mut table = self::table(long, width);
        let values = columns.iter().zip(row).map(|(column, value)| [&column.name, value]);
        fill(&mut table, &[Column::whole(""), Column::text("")], values, long, width);
        writeln!(out, "── row {number} ──\n{}", table.trim_fmt())?;
    }
    Ok(())
}

/// An empty table without borders; a rule goes below the header, if there will be one.
fn table(long: Long, width: Option<usize>) -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_style(TableComponent::HeaderLines, '─');
    if let Some(width) = width {
        table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(u16::try_from(width).unwrap_or(u16::MAX))
            .set_truncation_indicator("…");
    }
    if long == Long::Cut {
        // Words are not kept together: no cell has a line break.
        table.set_delimiter('\n');
    }
    table
}

/// Adds rows and limits the widths of columns. Whether they fit, which the crate does not say.
fn fill(
    table: &mut Table,
    columns: &[Column],
    rows: impl IntoIterator<Item: Into<Row>>,
    long: Long,
    width: Option<usize>,
) -> bool {
    let headers = table.column_max_content_widths();
    for row in rows {
        let mut row: Row = row.into();
        if long == Long::Cut && width.is_some() {
            row.max_height(1);
        }
        table.add_row(row);
    }
    let contents = table.column_max_content_widths();
    let mut least = 0;
    for (index, (laid_out, column)) in table.column_iter_mut().zip(columns).enumerate() {
        let header = headers.get(index).copied().unwrap_or(0);
        let content = contents[index];
        let gap = if index + 1 < contents.len() { GAP } else { 0 };
        let width = if column.is_whole { content } else { content.min(header.max(TEXT_WIDTH_MIN)) };
        let constraint = match column.is_whole {
            true => ColumnConstraint::ContentWidth,
            false => ColumnConstraint::LowerBoundary(Width::Fixed(width + gap)),
        };
        laid_out.set_padding((0, gap)).set_constraint(constraint);
        if column.is_right {
            laid_out.set_cell_alignment(CellAlignment::Right);
        }
        least += usize::from(width) + usize::from(gap);
    }
    width.is_none_or(|width| least <= width)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(columns: &[Column], rows: &[&[&str]], long: Long, width: Option<usize>) -> String {
        let rows: Vec<Vec<String>> =
            rows.iter().map(|row| row.iter().map(ToString::to_string).collect()).collect();
        let mut out = Vec::new();
        write_table(columns, &rows, long, width, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_stand_at_the_right_and_text_at_the_left() {
        let columns = [Column::text("comm"), Column::number("n")];
        assert_eq!(
            render(&columns, &[&["sh", "5"], &["漢字x", "12"]], Long::Cut, None),
            "\
comm    n
─────────
sh      5
漢字x  12
"
        );
    }

    #[test]
    fn text_gives_way_to_fit_and_numbers_do_not() {
        let columns = [Column::text("path"), Column::number("n"), Column::text("a name")];
        let rows: &[&[&str]] = &[
            &["/usr/lib/x86_64-linux-gnu", "123456", "x"],
            &["two words of one line", "1", "漢字漢字漢字"],
        ];
        let expected = "\
path           n  a name
─────────────────────────────
/usr/li…  123456  x
two wor…       1  漢字漢字漢…
";
        assert_eq!(render(&columns, rows, Long::Cut, Some(29)), expected);
    }

    #[test]
    fn nothing_is_cut_without_a_width() {
        let columns = [Column::text("path")];
        let long = "x ".repeat(500) + "x";
        let out = render(&columns, &[&[&long]], Long::Cut, None);
        assert_eq!(out.lines().nth(2), Some(long.as_str()));
    }

    #[test]
    fn prose_goes_on_below() {
        let columns = [Column::whole("a"), Column::text("about")];
        let expected = "\
a  about
────────────
x  one two
   three
y
";
        let rows: &[&[&str]] = &[&["x", "one two three"], &["y", ""]];
        assert_eq!(render(&columns, rows, Long::Wrapped, Some(12)), expected);
    }

    #[test]
    fn what_does_not_fit_is_written_one_value_a_line() {
        let columns = [Column::number("first"), Column::text("path")];
        let expected = "\
── row 1 ──
first  1234567
path   /usr/lib…
── row 2 ──
first  7
path   -
";
        let rows: &[&[&str]] = &[&["1234567", "/usr/lib/x86"], &["7", "-"]];
        assert_eq!(render(&columns, rows, Long::Cut, Some(16)), expected);
    }

    #[test]
    fn later_rows_follow_without_a_header() {
        let columns = [Column::text("path")];
        let mut out = Vec::new();
        write_more(&columns, &[vec!["x".to_string()]], 5, Long::Cut, None, &mut out).unwrap();
        assert_eq!(out, b"x\n");
    }
}
