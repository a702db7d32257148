//! Failed evaluations: as plain data on the large stack, then as Python exceptions.

pub mod exception;
pub mod report;
