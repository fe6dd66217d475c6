//! Redis 7 and later, and Valkey.

mod account;
mod acl;
mod net;
mod session;
mod target;

pub use account::Account;
pub use acl::{Piece, Rules, act, lines, observe};
pub use net::{Refusals, judge};
pub use session::Session;
pub use target::Target;
