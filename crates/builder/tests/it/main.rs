//! The builder against a real Docker Engine and a real registry.

#![expect(clippy::unwrap_used, reason = "a test that panics is a test that fails")]

mod build;
mod cancel;
mod engines;
mod examples;
mod fixture;
mod import;
mod prune;
mod registry;
