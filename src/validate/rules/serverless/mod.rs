//! SAM's types, by the tables of the transform.

use crate::validate::Rule;

/// The rules of this family.
pub(super) const RULES: &[Rule] = &[];
