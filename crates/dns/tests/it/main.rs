//! The server as a resolver meets it: questions in bytes, over UDP and TCP.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be made is a failed test")]

mod health;
mod protocol;
mod stage;
