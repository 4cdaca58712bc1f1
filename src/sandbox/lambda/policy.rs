//! Resource policies, of functions and of layer versions.

use serde_json::{Value, json};

use super::fault::{Answer, Fault};
use super::model::{Policy, uuid};

impl Policy {
    /// Refuses a revision that is not the latest; `call` gives the latest.
    pub(super) fn check_revision(&self, given: Option<&str>, call: &str) -> Answer<()> {
        match given {
            Some(given) if given != self.revision_id => Err(Fault::stale(call)),
            _ => Ok(()),
        }
    }

    /// Adds a statement whose id must be new.
    pub(super) fn add(&mut self, sid: &str, statement: Value) -> Answer<()> {
        if self.statements.iter().any(|other| other["Sid"] == sid) {
            return Err(Fault::conflict(format!(
                "The statement id ({sid}) provided already exists. Please provide a new statement id, or remove the \
                 existing statement."
            )));
        }
        self.statements.push(statement);
        self.revision_id = uuid();
        Ok(())
    }

    /// Removes a statement.
    pub(super) fn remove(&mut self, sid: &str) -> Answer<()> {
        let at = self.statements.iter().position(|statement| statement["Sid"] == sid);
        let at = at.ok_or_else(|| Fault::not_found(format!("Statement {sid} is not found in resource policy.")))?;
        self.statements.remove(at);
        self.revision_id = uuid();
        Ok(())
    }

    /// As the API gives it: the document is a text.
    pub(super) fn describe(&self) -> Value {
        let document = json!({ "Version": "2012-10-17", "Id": "default", "Statement": self.statements });
        json!({ "Policy": document.to_string(), "RevisionId": self.revision_id })
    }
}

/// Checks a statement's id.
pub(super) fn check_sid(sid: &str) -> Answer<()> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    if !sid.is_empty() && sid.chars().all(plain) {
        return Ok(());
    }
    let pattern = "Member must satisfy regular expression pattern: ([a-zA-Z0-9-_]+)";
    Err(Fault::validation(&format!("'{sid}'"), "statementId", pattern))
}
