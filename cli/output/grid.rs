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
    /// Numbers stand at the right, and are never cut.
    pub is_number: bool,
}

impl Column {
    /// A column of text.
    pub fn text(name: &str) -> Column {
        Column { name: name.to_string(), is_number: false }
    }

    /// A column of numbers.
    pub fn number(name: &str) -> Column {
        Column { name: name.to_string(), is_number: true }
    }
}

/// Writes a table of one line a row: text that is too long is cut.
pub fn write_table(
    columns: &[Column],
    rows: &[Vec<String>],
    width: Option<usize>,
    out: &mut dyn Write,
) -> io::Result<()> {
    write_rows(columns, rows, 0, width, out)
}

/// Writes rows of a table that `before` of were written already; the header goes before the first.
/// Where they do not fit, each value gets a line.
pub fn write_rows(
    columns: &[Column],
    rows: &[Vec<String>],
    before: usize,
    width: Option<usize>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let is_whole: Vec<bool> = columns.iter().map(|column| column.is_number).collect();
    let grid = Grid { columns, is_whole: &is_whole, is_wrapped: false, width };
    grid.write(rows, before, out)
}

/// Writes a table whose last column is prose, which goes on below where it does not fit.
pub fn write_wrapped(
    columns: &[Column],
    rows: &[Vec<String>],
    width: Option<usize>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let is_whole: Vec<bool> = (1..=columns.len()).map(|n| n < columns.len()).collect();
    Grid { columns, is_whole: &is_whole, is_wrapped: true, width }.write(rows, 0, out)
}

/// How rows are laid out.
struct Grid<'a> {
    columns: &'a [Column],
    /// Which columns are as wide as what is in them.
    is_whole: &'a [bool],
    /// Whether other text goes on below; otherwise it is cut.
    is_wrapped: bool,
    /// Width of the terminal; without one nothing is cut.
    width: Option<usize>,
}

impl Grid<'_> {
    fn write(&self, rows: &[Vec<String>], before: usize, out: &mut dyn Write) -> io::Result<()> {
        let mut table = self.table();
        table.set_header(self.columns.iter().map(|column| &column.name));
        for (column, laid_out) in self.columns.iter().zip(table.column_iter_mut()) {
            if column.is_number {
                laid_out.set_cell_alignment(CellAlignment::Right);
            }
        }
        if self.fill(&mut table, rows, self.is_whole) {
            let lines = table.trim_fmt();
            // The header is there for its width.
            let skipped = if before > 0 { 2 } else { 0 };
            return lines.lines().skip(skipped).try_for_each(|line| writeln!(out, "{line}"));
        }
        for (number, row) in (before + 1..).zip(rows) {
            let mut table = self.table();
            let values = self.columns.iter().zip(row).map(|(column, value)| [&column.name, value]);
            self.fill(&mut table, values, &[true, false]);
            writeln!(out, "── row {number} ──\n{}", table.trim_fmt())?;
        }
        Ok(())
    }

    /// A table without borders; a rule is below the header, if there is one.
    fn table(&self) -> Table {
        let mut table = Table::new();
        table
            .load_preset(NOTHING)
            .set_style(TableComponent::HeaderLines, '─')
            .set_truncation_indicator("…");
        if let Some(width) = self.width {
            table
                .set_content_arrangement(ContentArrangement::Dynamic)
                .set_width(u16::try_from(width).unwrap_or(u16::MAX));
        }
        if !self.is_wrapped {
            // Cut at the width, not between words.
            table.set_delimiter('\n');
        }
        table
    }

    /// Adds rows and chooses the widths of columns; whether they fit.
    fn fill(
        &self,
        table: &mut Table,
        rows: impl IntoIterator<Item: Into<Row>>,
        is_whole: &[bool],
    ) -> bool {
        let headers = table.column_max_content_widths();
        let is_cut = self.width.is_some() && !self.is_wrapped;
        table.add_rows(rows.into_iter().map(|row| {
            let mut row: Row = row.into();
            if is_cut {
                row.max_height(1);
            }
            row
        }));
        let contents = table.column_max_content_widths();
        let mut least = 0;
        for (index, column) in table.column_iter_mut().enumerate() {
            let gap = if index + 1 < contents.len() { GAP } else { 0 };
            column.set_padding((0, gap));
            let (width, constraint) = if is_whole[index] {
                (contents[index], ColumnConstraint::ContentWidth)
            } else {
                let header = headers.get(index).copied().unwrap_or(0);
                let width = contents[index].min(header.max(TEXT_WIDTH_MIN));
                (width, ColumnConstraint::LowerBoundary(Width::Fixed(width + gap)))
            };
            column.set_constraint(constraint);
            least += usize::from(width) + usize::from(gap);
        }
        self.width.is_none_or(|width| least <= width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Writer =
        fn(&[Column], &[Vec<String>], Option<usize>, &mut dyn Write) -> std::io::Result<()>;

    fn render(write: Writer, columns: &[Column], rows: &[&[&str]], width: Option<usize>) -> String {
        let rows: Vec<Vec<String>> =
            rows.iter().map(|row| row.iter().map(ToString::to_string).collect()).collect();
        let mut out = Vec::new();
        write(columns, &rows, width, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_stand_at_the_right_and_text_at_the_left() {
        let columns = [Column::text("comm"), Column::number("n")];
        assert_eq!(
            render(write_table, &columns, &[&["sh", "5"], &["漢字x", "12"]], None),
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
        assert_eq!(render(write_table, &columns, rows, Some(29)), expected);
    }

    #[test]
    fn nothing_is_cut_without_a_width() {
        let columns = [Column::text("path")];
        let long = "x ".repeat(500) + "x";
        let out = render(write_table, &columns, &[&[&long]], None);
        assert_eq!(out.lines().nth(2), Some(long.as_str()));
    }

    #[test]
    fn prose_goes_on_below() {
        let columns = [Column::text("a"), Column::text("about")];
        let expected = "\
a  about
────────────
x  one two
   three
y
";
        let rows: &[&[&str]] = &[&["x", "one two three"], &["y", ""]];
        assert_eq!(render(write_wrapped, &columns, rows, Some(12)), expected);
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
        assert_eq!(render(write_table, &columns, rows, Some(16)), expected);
    }

    #[test]
    fn later_rows_follow_without_a_header() {
        let columns = [Column::text("path")];
        let mut out = Vec::new();
        write_rows(&columns, &[vec!["x".to_string()]], 5, None, &mut out).unwrap();
        assert_eq!(out, b"x\n");
    }
}
