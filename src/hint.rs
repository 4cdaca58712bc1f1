//! What to do next, said beside the error case that it is for.

/// An error that knows the next step.
pub trait Hint {
    /// One or more complete sentences, each printed behind `hint:`; empty when there is nothing
    /// useful to say.
    fn hints(&self) -> Vec<String>;
}
