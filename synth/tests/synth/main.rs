//! Made-up traces as their readers see them: whole, the same each time, and true.

mod leaks;
mod locks;
mod read;
mod storm;
mod traces;
