//! PostgreSQL, 13 and later.

mod analyse;
mod catalog;
mod learn;
mod plpgsql;
mod rights;
mod session;
mod statement;
mod target;
mod tls;
pub mod tree;
mod utility;

pub use learn::{Evidence, Learned, Needed, Source, Sources, Statement, learn};
pub use rights::{
    Attributes, DefaultGrant, Definer, Grant, Membership, Rights, TableFacts,
};
pub use statement::parse_statements;
pub use session::Session;
pub use target::{Ambient, Target, TlsMode, parse_pgpass, parse_services};
