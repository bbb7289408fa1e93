//! The names that SQL can use, and which one a misspelt name was meant to be.

use strsim::osa_distance;

/// Names that a misspelt one is compared with.
pub struct Names {
    /// Tables and views.
    pub tables: Vec<String>,
    /// Columns of all tables.
    pub columns: Vec<String>,
    /// Functions.
    pub functions: Vec<String>,
    /// Whether files can be named as well.
    pub are_files_allowed: bool,
}

/// The candidate that `name` was probably meant to be.
pub fn closest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    let name = name.to_lowercase();
    let limit = (name.chars().count() / 3).clamp(1, 3);
    candidates
        .map(|candidate| (osa_distance(&name, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| {
            *distance <= limit || (name.len() >= 3 && candidate.starts_with(name.as_str()))
        })
        .min()
        .map(|(_, candidate)| candidate.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_its_name_and_noise_does_not() {
        let names = ["comm", "syscall", "duration_ns", "pid"];
        let check = |typed: &str, expected: Option<&str>| {
            assert_eq!(closest(typed, names.into_iter()).as_deref(), expected, "{typed}");
        };
        check("com", Some("comm"));
        check("sycsall", Some("syscall"));
        check("duration", Some("duration_ns"));
        check("COMM", Some("comm"));
        check("zebra", None);
    }
}
