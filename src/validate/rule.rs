//! What a rule is: an identifier, the reason, an example of wrong and of right, and the check.

use super::Subject;
use crate::diagnostic::Diagnostic;

/// A rule. Its table row is its documentation, and its examples are its first test.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Stable identifier, such as `reference/unknown`; every finding of the rule bears it.
    pub id: &'static str,
    /// Why it matters: what CloudFormation, SAM or Lambda would do.
    pub why: &'static str,
    /// A template that breaks it.
    pub wrong: &'static str,
    /// The same template mended; no rule has anything against it.
    pub right: &'static str,
    /// Looks at the template and adds what it finds.
    pub check: fn(&Subject<'_>, &mut Vec<Diagnostic>),
}
