//! Patterns of paths as a tree, in which a folder with many children has one: `*`.
//!
//! What was below the children is put together, so that `/home/a/.profile`, `/home/b/.profile`, ... become
//! `/home/*/.profile`. That depends on how many children there are and not on the order in which they come.

use std::collections::BTreeMap;

/// Children that a folder may have.
const CHILDREN_MAX: usize = 16;

/// Children that a folder may have whose names have a meaning each.
const CHILDREN_MAX_OF_NAMES: usize = 1024;

/// Such folders: a program that reads twenty files in `/etc` is not one that reads any file in `/etc`. Those in the
/// folder of a user are such, too.
const OF_NAMES: [&str; 15] = [
    "",
    "/bin",
    "/sbin",
    "/usr",
    "/usr/bin",
    "/usr/sbin",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/etc",
    "/root",
    "/root/.ssh",
    "/dev",
    "/proc",
    "/var",
    "/var/spool",
];

/// Steps that a search may take: a tree from a file may be made to have no end.
const STEPS_MAX: usize = 10_000;

/// What is known of a pattern.
pub trait Fold {
    /// Takes in what is known of another that has become the same pattern.
    fn fold(&mut self, other: Self);
}

/// The tree.
#[derive(Debug, Clone)]
pub struct Tree<T> {
    root: Node<T>,
    len: usize,
    children_max: usize,
    most: usize,
}

#[derive(Debug, Clone)]
struct Node<T> {
    children: BTreeMap<Box<str>, Node<T>>,
    /// Whether there were too many, so that those to come are `*`, too. One that is called `*` does not say so: it may
    /// be a number.
    is_folded: bool,
    value: Option<T>,
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Node { children: BTreeMap::new(), is_folded: false, value: None }
    }
}

impl<T: Fold> Tree<T> {
    /// A tree of at most `most` patterns: where there are more, folders may have fewer children.
    pub fn new(most: usize) -> Tree<T> {
        Tree { root: Node::default(), len: 0, children_max: CHILDREN_MAX, most }
    }

    /// A tree whose folders may have any number of children, as long as there are at most `most` patterns.
    pub fn of_names(most: usize) -> Tree<T> {
        Tree { children_max: CHILDREN_MAX_OF_NAMES, ..Tree::new(most) }
    }

    /// How many patterns there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Lowers how many patterns there may be.
    pub fn narrow(&mut self, most: usize) {
        self.most = self.most.min(most);
        self.shrink();
    }

    /// Adds a pattern.
    pub fn insert(&mut self, pattern: &str, value: T) {
        let (mut node, mut path) = (&mut self.root, String::new());
        // Of the parts of a path, the first is what stands before its first slash.
        for part in pattern.split('/') {
            let max = children_max(&path, self.children_max);
            let is_new = !part.is_empty() && !node.children.contains_key(part);
            if is_new && !node.is_folded && node.count() >= max {
                self.len -= node.fold_children();
                self.len -= node.limit(&mut path.clone(), self.children_max);
            }
            let name = if is_new && node.is_folded { "*" } else { part };
            path.push_str(name);
            path.push('/');
            node = node.children.entry(name.into()).or_default();
        }
        match &mut node.value {
            Some(known) => known.fold(value),
            None => {
                node.value = Some(value);
                self.len += 1;
            }
        }
        self.shrink();
    }

    fn shrink(&mut self) {
        while self.len > self.most && self.children_max > 1 {
            self.children_max /= 2;
            self.len -= self.root.limit(&mut String::new(), self.children_max);
        }
    }

    /// The pattern that a pattern or path is one of.
    pub fn find(&self, pattern: &str) -> Option<(String, &T)> {
        let parts: Vec<&str> = pattern.split('/').collect();
        let (mut path, mut steps) = (Vec::new(), STEPS_MAX);
        let value = self.root.find(&parts, &mut path, &mut steps)?;
        Some((path.join("/"), value))
    }

    /// All patterns, sorted by their parts.
    pub fn into_items(self) -> Vec<(String, T)> {
        let mut items = Vec::with_capacity(self.len);
        self.root.drain(&mut String::new(), true, &mut items);
        items
    }
}

/// How many children the folder at `path`, which ends with a slash, may have.
fn children_max(path: &str, usual: usize) -> usize {
    // Where a tree is too large, no folder has many.
    let has_names = usual >= CHILDREN_MAX && path.strip_suffix('/').is_some_and(is_of_names);
    if has_names { CHILDREN_MAX_OF_NAMES } else { usual }
}

