//! What moves the weight. There is one way so far: samara writes the alias itself.

pub mod alias;
