//! The outputs of a stack as programs read them.

use serde_json::{Value, json};

use crate::aws::cloudformation::Output;

/// `stack_outputs` of SAM CLI's `outputs` line.
pub fn to_json(outputs: &[Output]) -> Value {
    outputs
        .iter()
        .map(|output| json!({ "key": output.key, "value": output.value, "description": output.description }))
        .collect()
}
