//! Takes a connection that one machine of the platform wants to another, gives a stream that both sides know the other end of.
//!
//! [`authority`] issues what [`identity`] shows and checks; [`opening`] is what a stream begins with; [`client`] opens streams,
//! [`server`] accepts them, [`leader`] finds the controller that leads. [`routing`] is a protocol that such a stream carries:
//! tables down to the routers, their word that they go by them back up; [`frames`] is how messages lie on it, and [`steady`]
//! how the silence of one that leads is noticed.
//!
//! What is absent here: no router, no store, no engine; those who use a stream bring them.

pub mod authority;
pub mod client;
pub mod frames;
pub mod identity;
pub mod leader;
pub mod opening;
pub mod routing;
pub mod server;
mod socket;
pub mod steady;

pub use authority::{Authority, AuthorityError, Issued};
pub use client::{LinkClient, LinkError};
pub use identity::{Identity, IdentityError, Peer, Role};
pub use leader::Leader;
pub use opening::{Opening, Refusal, Service};
pub use server::{Accepted, LinkServer, Services};

/// A stream between two machines, encrypted and authenticated both ways.
pub type LinkStream = tokio_rustls::TlsStream<tokio::net::TcpStream>;
