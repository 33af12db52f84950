//! Takes log lines, keeps and tails them.
//!
//! A line goes into its app's ring in memory, where tails and followers see it at once; one task writes what is new
//! to the app's segment files, of which the oldest go. Everything is bounded: a line that finds no room is dropped and
//! counted, and the log says so (L10). A full disk costs stored lines, never the caller's time, and mends itself.
//! What is absent here: no fsync. A stored line survives the end of this program, not that of the machine's power.

mod app_log;
mod copies;
pub mod drain;
mod follow;
mod line_splitter;
mod record;
mod ring;
mod safe_text;
mod segments;
mod store;

pub use copies::Reach;
pub use follow::Follow;
pub use line_splitter::LineSplitter;
pub use record::{LogFilter, LogRecord};
pub use store::{LogSettings, LogStore, OpenError, TAIL_LINES_MAX};
