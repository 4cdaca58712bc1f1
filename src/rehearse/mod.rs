//! The main job from beginning to end in the sandbox, told as a story: an application goes live, a
//! worse version is taken back by its canary, a good one goes to 100 %.

pub mod function;
pub mod traffic;
