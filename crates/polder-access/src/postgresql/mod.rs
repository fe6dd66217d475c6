//! PostgreSQL, 13 and later.

mod account;
mod analyse;
mod catalog;
mod excess;
mod learn;
mod log;
mod net;
mod piece;
mod plpgsql;
mod propose;
mod prove;
mod rights;
mod routine;
mod rules;
mod session;
mod statement;
mod target;
mod tls;
pub mod tree;
mod utility;

pub use account::Account;
pub use excess::excess;
pub use learn::{Learned, Needed, Statement, learn};
pub use log::{LogPrefix, LogReader};
pub use net::{judge, log_place, user_of};
pub use piece::{Piece, act, lines, moves, observe, script};
pub use propose::{Proposal, propose, reach};
pub use prove::prove;
pub use rights::{Attributes, DefaultGrant, Definer, Grant, Held, Membership, Rights, TableFacts};
pub use session::Session;
pub use statement::parse_statements;
pub use target::{Target, parse_pgpass, parse_services};
