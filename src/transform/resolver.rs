//! What the transform has to ask AWS for. It does not ask itself: it is pure, and whoever calls it
//! decides whether there is an account, and how long to wait.

/// Answers what only AWS knows.
pub trait Resolver {
    /// The address of the template of an application in the Serverless Application Repository.
    ///
    /// # Errors
    /// The repository refuses, or nobody is there to be asked.
    fn application(&self, id: &str, version: &str) -> Result<String, Unresolved>;

    /// The ARN of a managed policy that is not in the table; `None` leaves the name as it is.
    fn managed_policy(&self, _name: &str) -> Option<String> {
        None
    }
}

/// Why an application has no template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unresolved {
    /// The repository's own words.
    Refused(String),
    /// The repository did not finish preparing the template in time.
    TimedOut,
    /// There is no account to ask with.
    NobodyToAsk,
}

/// Knows nothing: without an account, and without waiting for one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Offline;

impl Resolver for Offline {
    fn application(&self, _: &str, _: &str) -> Result<String, Unresolved> {
        Err(Unresolved::NobodyToAsk)
    }
}
