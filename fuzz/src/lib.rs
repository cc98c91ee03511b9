//! What is fuzzed, and what must be true whatever comes in. A body here is called by a fuzz target
//! (`fuzz_targets`), and by a test of the server with every file of the kept corpus, so that what
//! fuzzing found stays mended.

pub mod leaves;
#[cfg(feature = "trunk")]
pub mod trunk;