fn is_of_names(folder: &str) -> bool {
    let is_of_user = |rest: &str| match rest.split_once('/') {
        None => !rest.is_empty(),
        Some((_, below)) => below == ".ssh",
    };
    OF_NAMES.contains(&folder) || folder.strip_prefix("/home/").is_some_and(is_of_user)
}

impl<T: Fold> Node<T> {
    /// How many children there are. What stands before the first slash of absolute paths is none.
    fn count(&self) -> usize {
        self.children.len() - usize::from(self.children.contains_key(""))
    }

    /// Makes one child of all. Returns how many patterns are gone.
    fn fold_children(&mut self) -> usize {
        self.is_folded = true;
        let absolute = self.children.remove_entry("");
        let mut all = Node::default();
        let gone =
            std::mem::take(&mut self.children).into_values().map(|child| all.absorb(child)).sum();
        self.children.extend(absolute);
        self.children.insert("*".into(), all);
        gone
    }

    /// Takes in another. Returns how many patterns are gone.
    fn absorb(&mut self, other: Node<T>) -> usize {
        let mut gone = 0;
        match (&mut self.value, other.value) {
            (Some(known), Some(value)) => {
                known.fold(value);
                gone += 1;
            }
            (None, Some(value)) => self.value = Some(value),
            (_, None) => {}
        }
        // What is folded in one is folded in both.
        let is_folded = self.is_folded || other.is_folded;
        for (name, child) in other.children {
            gone += self.children.entry(name).or_default().absorb(child);
        }
        if is_folded && !self.children.is_empty() {
            gone += self.fold_children();
        }
        gone
    }

    /// Folds every folder below `path` that has too many children. Returns how many patterns are gone.
    fn limit(&mut self, path: &mut String, usual: usize) -> usize {
        let mut gone = 0;
        if self.count() > children_max(path, usual) {
            gone += self.fold_children();
        }
        for (name, child) in &mut self.children {
            let length = path.len();
            path.push_str(name);
            path.push('/');
            gone += child.limit(path, usual);
            path.truncate(length);
        }
        gone
    }

    fn find<'a>(
        &'a self,
        parts: &[&str],
        path: &mut Vec<String>,
        steps: &mut usize,
    ) -> Option<&'a T> {
        *steps = steps.checked_sub(1)?;
        let Some((part, rest)) = parts.split_first() else { return self.value.as_ref() };
        // The first is what it is itself; then what was folded; then what people wrote.
        let exact = self.children.get_key_value(*part);
        let globs = self.children.iter().filter(|(name, _)| {
            name.as_ref() != *part && name.contains('*') && is_match(name, part)
        });
        for (name, child) in exact.into_iter().chain(globs) {
            path.push(name.to_string());
            let found = match name.as_ref() {
                // Any number of parts, at the end.
                "**" if child.value.is_some() => child.value.as_ref(),
                _ => child.find(rest, path, steps),
            };
            if found.is_some() {
                return found;
            }
            path.pop();
        }
        None
    }

    fn drain(self, path: &mut String, is_root: bool, items: &mut Vec<(String, T)>) {
        if let Some(value) = self.value {
            items.push((path.clone(), value));
        }
        for (name, child) in self.children {
            let length = path.len();
            if !is_root {
                path.push('/');
            }
            path.push_str(&name);
            child.drain(path, false, items);
            path.truncate(length);
        }
    }
}

