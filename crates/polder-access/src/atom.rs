//! Rights in the smallest pieces: one privilege on one column or object.

use crate::sql::quote;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What may be done (table 5.1 of the manual of PostgreSQL).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Privilege {
    /// Connect to a database.
    Connect,
    /// Make objects inside.
    Create,
    /// Make temporary tables.
    Temporary,
    /// Look up objects inside; use a sequence, a language, a type.
    Usage,
    /// Read.
    Select,
    /// Add rows.
    Insert,
    /// Change rows.
    Update,
    /// Remove rows.
    Delete,
    /// Empty a table.
    Truncate,
    /// Refer to it by a foreign key.
    References,
    /// Make triggers on it.
    Trigger,
    /// Vacuum, analyze, reindex, refresh (since 17).
    Maintain,
    /// Call.
    Execute,
    /// Set a parameter of the server.
    Set,
    /// Set it for all (`ALTER SYSTEM`).
    AlterSystem,
}

impl Privilege {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Connect,
        Self::Create,
        Self::Temporary,
        Self::Usage,
        Self::Select,
        Self::Insert,
        Self::Update,
        Self::Delete,
        Self::Truncate,
        Self::References,
        Self::Trigger,
        Self::Maintain,
        Self::Execute,
        Self::Set,
        Self::AlterSystem,
    ];

    /// As SQL has it.
    pub fn sql(self) -> &'static str {
        match self {
            Self::Connect => "CONNECT",
            Self::Create => "CREATE",
            Self::Temporary => "TEMPORARY",
            Self::Usage => "USAGE",
            Self::Select => "SELECT",
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Truncate => "TRUNCATE",
            Self::References => "REFERENCES",
            Self::Trigger => "TRIGGER",
            Self::Maintain => "MAINTAIN",
            Self::Execute => "EXECUTE",
            Self::Set => "SET",
            Self::AlterSystem => "ALTER SYSTEM",
        }
    }

    /// From what the catalog calls it.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.sql() == name)
    }
}

/// What kind of thing a right is on, in the words of `GRANT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// A database.
    Database,
    /// A schema.
    Schema,
    /// A table, view, materialized view or foreign table.
    Table,
    /// A sequence.
    Sequence,
    /// A function or aggregate, with the types of its arguments.
    Function,
    /// A procedure, the same.
    Procedure,
    /// A language.
    Language,
    /// A type or domain.
    Type,
    /// A foreign server.
    ForeignServer,
    /// A foreign-data wrapper.
    ForeignDataWrapper,
    /// A large object, by number.
    LargeObject,
    /// A tablespace.
    Tablespace,
    /// A parameter of the server (since 15).
    Parameter,
}

impl Class {
    /// As SQL has it.
    pub fn sql(self) -> &'static str {
        match self {
            Self::Database => "DATABASE",
            Self::Schema => "SCHEMA",
            Self::Table => "TABLE",
            Self::Sequence => "SEQUENCE",
            Self::Function => "FUNCTION",
            Self::Procedure => "PROCEDURE",
            Self::Language => "LANGUAGE",
            Self::Type => "TYPE",
            Self::ForeignServer => "FOREIGN SERVER",
            Self::ForeignDataWrapper => "FOREIGN DATA WRAPPER",
            Self::LargeObject => "LARGE OBJECT",
            Self::Tablespace => "TABLESPACE",
            Self::Parameter => "PARAMETER",
        }
    }
}

/// One thing that rights can be on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Object {
    /// Its kind.
    pub class: Class,
    /// The schema it lies in, if it lies in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// Its name, as it is, without quotes.
    pub name: String,
    /// Types of arguments of a routine, as SQL has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<String>,
}

impl Object {
    /// One that lies in a schema.
    pub fn within(class: Class, schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self { class, schema: Some(schema.into()), name: name.into(), arguments: None }
    }

    /// One that lies in none.
    pub fn bare(class: Class, name: impl Into<String>) -> Self {
        Self { class, schema: None, name: name.into(), arguments: None }
    }

    /// Its name, as SQL must have it.
    pub fn sql(&self) -> String {
        let mut out = String::new();
        if let Some(schema) = &self.schema {
            out.push_str(&quote(schema));
            out.push('.');
        }
        // Parameters have dots in their names, large objects have numbers.
        match self.class {
            Class::LargeObject | Class::Parameter => out.push_str(&self.name),
            _ => out.push_str(&quote(&self.name)),
        }
        if let Some(arguments) = &self.arguments {
            out.push('(');
            out.push_str(arguments);
            out.push(')');
        }
        out
    }
}

/// One privilege on one column or object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Atom {
    /// On what.
    pub object: Object,
    /// What may be done.
    pub privilege: Privilege,
    /// With this column only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
}

impl Atom {
    /// A privilege on a whole object.
    pub fn on(privilege: Privilege, object: Object) -> Self {
        Self { object, privilege, column: None }
    }

    /// A privilege on one column.
    pub fn column(privilege: Privilege, object: Object, column: impl Into<String>) -> Self {
        Self { object, privilege, column: Some(column.into()) }
    }
}

impl fmt::Display for Atom {
    /// As it stands between `GRANT` and `TO`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.privilege.sql())?;
        if let Some(column) = &self.column {
            write!(out, " ({})", quote(column))?;
        }
        write!(out, " ON {} {}", self.object.class.sql(), self.object.sql())
    }
}

/// Atoms as few grants as can be: columns of one privilege on one object in one, and privileges on one whole object too.
pub fn grants<'a>(atoms: impl IntoIterator<Item = &'a Atom>) -> Vec<String> {
    let mut by_object: std::collections::BTreeMap<&Object, Vec<&Atom>> = Default::default();
    for atom in atoms {
        by_object.entry(&atom.object).or_default().push(atom);
    }
    let line = |(object, atoms): (&Object, Vec<&Atom>)| {
        format!("{} ON {} {}", rights(&atoms), object.class.sql(), object.sql())
    };
    by_object.into_iter().map(line).collect()
}

/// Rights on one thing, as they stand before `ON`.
pub(crate) fn rights(atoms: &[&Atom]) -> String {
    let mut atoms = atoms.to_vec();
    atoms.sort();
    let mut parts: Vec<String> = Vec::new();
    for group in atoms.chunk_by(|a, b| a.privilege == b.privilege) {
        let Some(first) = group.first() else { continue };
        let columns: Vec<String> =
            group.iter().filter_map(|it| it.column.as_deref().map(quote)).collect();
        let is_whole = group.iter().any(|it| it.column.is_none());
        parts.push(match is_whole {
            true => first.privilege.sql().to_string(),
            false => format!("{} ({})", first.privilege.sql(), columns.join(", ")),
        });
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_few_and_quoted() {
        let table = Object::within(Class::Table, "shop", "Or\"der");
        let atoms = [
            Atom::column(Privilege::Select, table.clone(), "id"),
            Atom::column(Privilege::Select, table.clone(), "user"),
            Atom::on(Privilege::Delete, table),
            Atom::on(Privilege::Connect, Object::bare(Class::Database, "shop")),
        ];
        assert_eq!(
            grants(&atoms),
            [
                "CONNECT ON DATABASE shop",
                "SELECT (id, \"user\"), DELETE ON TABLE shop.\"Or\"\"der\"",
            ]
        );
        assert_eq!(atoms[1].to_string(), "SELECT (\"user\") ON TABLE shop.\"Or\"\"der\"");
    }
}
