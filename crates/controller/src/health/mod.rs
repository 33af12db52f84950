//! Health: asking instances, and waiting for new ones.

pub(crate) mod probe;
mod wait;