/// Whether one part of a path is one of a pattern's. A pattern's own `\*` is a star that is meant.
pub fn is_match(pattern: &str, part: &str) -> bool {
    let pattern: Vec<(char, bool)> = letters(pattern);
    let part: Vec<char> = part.chars().collect();
    // Where to go on when a letter does not fit: behind the last star, one letter further.
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < part.len() {
        match pattern.get(p) {
            Some(('*', true)) => {
                star = Some((p, t));
                p += 1;
            }
            Some((c, false)) if *c == part[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|letter| *letter == ('*', true))
}

/// The letters of a pattern, and which of them are stars that stand for others.
pub fn letters(pattern: &str) -> Vec<(char, bool)> {
    let mut letters = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => letters.push((chars.next().unwrap_or('\\'), false)),
            c => letters.push((c, c == '*')),
        }
    }
    letters
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Fold for u32 {
        fn fold(&mut self, other: u32) {
            *self += other;
        }
    }

    fn tree(paths: &[String], most: usize) -> Vec<(String, u32)> {
        let mut tree = Tree::new(most);
        paths.iter().for_each(|path| tree.insert(path, 1));
        let len = tree.len();
        let items = tree.into_items();
        assert_eq!(len, items.len());
        items
    }

    fn numbered(count: usize, make: impl Fn(usize) -> String) -> Vec<String> {
        (0..count).map(make).collect()
    }

    #[test]
    fn few_children_keep_their_names() {
        let paths = numbered(16, |n| format!("/srv/data/f{n}"));
        assert_eq!(tree(&paths, 4096).len(), 16);
    }

    #[test]
    fn many_children_are_one_and_what_is_below_is_put_together() {
        let mut paths = numbered(30, |n| format!("/srv/u{n}/mail"));
        paths.extend(numbered(30, |n| format!("/srv/u{n}/news")));
        let items = tree(&paths, 4096);
        assert_eq!(items, [("/srv/*/mail".to_string(), 30), ("/srv/*/news".to_string(), 30)]);
    }

    #[test]
    fn the_order_does_not_matter() {
        let mut paths = numbered(20, |n| format!("/a/b{}/c{n}/d", n % 3));
        paths.extend(numbered(40, |n| format!("/a/b{}/c/d{n}", n % 18)));
        let sorted = tree(&paths, 4096);
        paths.reverse();
        assert_eq!(tree(&paths, 4096), sorted);
        paths.sort_by_key(|path| path.bytes().map(u64::from).map(|b| b * b).sum::<u64>());
        assert_eq!(tree(&paths, 4096), sorted);
    }

    #[test]
    fn names_in_folders_of_names_are_kept() {
        let paths = numbered(200, |n| format!("/etc/f{n}"));
        assert_eq!(tree(&paths, 4096).len(), 200);
    }

    #[test]
    fn a_number_among_names_does_not_swallow_them() {
        let paths = ["/proc/*/stat", "/proc/meminfo", "/srv/*/x", "/srv/a/x"].map(str::to_string);
        assert_eq!(tree(&paths, 4096).len(), 4);
    }

    #[test]
    fn relative_paths_are_apart_from_absolute_ones() {
        let mut paths = numbered(40, |n| format!("f{n}"));
        paths.push("/etc/hosts".to_string());
        let items = tree(&paths, 4096);
        assert_eq!(items, [("/etc/hosts".to_string(), 1), ("*".to_string(), 40)]);
    }

    #[test]
    fn there_are_never_more_than_may_be() {
        let paths = numbered(50_000, |n| {
            format!("/{}/{}/{}/{}/{}", n % 10, n / 10 % 10, n / 100 % 10, n / 1000 % 10, n / 10_000)
        });
        let items = tree(&paths, 64);
        assert!(items.len() <= 64, "{}", items.len());
        assert_eq!(items.iter().map(|(_, times)| times).sum::<u32>(), 50_000);
    }

    #[test]
    fn what_was_added_is_found() {
        let mut tree = Tree::new(4096);
        for path in numbered(100, |n| format!("/srv/u{n}/mail")) {
            tree.insert(&path, 1);
        }
        tree.insert("/etc/hosts", 1);
        tree.insert("/var/log/app-*.log", 1);
        tree.insert("/opt/x/**", 1);
        tree.insert("/odd/a\\*b", 1);
        let check = |path: &str, pattern: Option<&str>| {
            assert_eq!(tree.find(path).map(|(found, _)| found).as_deref(), pattern, "{path}");
        };
        check("/srv/u17/mail", Some("/srv/*/mail"));
        check("/srv/other/mail", Some("/srv/*/mail"));
        check("/srv/other/news", None);
        check("/etc/hosts", Some("/etc/hosts"));
        check("/etc/shadow", None);
        check("/var/log/app-*.log", Some("/var/log/app-*.log"));
        check("/var/log/app-x.log", Some("/var/log/app-*.log"));
        check("/opt/x/y/z", Some("/opt/x/**"));
        check("/opt/x", None);
        check("/odd/a\\*b", Some("/odd/a\\*b"));
        check("/odd/acb", None);
    }

    #[test]
    fn a_tree_made_to_have_no_end_is_given_up() {
        let mut tree = Tree::new(4096);
        tree.insert(&format!("/{}x", "*/a*/".repeat(60)), 1);
        tree.insert(&format!("/{}y", "a*/*/".repeat(60)), 1);
        assert!(tree.find(&format!("/{}z", "a/a/".repeat(60))).is_none());
    }
}
