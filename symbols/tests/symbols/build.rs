//! Programs to look names up in. A test whose tools are missing passes over it and says so.

use std::path::{Path, PathBuf};
use std::process::Command;

/// C with a chain of inlined functions.
pub const INLINED: &str = r#"
volatile int sink;
static inline __attribute__((always_inline)) int leaf(int x) {
    sink = x;
    return x * 3;
}
static inline __attribute__((always_inline)) int middle(int x) {
    sink = x + 1;
    return leaf(x + 2);
}
__attribute__((noinline)) int outer(int x) {
    sink = x + 3;
    return middle(x) + leaf(x);
}
static __attribute__((noinline)) int hidden(int x) {
    sink = x + 4;
    return outer(x) + 1;
}
int main(int argc, char **argv) {
    (void)argv;
    return hidden(argc) == 7;
}
"#;

/// C++ with what makes names long.
pub const CPP: &str = r#"
#include <string>
#include <vector>
#include <map>
#include <memory>
#include <functional>
volatile int sink;
namespace outer { namespace {
template <typename T, int N> struct Box {
    T value[N];
    __attribute__((noinline)) T &operator[](int at) { sink = at; return value[at]; }
    template <typename F> __attribute__((noinline)) void each(F &&f) { for (auto &v : value) f(v); }
    explicit operator bool() const { return N > 0; }
    ~Box() { sink = N; }
}; }
class Shape { public: virtual ~Shape() {} virtual double area() const = 0; };
class Square final : public Shape { double side; public: Square(double s) : side(s) {}
    double area() const override { sink = 2; return side * side; } };
int run(int argc) {
    Box<std::string, 3> box;
    box.each([&](std::string &s) { s += std::to_string(argc); });
    std::map<std::string, std::vector<int>> map;
    map[box[argc % 3]].push_back(argc);
    std::function<int(int)> f = [&](int x) { return (int)map.size() + x; };
    std::unique_ptr<Shape> shape(new Square(argc));
    return f(argc) + (int)shape->area();
} }
int main(int argc, char **) { return outer::run(argc); }
"#;

/// Rust with generics, traits and closures.
pub const RUST: &str = r#"
use std::collections::BTreeMap;
trait Shape { fn area(&self) -> f64; }
struct Square<T>(T);
impl Shape for Square<f64> { #[inline(never)] fn area(&self) -> f64 { self.0 * self.0 } }
#[inline(never)]
fn each<F: Fn(u64) -> u64>(n: u64, f: F) -> u64 { (0..n).map(|x| f(x)).filter(|x| x % 3 != 1).sum() }
mod inner { #[inline(never)] pub fn run(n: u64) -> u64 {
    let mut map = std::collections::BTreeMap::new();
    for x in 0..n { map.entry(x % 7).or_insert_with(Vec::new).push(x.to_string()); }
    map.values().flatten().map(|text| text.len() as u64).sum() } }
fn main() {
    let n = std::env::args().count() as u64;
    let map: BTreeMap<u64, String> = (0..n).map(|x| (x, format!("{x:?}"))).collect();
    let shape: Box<dyn Shape> = Box::new(Square(n as f64));
    println!("{} {} {} {}", each(n, |x| x * n), inner::run(n), map.len(), shape.area());
}
"#;

/// Whether tools are there; says it if not.
pub fn has(tools: &[&str]) -> bool {
    tools.iter().all(|tool| {
        let found = Command::new(tool).arg("--version").output().is_ok();
        if !found {
            eprintln!("skipped: there is no `{tool}` here");
        }
        found
    })
}

/// Runs a tool that has to succeed.
pub fn run(tool: &str, arguments: &[&str]) -> String {
    let output = Command::new(tool).args(arguments).output().expect("a tool that is there");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool} {arguments:?}: {error}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Compiles a source into a program.
pub fn compile(dir: &Path, name: &str, compiler: &str, source: &str, flags: &[&str]) -> PathBuf {
    let extension = match compiler {
        "cc" => "c",
        "c++" => "cc",
        _ => "rs",
    };
    let (source_file, out) = (dir.join(format!("{name}.{extension}")), dir.join(name));
    std::fs::write(&source_file, source).expect("a source");
    let mut arguments = flags.to_vec();
    arguments.extend([text(&source_file), "-o", text(&out)]);
    run(compiler, &arguments);
    out
}

/// A program of C with inlined functions, debug information and a build-id.
pub fn inlined(dir: &Path) -> PathBuf {
    compile(dir, "program", "cc", INLINED, &["-O2", "-g", "-Wl,--build-id"])
}

/// A path as text.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("a path that is text")
}

/// The build-id of a program.
pub fn build_id(program: &Path) -> String {
    let notes = run("readelf", &["-n", text(program)]);
    let id = notes.lines().find_map(|line| line.trim().strip_prefix("Build ID: "));
    id.expect("a build-id").to_string()
}

/// The functions of a program that `nm` lists: address, bytes, name.
pub fn symbols(program: &Path) -> Vec<(u64, u64, String)> {
    let list = run("nm", &["-S", "--defined-only", text(program)]);
    let symbol = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [address, size, kind, name] = words.try_into().ok()?;
        let number = |text| u64::from_str_radix(text, 16).ok();
        matches!(kind, "t" | "T" | "W" | "w").then_some((
            number(address)?,
            number(size)?,
            name.into(),
        ))
    };
    list.lines().filter_map(symbol).collect()
}

/// The address of a function.
pub fn address(program: &Path, name: &str) -> u64 {
    let found = symbols(program).into_iter().find(|symbol| symbol.2 == name);
    found.unwrap_or_else(|| panic!("there is no {name}")).0
}

/// Where in the file an address is, by its program headers.
pub fn offset_of(program: &Path, address: u64) -> u64 {
    for line in run("readelf", &["-lW", text(program)]).lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.first() == Some(&"LOAD") {
            let number = |at: usize| {
                u64::from_str_radix(words[at].trim_start_matches("0x"), 16).expect("a number")
            };
            let (offset, start, size) = (number(1), number(2), number(4));
            if (start..start + size).contains(&address) {
                return address - start + offset;
            }
        }
    }
    panic!("{address:#x} is not in the file");
}
