//! The views: one SQL file each under `queries/views/`, embedded by `build.rs`.
//!
//! A file is named after its view. Its comment header says what it is for people: `-- # Title`,
//! lines of prose, and `-- @column NAME  MEANING` for every column.

/// Every view: its name and its SQL.
const VIEWS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/views.rs"));

/// A view as its file describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Its name in SQL.
    pub name: &'static str,
    /// Title.
    pub title: String,
    /// What one row is, and what to know about it.
    pub doc: String,
    /// Name and meaning of every column, in order.
    pub columns: Vec<(String, String)>,
    /// The query, with its header.
    pub sql: &'static str,
}

/// Every view, by name.
pub fn all() -> Vec<View> {
    VIEWS.iter().map(|(name, sql)| parse(name, sql)).collect()
}

pub(crate) fn parse(name: &'static str, sql: &'static str) -> View {
    let mut view =
        View { name, title: String::new(), doc: String::new(), columns: Vec::new(), sql };
    let header = sql.lines().map_while(|line| line.strip_prefix("--"));
    for line in header.map(str::trim) {
        if let Some(title) = line.strip_prefix("# ") {
            view.title = title.to_string();
        } else if let Some(column) = line.strip_prefix("@column ") {
            let (name, doc) = column.trim().split_once(' ').unwrap_or((column.trim(), ""));
            view.columns.push((name.to_string(), doc.trim().to_string()));
        } else if !line.starts_with('@') {
            if !view.doc.is_empty() {
                view.doc.push(' ');
            }
            view.doc.push_str(line);
        }
    }
    view
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_view_says_what_it_is() {
        let views = all();
        assert!(views.iter().any(|view| view.name == "events"));
        for view in views {
            assert!(!view.title.is_empty(), "{}: no title", view.name);
            assert!(
                view.doc.starts_with("One row per "),
                "{}: the prose begins with the grain",
                view.name
            );
            assert!(
                view.columns.iter().all(|(_, doc)| !doc.is_empty()),
                "{}: a column without meaning",
                view.name
            );
        }
    }
}
