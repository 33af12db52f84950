//! The request on its way in: its head, what the instance is told about the client, its body.

pub(crate) mod body;
pub(crate) mod forwarded;
pub(crate) mod head;
pub(crate) mod head_scan;
pub(crate) mod id;
