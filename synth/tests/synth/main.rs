//! Made-up traces as their readers see them: whole, the same each time, and true.

mod attacks;
mod disk;
mod hot;
mod leaks;
mod locks;
mod read;
mod retransmits;
mod storm;
mod traces;
