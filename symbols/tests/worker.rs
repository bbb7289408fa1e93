//! The process that reads untrusted files, as the tests start it.

fn main() -> std::io::Result<()> {
    symbols::worker()
}
