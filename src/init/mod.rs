//! Application templates, embedded in the binary.
