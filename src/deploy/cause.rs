//! What failed first. A failing resource takes others down with it, and CloudFormation reports them
//! all alike; the one to mend is the earliest that was not merely cancelled.

use time::OffsetDateTime;

use crate::aws::cloudformation::{StackEvent, Status};

/// What went wrong in one operation of a stack.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cause {
    /// The resources that failed by themselves, earliest first.
    pub failed: Vec<FailedResource>,
    /// How many others were cancelled because of them.
    pub cancelled: usize,
    /// The stack's own reason.
    pub stack_reason: Option<String>,
}

/// A resource that failed.
#[derive(Clone, Debug, PartialEq)]
pub struct FailedResource {
    /// Its name in the template.
    pub logical_id: String,
    /// Its type.
    pub kind: String,
    /// `CREATE_FAILED`, `UPDATE_FAILED`, …
    pub status: Status,
    /// CloudFormation's reason.
    pub reason: Option<String>,
    /// When.
    pub time: Option<OffsetDateTime>,
    /// The stack that it stands for, where the real cause is.
    pub nested_stack: Option<String>,
}

impl Cause {
    /// What to mend first.
    pub fn first(&self) -> Option<&FailedResource> {
        self.failed.first()
    }
}

/// Finds the cause among the events of one operation, oldest first.
pub fn find(events: &[StackEvent]) -> Cause {
    let mut cause = Cause::default();
    for event in events {
        if event.is_stack() {
            if event.reason.is_some() && (event.status.is_failed() || event.status.is_rollback()) {
                cause.stack_reason = cause.stack_reason.or_else(|| event.reason.clone());
            }
            continue;
        }
        if !event.status.is_failed() {
            continue;
        }
        if event.reason.as_deref().is_some_and(is_cancelled) {
            cause.cancelled += 1;
            continue;
        }
        if cause.failed.iter().any(|known| known.logical_id == event.logical_id) {
            continue;
        }
        cause.failed.push(FailedResource {
            logical_id: event.logical_id.clone(),
            kind: event.kind.clone(),
            status: event.status.clone(),
            reason: event.reason.clone(),
            time: event.time,
            nested_stack: event.physical_id.clone().filter(|id| id.contains(":stack/")),
        });
    }
    cause
}

/// `Resource creation cancelled`, `Resource update cancelled`, `Resource deletion cancelled`.
fn is_cancelled(reason: &str) -> bool {
    let reason = reason.trim_end_matches('.').to_ascii_lowercase();
    reason.starts_with("resource ") && (reason.ends_with("cancelled") || reason.ends_with("canceled"))
}

/// What to do about a reason that users meet often. CloudFormation gives nothing but its text.
pub fn advice(reason: &str) -> Option<String> {
    let advice = if reason.contains("A version for this Lambda function exists") {
        "Code and configuration equal a version that is there already. --delete-orphan-version deletes that version \
         where no alias uses it; other code publishes another one."
    } else if reason.contains("CAPABILITY_AUTO_EXPAND") {
        "Allow it with --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND."
    } else if reason.contains("CAPABILITY_NAMED_IAM") {
        "Allow it with --capabilities CAPABILITY_NAMED_IAM."
    } else if reason.contains("CAPABILITY_IAM") {
        "Allow it with --capabilities CAPABILITY_IAM."
    } else if reason.contains("is not authorized to perform") || reason.contains("AccessDenied") {
        "The role that CloudFormation works with lacks a permission; --role-arn names another."
    } else if reason.contains("already exists") {
        "Something of that name is there that this stack does not own: choose another name, or leave the name out."
    } else if reason.contains("Parameters: [") && reason.contains("must have values") {
        "Give them with --parameter-overrides NAME=VALUE."
    } else if reason.contains("Circular dependency") {
        "`samara validate` shows the circle."
    } else {
        return None;
    };
    Some(advice.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(logical_id: &str, status: &str, reason: &str) -> StackEvent {
        let is_stack = logical_id == "app";
        StackEvent {
            id: format!("{logical_id}-{status}"),
            stack_id: "arn:aws:cloudformation:eu-central-1:1:stack/app/1".to_owned(),
            logical_id: logical_id.to_owned(),
            physical_id: is_stack.then(|| "arn:aws:cloudformation:eu-central-1:1:stack/app/1".to_owned()),
            kind: if is_stack { "AWS::CloudFormation::Stack" } else { "AWS::SQS::Queue" }.to_owned(),
            status: Status(status.to_owned()),
            detailed_status: None,
            reason: Some(reason.to_owned()).filter(|reason| !reason.is_empty()),
            time: None,
        }
    }

    #[test]
    fn the_cause_is_the_first_that_was_not_cancelled() {
        let cause = find(&[
            event("app", "UPDATE_IN_PROGRESS", "User Initiated"),
            event("A", "CREATE_IN_PROGRESS", ""),
            event("B", "CREATE_FAILED", "Resource creation cancelled"),
            event("C", "CREATE_FAILED", "Invalid queue name"),
            event("D", "UPDATE_FAILED", "Resource update cancelled"),
            event("E", "CREATE_FAILED", "Also bad"),
            event("C", "DELETE_FAILED", "later"),
            event("app", "UPDATE_ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: [B, C, E]."),
        ]);
        assert_eq!(cause.first().unwrap().logical_id, "C");
        assert_eq!(cause.failed.iter().map(|failed| failed.logical_id.as_str()).collect::<Vec<_>>(), ["C", "E"]);
        assert_eq!(cause.cancelled, 2);
        assert!(cause.stack_reason.unwrap().contains("failed to create"));
    }

    #[test]
    fn a_failure_without_a_reason_is_still_a_failure() {
        let cause = find(&[event("A", "CREATE_FAILED", "")]);
        assert_eq!(cause.first().unwrap().reason, None);
        let stack_only = find(&[event("app", "ROLLBACK_IN_PROGRESS", "Role is invalid")]);
        assert_eq!(stack_only.first(), None);
        assert_eq!(stack_only.stack_reason.as_deref(), Some("Role is invalid"));
    }

    #[test]
    fn advice_is_given_where_there_is_some() {
        assert!(advice("Requires capabilities : [CAPABILITY_NAMED_IAM]").unwrap().contains("CAPABILITY_NAMED_IAM"));
        assert!(advice("A version for this Lambda function exists ( 3 ). Modify the function…").is_some());
        assert_eq!(advice("Something odd"), None);
    }
}
