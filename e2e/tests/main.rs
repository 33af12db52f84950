//! One file per walkthrough.

mod push;
