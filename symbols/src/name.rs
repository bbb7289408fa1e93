//! Names of functions as people write them: demangled, and with an end.

use std::fmt::{self, Write};

use cpp_demangle::DemangleOptions;

/// Bytes of a name or path. A name of some hundred bytes can stand for one of gigabytes, and C++
/// templates often stand for some thousand.
pub const BYTES_MAX: usize = 1000;

/// What shows that a name was cut.
const CUT: char = '…';

/// The name behind a symbol; none if it is empty.
pub fn demangle(symbol: &str) -> Option<String> {
    // The part of a function that hardly runs, which compilers put elsewhere.
    let symbol = symbol.strip_suffix(".cold").unwrap_or(symbol);
    let name = is_mangled(symbol).then(|| rust(symbol).or_else(|| cpp(symbol))).flatten();
    let name = name.unwrap_or_else(|| cut(symbol));
    (!name.is_empty()).then_some(name)
}

/// Whether a symbol is one of C++ or Rust. The demanglers would take some names of C for types.
pub fn is_mangled(symbol: &str) -> bool {
    ["_Z", "__Z", "_R", "___Z"].iter().any(|prefix| symbol.starts_with(prefix))
}

/// At most [`BYTES_MAX`] bytes of a text.
pub fn cut(text: &str) -> String {
    let mut out = Bounded::default();
    // The rest being cut is what it is for.
    let _ = out.write_str(text);
    out.finish()
}

fn rust(symbol: &str) -> Option<String> {
    let name = rustc_demangle::try_demangle(symbol).ok()?;
    let mut out = Bounded::default();
    let written = write!(out, "{name:#}");
    (written.is_ok() || out.is_cut).then(|| out.finish())
}

fn cpp(symbol: &str) -> Option<String> {
    let parsed = cpp_demangle::Symbol::new(symbol).ok()?;
    let mut out = Bounded::default();
    let written = parsed.structured_demangle(&mut out, &DemangleOptions::new());
    (written.is_ok() || out.is_cut).then(|| out.finish())
}

/// A text that takes no more than [`BYTES_MAX`] bytes and then fails.
#[derive(Default)]
struct Bounded {
    text: String,
    is_cut: bool,
}

impl Bounded {
    fn finish(mut self) -> String {
        if self.is_cut {
            self.text.push(CUT);
        }
        self.text
    }
}

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = BYTES_MAX - self.text.len();
        self.text.push_str(&text[..text.floor_char_boundary(room)]);
        self.is_cut |= text.len() > room;
        if self.is_cut { Err(fmt::Error) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_source() {
        let check = |symbol: &str, name: &str| assert_eq!(demangle(symbol).as_deref(), Some(name));
        check("main", "main");
        check("i", "i");
        check("_ZN3foo3barEv", "foo::bar()");
        check("_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE", "core::fmt::Write::write_fmt");
        check("_RNvCskwGfYPst2Cb_3foo3bar", "foo::bar");
        check(
            "_ZNSt6vectorIiSaIiEE9push_backERKi",
            "std::vector<int, std::allocator<int> >::push_back(int const&)",
        );
        check("_Z3foov.constprop.0", "foo() [clone .constprop.0]");
        check("_Z3foov.cold", "foo()");
        check("_Znot mangled", "_Znot mangled");
        assert_eq!(demangle(""), None);
    }

    #[test]
    fn a_name_has_an_end() {
        // Each of these refers twice to the one before it.
        let mut bomb = String::from("_Z1f1aIiiE");
        for n in 0..40 {
            let digit =
                |n: usize| char::from_digit(n as u32, 36).unwrap_or('z').to_ascii_uppercase();
            bomb.push_str(&format!("1aIS{0}_S{0}_E", digit(n)));
        }
        for symbol in [bomb, "x".repeat(5000), format!("{}é", "x".repeat(999))] {
            let name = demangle(&symbol).expect("a name");
            assert!(name.len() <= BYTES_MAX + CUT.len_utf8(), "{} bytes", name.len());
            assert!(name.ends_with(CUT));
        }
        assert_eq!(cut(&"x".repeat(BYTES_MAX)).len(), BYTES_MAX);
    }
}
