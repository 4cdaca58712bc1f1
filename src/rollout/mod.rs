//! Traffic goes to a new version step by step, judged all the time, and back by itself.
