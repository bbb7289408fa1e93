//! The views: one SQL file each under `queries/views/`. A file is named after its view.

use crate::header::{self, Header};
use crate::library;

/// A view as its file describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Its name in SQL.
    pub name: &'static str,
    /// What it says about itself.
    pub header: Header,
    /// The query, with its header.
    pub sql: &'static str,
}

/// Every view, by name.
pub fn all() -> Vec<View> {
    library::folder("views").map(|(_, name, sql)| view(name, sql)).collect()
}

/// A test reads every header; one of a file that was never tested is taken for empty.
pub(crate) fn view(name: &'static str, sql: &'static str) -> View {
    View { name, header: header::parse(sql).unwrap_or_default(), sql }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_view_says_what_it_is() {
        let views = all();
        assert!(views.iter().any(|view| view.name == "events"));
        for view in views {
            let header = header::parse(view.sql).unwrap();
            assert!(!header.title.is_empty(), "{}: no title", view.name);
            assert!(
                header.doc.starts_with("One row per "),
                "{}: the prose begins with the grain",
                view.name
            );
            assert!(
                header.columns.iter().all(|column| !column.doc.is_empty()),
                "{}: a column without meaning",
                view.name
            );
        }
    }
}
