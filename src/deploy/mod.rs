//! Change sets, events, outputs: a transformed template becomes a stack.
