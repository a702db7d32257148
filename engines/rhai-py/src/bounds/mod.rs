//! What bounds an evaluation: its limits, the signal to stop, its memory and its stack.
//!
//! Every other room uses this one. It knows nothing of scripts beyond the operations that they perform.

pub mod allocator;
pub mod clock;
pub mod current;
pub mod limits;
pub mod meter;
pub mod refusal;
pub mod stack;
pub mod stop;
pub mod watch;
