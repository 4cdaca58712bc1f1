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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use time::macros::date;

    use super::*;
    use crate::template::read::read_bytes;
    use crate::ui::diagnostic::{Style, text};
    use crate::validate::{Entry, Listing, Options, validate};

    fn found(template: &str) -> (Vec<&'static str>, String) {
        let template = read_bytes("template.yaml", template.as_bytes()).expect("an example is YAML");
        let mut files = Listing::default();
        let folder = |names: &[&str]| Entry::Folder(names.iter().map(|name| (*name).to_owned()).collect());
        files.insert(".", folder(&["template.yaml", "src"]));
        files.insert("src", folder(&["app.py"]));
        for path in files::wanted(&template) {
            if files.get(&path).is_none() {
                files.insert(path, Entry::Missing);
            }
        }
        let found = validate(&template, Options { today: date!(2026 - 11 - 23), files: Some(&files) });
        (found.items.iter().map(|item| item.rule).collect(), text(&found, Style::Plain))
    }

    #[test]
    fn every_rule_has_a_name_of_its_own_a_reason_and_examples_that_hold() {
        let mut ids = BTreeSet::new();
        for rule in all() {
            assert!(ids.insert(rule.id), "{} is there twice", rule.id);
            assert!(rule.why.ends_with('.') && rule.why.len() > 20, "{}", rule.id);
            let (right, shown) = found(rule.right);
            assert!(right.is_empty(), "the right example of {}:\n{shown}", rule.id);
            // An example of 501 resources helps nobody: that rule has a test of its own.
            if !rule.wrong.is_empty() {
                let (wrong, shown) = found(rule.wrong);
                assert!(wrong.contains(&rule.id), "the wrong example of {}:\n{shown}", rule.id);
            }
        }
    }
}
