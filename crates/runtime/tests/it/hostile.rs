//! Code that wants out.
