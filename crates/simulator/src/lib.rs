//! A provider simulator.
