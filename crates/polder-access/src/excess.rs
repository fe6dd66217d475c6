//! What an account may do and does not need: by kind, with what it means.

use serde::Serialize;

/// A kind of excess.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// How it logs in.
    Login,
    /// An attribute of the role.
    Attribute,
    /// In a role of the server's own that runs programs or reads files.
    HostAccess,
    /// In a role of the server's own that reads or writes everything.
    AllData,
    /// In a role that owns things.
    OwnerByMembership,
    /// Owns things itself.
    Owner,
    /// In another role.
    Membership,
    /// Makes things in a database, or temporary tables.
    Database,
    /// Makes things in a schema.
    SchemaCreate,
    /// Everyone makes things in a schema.
    PublicSchemaCreate,
    /// Everyone has rights on a table.
    PublicTable,
    /// Rights on what is yet to be made.
    Future,
    /// Everyone calls a function that has the rights of its owner.
    PublicDefiner,
    /// Calls a function that it never calls.
    Routine,
    /// Rights on tables, of a kind that it never uses there.
    TablePrivilege,
    /// Rights on sequences that it never uses.
    Sequence,
    /// Sees schemas that it never uses.
    Schema,
    /// May give rights on.
    GrantOption,
    /// Something else.
    Other,
}

impl Kind {
    /// Whether nothing that was seen excuses it: whoever injects SQL leaves the same traces as whoever needs it.
    pub(crate) fn is_dangerous(self) -> bool {
        matches!(self, Self::HostAccess | Self::AllData)
    }
}

/// Something that is not needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Excess {
    /// Its kind.
    pub kind: Kind,
    /// What it is.
    pub what: String,
    /// What whoever sends statements as this account can do by it.
    pub means: String,
    /// Through whom, unless the account has it itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub through: Option<String>,
    /// Single rights that it stands for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
}
