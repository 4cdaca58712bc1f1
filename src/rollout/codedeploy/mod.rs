//! The engine `codedeploy`: AWS moves the weight while the stack is updated; samara watches with the
//! same judge, stops the deployment when that says so, and leaves the alias whole.
//!
//! Pure: [`machine`]. At the edge: [`run`], the loop that looks at CodeDeploy, the stack and the alias.
//! Each alias of an update is watched by itself: when one is taken back its part of the stack's update
//! fails, CloudFormation takes the others back, and whoever watches them sees that.

pub mod machine;
pub mod run;
