//! One file per walkthrough.

mod accounts;
mod bad_input;
mod ci_builds;
mod crash;
mod deploy;
mod disk;
mod foreign_clients;
mod formation;
mod healing;
mod heroku;
mod heroku_relay;
mod import_heroku;
mod load;
mod logs;
mod push;
mod readme;
mod reboot;
mod registry;
mod registry_gc;
mod releases;
mod restart;
mod router;
mod run;
mod ssh;
mod streams;
mod terminal;
