//! A rollout told from a seed: what goes wrong, who interferes, and what has to hold all the same.

pub mod sdk;
