//! Every rule, by family. A family's `mod.rs` has one row a rule.

pub mod deployment;
pub mod files;
pub mod lambda;
pub mod reference;
pub mod serverless;
pub mod structure;

use super::Rule;

/// Every rule, in the order in which they are looked at.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    [structure::RULES, reference::RULES, serverless::RULES, lambda::RULES, deployment::RULES, files::RULES]
        .into_iter()
        .flatten()
        
}
