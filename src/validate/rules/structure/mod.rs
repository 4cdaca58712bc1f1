//! The sections of a template and what may be in them.

mod globals;
mod limits;
mod logical_id;
mod mapping;
mod output;
mod parameter;
mod resource;
mod resources;
mod section;
mod transform;
mod version;

use crate::validate::Rule;

/// The rules of this family.
pub(super) const RULES: &[Rule] = &[
    section::RULE,
    version::RULE,
    resources::RULE,
    resource::RULE,
    logical_id::RULE,
    parameter::RULE,
    mapping::RULE,
    output::RULE,
    transform::RULE,
    globals::RULE,
    limits::RULE,
];
