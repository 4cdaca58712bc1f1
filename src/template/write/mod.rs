//! From nodes back to text: YAML with short tags, or JSON. The order is kept.

mod json;
mod yaml;

pub use json::json;
pub use yaml::yaml;
