//! What a database account may do, what it does, and the least it needs, proved by the server itself.
//!
//! Nothing of a statement is ever run to learn from it, and no literal of a statement is kept: statements are read without
//! their literals, and the server's own analysis says which rights each needs. This crate talks to servers; it reads no
//! environment, prints nothing, and decides nothing.

#![allow(
    clippy::disallowed_methods,
    reason = "passwords and certificates of a connection lie in files, and so does the log of a server"
)]

mod around;
mod atom;
mod error;
mod evidence;
mod excess;
pub mod mariadb;
mod peers;
mod piece;
pub mod postgresql;
mod reach;
pub mod redis;
mod refusal;
pub mod sql;
pub mod sqlite;
mod work;

pub use around::{Ambient, TlsMode};
pub use atom::{Atom, Class, Object, Privilege, grants};
pub use error::{AccessError, Said};
pub use evidence::{Evidence, Necessity, Proof, Source, Sources};
pub use excess::{Excess, Kind};
pub use peers::{Client, Peer, clients};
pub use piece::{Piece, lines};
pub use reach::{Columns, Reach, sensitive};
pub use refusal::{RefusedStatement, Verdict};
pub use work::{
    AccountFacts, Plan, ServerName, Unfit, Usage, UsedRight, UsedStatement, Uses, Work, act,
    observe, open,
};
