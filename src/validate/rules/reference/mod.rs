//! Functions and the names that they mention.

mod circular;
mod condition;
mod function;
mod mapping;
mod names;
mod sub;
mod unknown;

use crate::validate::Rule;

/// The rules of this family.
pub(super) const RULES: &[Rule] =
    &[unknown::RULE, condition::RULE, mapping::RULE, function::RULE, sub::RULE, circular::RULE];
