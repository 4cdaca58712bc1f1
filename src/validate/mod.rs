//! Everything that can be known to be wrong with a template without asking AWS. Pure: no I/O.
