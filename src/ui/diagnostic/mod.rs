//! Findings as people and programs read them.

mod json;
mod text;

pub use json::{Finding, json};
pub use text::{Style, text};
