//! SQLite: whoever may open the file may do everything to what is in it.

mod account;
mod file;

pub use account::Account;
pub use file::{Piece, act, lines, observe};

/// Whether a file is said in the way of this kind of database.
pub fn is_said(said: &str) -> bool {
    said.starts_with("sqlite:")
}

/// The file that is said: `sqlite:/path`, `sqlite:///path`.
pub(crate) fn path_of(said: &str) -> std::path::PathBuf {
    let rest = said.strip_prefix("sqlite:").unwrap_or(said);
    rest.strip_prefix("//").filter(|it| it.starts_with('/')).unwrap_or(rest).into()
}
