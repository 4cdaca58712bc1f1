//! How traffic is shifted to a new version.

mod alias;
mod strategy;

use crate::validate::Rule;

/// The rules of this family.
pub(super) const RULES: &[Rule] = &[alias::RULE, strategy::RULE];
