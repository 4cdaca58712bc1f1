//! The main job from beginning to end in the sandbox, told as a story.
