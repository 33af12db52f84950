//! The contract of the port, over every backend, and what only SQLite must do.

mod migrate;
mod sqlite;
