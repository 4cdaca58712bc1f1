//! The Lambda Runtime API and the processes behind it: environments and their pools.
