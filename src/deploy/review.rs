//! What a change set would do, in an order that a person reads: what is lost first.

use crate::aws::cloudformation::{Action, ChangeDetail, ChangeSet, Replacement, ResourceChange};

/// The changes of one change set, sorted by what they mean.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Review {
    /// One row a resource.
    pub rows: Vec<Row>,
}

/// What happens to one resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What happens.
    pub effect: Effect,
    /// Its name in the template.
    pub logical_id: String,
    /// Its type.
    pub kind: String,
    /// What of it changes and why, a line each; names, never values.
    pub why: Vec<String>,
    /// Whether only what stands around it changes (tags, metadata, policies of the template): whoever
    /// uses it sees no difference.
    pub is_outward: bool,
}

/// What a change means for the resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// It is deleted.
    Removed,
    /// It is made anew and the old one deleted.
    Replaced,
    /// It may be made anew, depending on values that are not known yet.
    MayBeReplaced,
    /// It is changed where it is.
    Changed,
    /// It is made.
    Added,
    /// It is taken into the stack.
    Imported,
}

impl Effect {
    /// In a person's words.
    pub fn word(self) -> &'static str {
        match self {
            Self::Removed => "remove",
            Self::Replaced => "replace",
            Self::MayBeReplaced => "may replace",
            Self::Changed => "change",
            Self::Added => "add",
            Self::Imported => "import",
        }
    }

    /// The sign before a row, as SAM CLI's users know it.
    pub fn sign(self) -> char {
        match self {
            Self::Removed => '-',
            Self::Replaced | Self::MayBeReplaced => '!',
            Self::Changed => '*',
            Self::Added | Self::Imported => '+',
        }
    }
}

impl Review {
    /// From a change set.
    pub fn new(change_set: &ChangeSet) -> Self {
        let mut rows: Vec<Row> = change_set.changes.iter().map(row).collect();
        rows.sort_by(|left, right| (left.effect, &left.logical_id).cmp(&(right.effect, &right.logical_id)));
        Self { rows }
    }

    /// How many rows have this effect.
    pub fn count(&self, effect: Effect) -> usize {
        self.rows.iter().filter(|row| row.effect == effect).count()
    }
}

fn row(change: &ResourceChange) -> Row {
    let effect = match (change.action, change.replacement) {
        (Action::Remove, _) => Effect::Removed,
        (Action::Add, _) => Effect::Added,
        (Action::Import, _) => Effect::Imported,
        (Action::Modify | Action::Dynamic, Some(Replacement::Yes)) => Effect::Replaced,
        (Action::Modify | Action::Dynamic, Some(Replacement::Conditional)) => Effect::MayBeReplaced,
        (Action::Dynamic, None) => Effect::MayBeReplaced,
        (Action::Modify | Action::Dynamic, _) => Effect::Changed,
    };
    let mut why: Vec<String> = Vec::new();
    for line in change.details.iter().map(reason) {
        if !why.contains(&line) {
            why.push(line);
        }
    }
    // CloudFormation lists tags as an attribute of their own, beside `Properties`.
    let is_outward = effect == Effect::Changed
        && !change.details.is_empty()
        && change.details.iter().all(|detail| detail.attribute != "Properties");
    Row { effect, logical_id: change.logical_id.clone(), kind: change.kind.clone(), why, is_outward }
}

fn reason(detail: &ChangeDetail) -> String {
    let mut text = match &detail.name {
        Some(name) => name.clone(),
        None => detail.attribute.clone(),
    };
    match (detail.source.as_deref(), &detail.cause) {
        (Some("ParameterReference"), Some(cause)) => text.push_str(&format!(" (parameter {cause})")),
        (Some("ResourceReference" | "ResourceAttribute"), Some(cause)) => text.push_str(&format!(" (from {cause})")),
        (Some("Automatic"), _) => text.push_str(" (nested stack)"),
        _ => {}
    }
    match detail.recreates {
        Replacement::Yes => text.push_str(", which makes it anew"),
        Replacement::Conditional => text.push_str(", which may make it anew"),
        Replacement::No => {}
    }
    if !detail.is_certain {
        text.push_str(", if its value changes");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(
        action: Action,
        replacement: Option<Replacement>,
        logical_id: &str,
        details: Vec<ChangeDetail>,
    ) -> ResourceChange {
        ResourceChange {
            action,
            logical_id: logical_id.to_owned(),
            physical_id: None,
            kind: "AWS::X::Y".to_owned(),
            replacement,
            details,
        }
    }

    #[test]
    fn what_is_lost_stands_first_and_says_why() {
        let detail = ChangeDetail {
            attribute: "Properties".to_owned(),
            name: Some("TableName".to_owned()),
            recreates: Replacement::Yes,
            source: Some("ParameterReference".to_owned()),
            cause: Some("Name".to_owned()),
            is_certain: true,
        };
        let set = ChangeSet {
            changes: vec![
                change(Action::Add, None, "New", vec![]),
                change(Action::Modify, Some(Replacement::No), "Fn", vec![]),
                change(Action::Modify, Some(Replacement::Yes), "Table", vec![detail.clone(), detail]),
                change(Action::Remove, None, "Queue", vec![]),
                change(Action::Modify, Some(Replacement::Conditional), "Api", vec![]),
            ],
            ..ChangeSet::default()
        };
        let review = Review::new(&set);
        let shown: Vec<String> = review
            .rows
            .iter()
            .map(|row| format!("{} {} {}", row.effect.sign(), row.effect.word(), row.logical_id))
            .collect();
        assert_eq!(shown, ["- remove Queue", "! replace Table", "! may replace Api", "* change Fn", "+ add New"]);
        assert_eq!(review.rows[1].why, ["TableName (parameter Name), which makes it anew"]);
        assert_eq!(review.count(Effect::Added), 1);
    }
}
