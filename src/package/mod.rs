//! Code folders become deterministic zips at content-addressed keys in the managed bucket.
