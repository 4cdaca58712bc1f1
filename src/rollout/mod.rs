//! Traffic goes to a new version step by step, judged all the time, and back by itself.
//!
//! Pure: [`strategy`], [`plan`], [`analysis`], [`state`] (the machine), [`content`], [`names`].

pub mod analysis;
pub mod content;
pub mod names;
pub mod plan;
pub mod state;
pub mod strategy;
