//! Places in SQL.

/// A stretch of one line of SQL; both numbers count from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Line.
    pub line: usize,
    /// Column of its first character.
    pub column: usize,
    /// Number of characters, at least one.
    pub width: usize,
}

impl Place {
    /// The only occurrence of a word in `sql`, if it has one. Names are written in either case.
    pub(crate) fn of_word(sql: &str, word: &str) -> Option<Place> {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let (sql, word) = (sql.to_ascii_lowercase(), word.to_ascii_lowercase());
        let mut found = sql.match_indices(&word).map(|(start, _)| start).filter(|start| {
            let (before, after) = (&sql[..*start], &sql[start + word.len()..]);
            !before.ends_with(is_part) && !after.starts_with(is_part)
        });
        let start = found.next()?;
        found.next().is_none().then(|| Place::at(&sql[..start], word.chars().count().max(1)))
    }

    /// The SQL before this place.
    pub(crate) fn before<'a>(&self, sql: &'a str) -> &'a str {
        let mut start = 0;
        for line in sql.split_inclusive('\n').take(self.line.saturating_sub(1)) {
            start += line.len();
        }
        let chars = sql[start..].chars();
        // Places count characters.
        let line: usize = chars.take(self.column.saturating_sub(1)).map(char::len_utf8).sum();
        &sql[..start + line]
    }

    /// Where `sql` ends.
    pub(crate) fn of_end(sql: &str) -> Place {
        Place::at(sql.trim_end(), 1)
    }

    /// What comes after `before`.
    fn at(before: &str, width: usize) -> Place {
        let line = before.rsplit('\n').next().unwrap_or(before);
        Place { line: before.matches('\n').count() + 1, column: line.chars().count() + 1, width }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_has_a_place_when_it_occurs_once() {
        let check = |sql: &str, word: &str, expected: Option<(usize, usize, usize)>| {
            let place = Place::of_word(sql, word);
            assert_eq!(place.map(|place| (place.line, place.column, place.width)), expected);
        };
        check("SELECT é, Nope\nFROM x", "nope", Some((1, 11, 4)));
        check("SELECT 1\nFROM x WHERE y = 'x'", "'x'", Some((2, 18, 3)));
        check("SELECT a, a", "a", None);
        check("SELECT ab, a_b", "a", None);
    }

    #[test]
    fn the_end_is_after_the_last_character() {
        assert_eq!(Place::of_end("SELECT\n 1 +\n"), Place { line: 2, column: 5, width: 1 });
    }
}
