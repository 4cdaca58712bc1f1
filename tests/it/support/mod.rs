//! The built binary in a clean environment, and what it left behind.
