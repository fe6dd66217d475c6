//! MariaDB 10.5 and later, and MySQL 8 and later.

mod account;
mod body;
mod excess;
mod grow;
mod learn;
mod learner;
mod made;
mod net;
mod piece;
mod probe;
mod propose;
mod prove;
mod right;
mod rights;
mod session;
mod shrink;
mod source;
mod statement;
mod target;

pub use account::Account;
pub use excess::excess;
pub use learn::{Learned, Needed, Statement, learn};
pub use net::{Refusals, is_of, judge};
pub use piece::{Piece, act, lines, moves, observe, script};
pub use propose::{Proposal, propose, reach};
pub use prove::prove;
pub use right::{Grantee, Place, Right, grants};
pub use rights::{Definer, Held, Login, Rights, TableFacts, TableName};
pub use session::Session;
pub use statement::parse_statements;
pub use target::{Target, parse_options};
