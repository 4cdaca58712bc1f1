//! Change sets, events, outputs: a transformed template becomes a stack. What is asked, shown and
//! strung together with packaging and the rollout stands in `cli::deploy`.

pub mod bypass;
pub mod cause;
pub mod change_set;
pub mod diff;
pub mod error;
pub mod event;
pub mod execute;
pub mod guided;
pub mod hold;
pub mod in_use;
pub mod live;
pub mod options;
pub mod orphan;
pub mod outputs;
pub mod pin;
pub mod review;
pub mod samconfig;
pub mod shift;
pub mod upload;
pub mod values;
mod wait;

pub use change_set::{Prepared, StackChange, prepare};
pub use error::{Error, Failure};
pub use event::{Event, Sink};
pub use execute::{OnFailure, delete_stack, execute};

use crate::aws::Aws;
use crate::aws::cloudformation::Stack;

/// How a change of a stack ended well.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// There was nothing to change; `None` when there is no stack either.
    Unchanged(Option<Stack>),
    /// It was changed, or made.
    Changed(Stack),
}

impl Outcome {
    /// The stack as it is now.
    pub fn stack(&self) -> Option<&Stack> {
        match self {
            Self::Unchanged(stack) => stack.as_ref(),
            Self::Changed(stack) => Some(stack),
        }
    }
}

/// Brings a stack to a template without asking anybody: what the managed bucket and a rollout's
/// settling need. A change set is made and executed.
///
/// # Errors
/// The change set cannot be made, or its execution fails.
pub async fn apply(aws: &Aws, change: &StackChange, sink: Sink<'_>) -> Result<Outcome, Error> {
    match prepare(aws, change, sink).await? {
        Prepared::Empty { stack } => Ok(Outcome::Unchanged(stack)),
        Prepared::Ready(change_set) => Ok(Outcome::Changed(execute(aws, change, &change_set, sink).await?)),
    }
}
