//! Takes a running program and a user's connection, carries bytes between them until one of the two has gone.
//!
//! [`carry`] is that, whatever the connection speaks: the API's WebSocket is one door to a program, [`RendezvousServer`] is
//! the other, the raw TLS protocol of Heroku's client. Start reading there.
//!
//! What is absent here: no secret is made or kept, and no program is started; whoever serves says by [`Programs`] what a
//! secret leads to. No exit code crosses a rendezvous: Heroku's client has the program's shell print it, see `sentinel`.
//!
//! A user who has gone ends the program. A program that has ended ends the connection, after its last byte.

mod carry;
mod sentinel;
mod server;
mod user;

pub use carry::{FromUser, Gone, ToUser, UserInput, carry};
pub use server::{Programs, RendezvousServer, RendezvousSettings, StartedProgram};
