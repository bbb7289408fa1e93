//! Aligned columns of text, fitted to the width of a terminal.

use std::io::{self, Write};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Between two columns.
const GAP: usize = 2;
/// A text column is not cut below this width.
const TEXT_WIDTH_MIN: usize = 8;

/// How a column is laid out.
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

/// A layout made for some rows, to write these and more.
pub struct Grid {
    columns: Vec<Column>,
    widths: Vec<usize>,
    /// Whether cells longer than their column are cut.
    is_cut: bool,
}

impl Grid {
    /// Lays out columns for `rows`. None when they do not fit into `width` even with text cut.
    pub fn fit(columns: &[Column], rows: &[Vec<String>], width: Option<usize>) -> Option<Grid> {
        let mut widths: Vec<usize> = columns.iter().map(|column| column.name.width()).collect();
        let headers = widths.clone();
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        if let Some(limit) = width {
            let gaps = GAP * columns.len().saturating_sub(1);
            while widths.iter().sum::<usize>() + gaps > limit {
                // The widest text column gives way.
                let cut = |index: &usize| {
                    !columns[*index].is_number
                        && widths[*index] > headers[*index].max(TEXT_WIDTH_MIN)
                };
                let widest = (0..columns.len()).filter(cut).max_by_key(|index| widths[*index])?;
                widths[widest] -= 1;
            }
        }
        Some(Grid { columns: columns.to_vec(), widths, is_cut: width.is_some() })
    }

    /// Writes the names of the columns, underlined.
    pub fn write_header(&self, out: &mut dyn Write) -> io::Result<()> {
        let names: Vec<String> = self.columns.iter().map(|column| column.name.clone()).collect();
        self.write_row(&names, out)?;
        let rules: Vec<String> = self.widths.iter().map(|width| "─".repeat(*width)).collect();
        self.write_row(&rules, out)
    }

    /// Writes one row.
    pub fn write_row(&self, row: &[String], out: &mut dyn Write) -> io::Result<()> {
        let mut line = String::new();
        for ((cell, column), width) in row.iter().zip(&self.columns).zip(&self.widths) {
            let cell = if self.is_cut { cut(cell, *width) } else { cell.clone() };
            let padding = " ".repeat(width.saturating_sub(cell.width()));
            match column.is_number {
                true => line.extend([padding.as_str(), &cell]),
                false => line.extend([cell.as_str(), &padding]),
            }
            line.push_str(&" ".repeat(GAP));
        }
        writeln!(out, "{}", line.trim_end())
    }

    /// Writes a whole table; where it does not fit, one line for each value.
    pub fn write_all(
        columns: &[Column],
        rows: &[Vec<String>],
        width: Option<usize>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let Some(grid) = Grid::fit(columns, rows, width) else {
            return rows
                .iter()
                .enumerate()
                .try_for_each(|(index, row)| write_record(columns, row, index + 1, width, out));
        };
        grid.write_header(out)?;
        rows.iter().try_for_each(|row| grid.write_row(row, out))
    }
}

/// Writes a table whose last column is prose, which goes on below where it does not fit.
pub fn write_wrapped(
    columns: &[Column],
    rows: &[Vec<String>],
    width: Option<usize>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let Some(grid) = Grid::fit(columns, rows, width) else {
        return Grid::write_all(columns, rows, width, out);
    };
    grid.write_header(out)?;
    let room = grid.widths.last().copied().unwrap_or(TEXT_WIDTH_MIN);
    for row in rows {
        let prose = row.last().map_or_else(Vec::new, |prose| wrap(prose, room));
        let mut line = row.clone();
        for part in prose {
            if let Some(last) = line.last_mut() {
                *last = part;
            }
            grid.write_row(&line, out)?;
            line.iter_mut().for_each(String::clear);
        }
    }
    Ok(())
}

/// The words of `text` in lines of at most `width`; there is at least one line.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines
            .last_mut()
            .filter(|line| line.is_empty() || line.width() + 1 + word.width() <= width);
        match line {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) => line.extend([" ", word]),
            None => lines.push(word.to_string()),
        }
    }
    lines
}

/// Writes one row as a block of lines, one for each column.
pub fn write_record(
    columns: &[Column],
    row: &[String],
    number: usize,
    width: Option<usize>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let label = columns.iter().map(|column| column.name.width()).max().unwrap_or(0);
    writeln!(out, "── row {number} ──")?;
    for (column, cell) in columns.iter().zip(row) {
        let name = &column.name;
        let padding = " ".repeat(label - name.width());
        let room =
            width.map_or(usize::MAX, |width| width.saturating_sub(label + GAP).max(TEXT_WIDTH_MIN));
        writeln!(out, "{}", format!("{name}{padding}  {}", cut(cell, room)).trim_end())?;
    }
    Ok(())
}

/// `text` cut to `width` columns, the last of them an ellipsis.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_string();
    }
    let mut out = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > width {
            break;
        }
        out.push(c);
    }
    out.push('…');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(columns: &[Column], rows: &[&[&str]], width: Option<usize>) -> String {
        let rows: Vec<Vec<String>> =
            rows.iter().map(|row| row.iter().map(ToString::to_string).collect()).collect();
        let mut out = Vec::new();
        Grid::write_all(columns, &rows, width, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_stand_at_the_right_and_text_at_the_left() {
        let columns = [Column::text("comm"), Column::number("n")];
        assert_eq!(
            render(&columns, &[&["sh", "5"], &["漢字x", "12"]], None),
            "\
comm    n
─────  ──
sh      5
漢字x  12
"
        );
    }

    #[test]
    fn text_gives_way_to_fit_and_numbers_do_not() {
        let columns = [Column::text("path"), Column::number("n")];
        assert_eq!(
            render(&columns, &[&["/usr/lib/x86_64-linux-gnu", "123456"]], Some(20)),
            "\
path               n
────────────  ──────
/usr/lib/x8…  123456
"
        );
    }

    #[test]
    fn prose_goes_on_below() {
        let columns = [Column::text("a"), Column::text("about")];
        let rows =
            [vec!["x".to_string(), "one two three".to_string()], vec!["y".into(), String::new()]];
        let mut out = Vec::new();
        write_wrapped(&columns, &rows, Some(12), &mut out).unwrap();
        let expected = "a  about\n─  ─────────\nx  one two\n   three\ny\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn what_does_not_fit_is_written_one_value_a_line() {
        let columns = [Column::number("first"), Column::number("n")];
        assert_eq!(
            render(&columns, &[&["1234567", "1234567"]], Some(10)),
            "\
── row 1 ──
first  1234567
n      1234567
"
        );
    }
}
