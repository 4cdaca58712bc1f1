//! A version that an earlier, failed update published and nobody has. Lambda publishes nothing when
//! code and configuration equal the last version, so CloudFormation fails over it with "A version for
//! this Lambda function exists (N)" until either of them changes or that version is deleted.

use crate::aws::Aws;
use crate::template::Node;

use super::live::Live;
use super::{Error, Failure};

/// A version in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// The function's name.
    pub function: String,
    /// The version's number.
    pub version: String,
    /// Who has it: aliases that route to it, or the stack's own resource. Nobody's may be deleted.
    pub held_by: Vec<String>,
}

impl Orphan {
    /// In a person's words.
    pub fn message(&self) -> String {
        let Self { function, version, held_by } = self;
        match held_by.as_slice() {
            [] => format!("version {version} of {function} is in the way: no alias uses it, and no stack has it"),
            holders => format!(
                "version {version} of {function} has this code and configuration already, and is in use by {}: there \
                 is nothing new to publish",
                holders.join(", ")
            ),
        }
    }
}

/// The orphan that a failure is about; `None` when it is about something else.
///
/// # Errors
/// A call failed.
pub async fn find(aws: &Aws, failure: &Failure, template: &Node, live: &Live) -> Result<Option<Orphan>, Error> {
    let found = failure.cause.failed.iter().find_map(|failed| {
        let version = number(failed.reason.as_deref()?)?;
        let function = template.path(&["Resources", &failed.logical_id, "Properties", "FunctionName", "Ref"])?;
        Some((live.physical_id(function.as_str()?)?.to_owned(), version))
    });
    let Some((function, version)) = found else { return Ok(None) };
    let aliases = aws.lambda().aliases(&function).await?;
    let mut held_by: Vec<String> = aliases
        .iter()
        .filter(|(_, alias)| alias.version == version || alias.weights.iter().any(|(other, _)| *other == version))
        .map(|(name, _)| format!("alias {name}"))
        .collect();
    let own = format!(":function:{function}:{version}");
    held_by.extend(
        live.resources
            .iter()
            .filter(|resource| resource.physical_id.as_deref().is_some_and(|id| id.ends_with(&own)))
            .map(|resource| format!("{} of the stack", resource.logical_id)),
    );
    Ok(Some(Orphan { function, version, held_by }))
}

/// The number in CloudFormation's sentence, which says it in no other way.
fn number(reason: &str) -> Option<String> {
    let (_, rest) = reason.split_once("A version for this Lambda function exists")?;
    let (_, rest) = rest.split_once('(')?;
    let (number, _) = rest.split_once(')')?;
    let number = number.trim();
    (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())).then(|| number.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_stands_between_brackets() {
        let said = "Resource handler returned message: \"A version for this Lambda function exists ( 12 ). Modify the \
                    function to create a new version.\" (RequestToken: 1, HandlerErrorCode: AlreadyExists)";
        assert_eq!(number(said).as_deref(), Some("12"));
        assert_eq!(number("A version for this Lambda function exists"), None);
        assert_eq!(number("A version for this Lambda function exists (x)"), None);
        assert_eq!(number("Something ( 3 ) else"), None);
    }

    #[test]
    fn what_somebody_has_is_told_with_its_holders() {
        let orphan = Orphan { function: "f".to_owned(), version: "3".to_owned(), held_by: vec![] };
        assert!(orphan.message().contains("in the way"));
        let held = Orphan { held_by: vec!["alias live".to_owned()], ..orphan };
        assert!(held.message().contains("in use by alias live"), "{}", held.message());
    }
}
