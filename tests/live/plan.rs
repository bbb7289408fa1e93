//! What a recording would be, without one.
