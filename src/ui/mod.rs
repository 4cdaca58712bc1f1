//! What people and programs see. Shows the values of the rows below; starts and decides nothing.

pub mod diagnostic;
pub mod sanitize;
pub mod terminal;
