//! Rules over templates: offline, in milliseconds, every problem at once. Pure: what folders hold comes
//! in as a [`Listing`], the date as a value.

pub mod listing;
pub mod rule;
pub mod rules;
mod shape;
pub mod subject;

use time::Date;

use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::template::Template;

pub use listing::{Entry, Listing};
pub use rule::Rule;
pub use subject::Subject;

/// What is known beside the template.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The day, for what becomes deprecated.
    pub today: Date,
    /// What the folders hold that the template names; `None` checks the template alone.
    pub files: Option<&'a Listing>,
}

/// Everything that is wrong with a template, in the order of the file.
pub fn validate(template: &Template, options: Options<'_>) -> Diagnostics {
    let subject = Subject::new(template, options);
    let mut items = Vec::new();
    for rule in rules::all() {
        (rule.check)(&subject, &mut items);
    }
    let mut found = Diagnostics::new(template.source.clone(), items);
    found.sort();
    deduplicate(&mut found.items);
    found
}

/// An anchor that is used in several places is wrong once; of two findings that say the same about
/// one place the first stays.
fn deduplicate(items: &mut Vec<Diagnostic>) {
    let mut seen = std::collections::HashSet::new();
    items.retain(|item| item.span.is_none() || seen.insert((item.span, item.rule, item.message.clone())));
}

/// How many findings there are of each severity: errors, warnings, remarks.
pub fn count(found: &Diagnostics) -> (usize, usize, usize) {
    let of = |severity| found.items.iter().filter(|item| item.severity == severity).count();
    (of(Severity::Error), of(Severity::Warning), of(Severity::Info))
}
