//! Change sets, events, outputs: a transformed template becomes a stack.

pub mod options;
pub mod samconfig;
