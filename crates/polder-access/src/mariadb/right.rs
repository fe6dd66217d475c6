//! Rights of MariaDB and MySQL: who may do what where, and how servers say that.

use crate::sql::{Dialect, Kind, Token, parse_tokens};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// A name as SQL must have it.
pub(super) fn quote(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A string as SQL must have it, whatever a backslash means.
pub(super) fn string(text: &str) -> String {
    match text.contains('\\') {
        true => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''")),
        false => format!("'{}'", text.replace('\'', "''")),
    }
}

/// Who has rights.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grantee {
    /// Whoever logs in by this name, from these hosts (`%` and `_` stand for others).
    Account {
        /// The name.
        user: String,
        /// From where.
        host: String,
    },
    /// Whoever is in this role.
    Role(String),
    /// Everyone (MariaDB 10.11 and later).
    Public,
}

impl Grantee {
    /// As SQL has it.
    pub fn sql(&self) -> String {
        match self {
            Self::Account { user, host } => format!("{}@{}", quote(user), quote(host)),
            Self::Role(name) => quote(name),
            Self::Public => "PUBLIC".into(),
        }
    }
}

impl fmt::Display for Grantee {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account { user, host } => write!(out, "{user}@{host}"),
            Self::Role(name) => write!(out, "{name}"),
            Self::Public => write!(out, "PUBLIC"),
        }
    }
}

/// What a right is on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// All of the server.
    Server,
    /// Databases whose names fit (`%` and `_` stand for others, `\` before them does not).
    Database(String),
    /// A table, view or sequence.
    Table(String, String),
    /// A function.
    Function(String, String),
    /// A procedure.
    Procedure(String, String),
    /// Something else that routines are in: a package, or its body.
    Package(String, String, String),
}

impl Place {
    /// One database, and no other that its name would fit as a pattern.
    pub fn database(name: &str) -> Self {
        Self::Database(name.replace('\\', "\\\\").replace('_', "\\_").replace('%', "\\%"))
    }

    /// Whether it is this table.
    pub(super) fn is_table(&self, table: &(String, String)) -> bool {
        matches!(self, Self::Table(database, name) if (database, name) == (&table.0, &table.1))
    }

    /// As SQL has it after `ON`.
    pub fn sql(&self) -> String {
        let pair = |a: &str, b: &str| format!("{}.{}", quote(a), quote(b));
        match self {
            Self::Server => "*.*".into(),
            Self::Database(pattern) => format!("{}.*", quote(pattern)),
            Self::Table(database, name) => pair(database, name),
            Self::Function(database, name) => format!("FUNCTION {}", pair(database, name)),
            Self::Procedure(database, name) => format!("PROCEDURE {}", pair(database, name)),
            Self::Package(kind, database, name) => format!("{kind} {}", pair(database, name)),
        }
    }
}

/// Whether a name of a database fits a pattern of `GRANT`.
pub(super) fn fits(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    fits_from(&pattern, &name)
}

fn fits_from(pattern: &[char], name: &[char]) -> bool {
    // Of several `%` only the last need be tried again: what stood before it fitted already.
    let (mut p, mut n) = (0, 0);
    let mut again: Option<(usize, usize)> = None;
    loop {
        let step = match (pattern.get(p), name.get(n)) {
            (None, None) => return true,
            (Some('%'), _) => {
                again = Some((p + 1, n));
                p += 1;
                continue;
            }
            (Some('\\'), Some(it)) => (pattern.get(p + 1) == Some(it)).then_some(2),
            (Some('_'), Some(_)) => Some(1),
            (Some(a), Some(b)) => (a == b).then_some(1),
            _ => None,
        };
        match (step, again) {
            (Some(width), _) => (p, n) = (p + width, n + 1),
            (None, Some((after, from))) if from < name.len() => {
                (p, n) = (after, from + 1);
                again = Some((after, from + 1));
            }
            _ => return false,
        }
    }
}

/// One privilege on one column or place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Right {
    /// On what.
    pub place: Place,
    /// What may be done, as SQL has it: `SELECT`, `CREATE TEMPORARY TABLES`; `GRANT OPTION` is to give on.
    pub privilege: String,
    /// With this column only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
}

impl Right {
    /// A privilege on a whole place.
    pub fn on(privilege: impl Into<String>, place: Place) -> Self {
        Self { place, privilege: privilege.into(), column: None }
    }

    /// Whether an account may be given it to see what happens: one that may call something could run it by mistake.
    pub(super) fn is_tried(&self) -> bool {
        matches!(self.place, Place::Table(..) | Place::Database(_))
    }

    /// A privilege on one column of a table.
    pub fn column(
        privilege: impl Into<String>,
        table: (String, String),
        column: impl Into<String>,
    ) -> Self {
        let place = Place::Table(table.0, table.1);
        Self { place, privilege: privilege.into(), column: Some(column.into()) }
    }
}

impl fmt::Display for Right {
    /// As it stands between `GRANT` and `TO`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.privilege)?;
        if let Some(column) = &self.column {
            write!(out, " ({})", quote(column))?;
        }
        write!(out, " ON {}", self.place.sql())
    }
}

/// Rights as few grants as can be.
pub fn grants<'a>(rights: impl IntoIterator<Item = &'a Right>) -> Vec<String> {
    by_place(rights).into_iter().map(|(place, list)| format!("{list} ON {}", place.sql())).collect()
}

/// What stands before `ON`, by place.
pub(super) fn by_place<'a>(
    rights: impl IntoIterator<Item = &'a Right>,
) -> BTreeMap<&'a Place, String> {
    let mut all: BTreeMap<&Place, BTreeMap<&str, Vec<Option<&str>>>> = BTreeMap::new();
    for it in rights {
        let columns = all.entry(&it.place).or_default().entry(&it.privilege).or_default();
        columns.push(it.column.as_deref());
    }
    let list = |privileges: BTreeMap<&str, Vec<Option<&str>>>| {
        let one = |(privilege, columns): (&str, Vec<Option<&str>>)| {
            let names: Vec<String> = columns.iter().flatten().map(|it| quote(it)).collect();
            match columns.contains(&None) {
                true => privilege.to_string(),
                false => format!("{privilege} ({})", names.join(", ")),
            }
        };
        privileges.into_iter().map(one).collect::<Vec<_>>().join(", ")
    };
    all.into_iter().map(|(place, it)| (place, list(it))).collect()
}

/// What `ALL PRIVILEGES` stands for, by where it stands; names that a server does not know are left out.
const ALL_TABLE: [&str; 13] = [
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "CREATE",
    "DROP",
    "REFERENCES",
    "INDEX",
    "ALTER",
    "CREATE VIEW",
    "SHOW VIEW",
    "TRIGGER",
    "DELETE HISTORY",
];
const ALL_DATABASE: [&str; 7] = [
    "CREATE TEMPORARY TABLES",
    "LOCK TABLES",
    "EXECUTE",
    "CREATE ROUTINE",
    "ALTER ROUTINE",
    "EVENT",
    "SHOW CREATE ROUTINE",
];
const ALL_ROUTINE: [&str; 3] = ["EXECUTE", "ALTER ROUTINE", "SHOW CREATE ROUTINE"];

/// A line of `SHOW GRANTS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Rights on a place.
    Rights(Grantee, Vec<Right>),
    /// In a role; whether it may let others in.
    Role(Grantee, String, bool),
    /// The role that it is in from the beginning.
    Default(Grantee, String),
    /// May be somebody else.
    Proxy(Grantee, String, bool),
}

/// Reads a line of `SHOW GRANTS`; `privileges` are all that the server knows.
pub(super) fn parse_line(line: &str, privileges: &[String]) -> Option<Line> {
    let tokens = parse_tokens(line, Dialect::MARIADB);
    let mut at = Words { tokens: &tokens, at: 0 };
    if at.takes("SET") {
        // SET DEFAULT ROLE `r` FOR `u`@`h`
        (at.takes("DEFAULT") && at.takes("ROLE")).then_some(())?;
        let role = at.name()?;
        at.takes("FOR").then_some(())?;
        return Some(Line::Default(at.grantee()?, role));
    }
    at.takes("GRANT").then_some(())?;
    if at.peek()?.kind == Kind::Quoted {
        let role = at.name()?;
        at.takes("TO").then_some(())?;
        let grantee = at.grantee()?;
        let is_admin = at.takes("WITH") && at.takes("ADMIN");
        return Some(Line::Role(grantee, role, is_admin));
    }
    if at.takes("PROXY") {
        at.takes("ON").then_some(())?;
        let whom = at.grantee()?.sql();
        at.takes("TO").then_some(())?;
        let grantee = at.grantee()?;
        let is_grantable = at.takes("WITH") && at.takes("GRANT");
        return Some(Line::Proxy(grantee, whom, is_grantable));
    }
    let mut found: Vec<(String, Option<String>)> = Vec::new();
    while !at.takes("ON") {
        let mut privilege = Vec::new();
        while at.peek()?.kind == Kind::Word && !at.peek()?.is("ON") {
            privilege.push(at.next()?.text.to_uppercase());
        }
        let privilege = privilege.join(" ");
        let mut is_of_columns = false;
        if at.signs("(") {
            is_of_columns = true;
            while !at.signs(")") {
                found.push((privilege.clone(), Some(at.name()?)));
                at.signs(",");
            }
        }
        if !is_of_columns && !privilege.is_empty() {
            found.push((privilege, None));
        }
        at.signs(",");
    }
    let place = at.place()?;
    at.takes("TO").then_some(())?;
    let grantee = at.grantee()?;
    let mut is_grantable = false;
    while let Some(token) = at.next() {
        // What stands between is how the account logs in, and none of our business.
        is_grantable |= token.is("OPTION");
    }
    let mut rights = Vec::new();
    for (privilege, column) in found {
        match privilege.as_str() {
            "USAGE" => {}
            "ALL PRIVILEGES" | "ALL" => rights.extend(
                all_of(&place, privileges).into_iter().map(|it| Right::on(it, place.clone())),
            ),
            _ => rights.push(Right { place: place.clone(), privilege, column }),
        }
    }
    if is_grantable {
        rights.push(Right::on("GRANT OPTION", place));
    }
    Some(Line::Rights(grantee, rights))
}

/// What all rights on a place are.
fn all_of(place: &Place, known: &[String]) -> Vec<String> {
    let is_known = |it: &&str| known.iter().any(|known| known == it);
    let named = |lists: &[&[&str]]| {
        let all = lists.iter().flat_map(|it| it.iter().copied());
        all.filter(is_known).map(str::to_string).collect()
    };
    match place {
        Place::Server => {
            let is_left_out =
                |it: &&String| matches!(it.as_str(), "USAGE" | "PROXY" | "GRANT OPTION");
            known.iter().filter(|it| !is_left_out(it)).cloned().collect()
        }
        Place::Database(_) => named(&[&ALL_TABLE, &ALL_DATABASE]),
        Place::Table(..) => named(&[&ALL_TABLE]),
        _ => named(&[&ALL_ROUTINE]),
    }
}

struct Words<'a> {
    tokens: &'a [Token<'a>],
    at: usize,
}

impl<'a> Words<'a> {
    fn peek(&self) -> Option<&'a Token<'a>> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<&'a Token<'a>> {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn takes(&mut self, word: &str) -> bool {
        let is_it = self.peek().is_some_and(|it| it.is(word));
        self.at += usize::from(is_it);
        is_it
    }

    fn signs(&mut self, sign: &str) -> bool {
        let is_it = self.peek().is_some_and(|it| it.is_sign(sign));
        self.at += usize::from(is_it);
        is_it
    }

    fn name(&mut self) -> Option<String> {
        let token = self.next()?;
        match token.kind {
            // Names keep their case here.
            Kind::Word => Some(token.text.to_string()),
            Kind::Quoted => token.name(),
            Kind::Literal => Some(token.text.trim_matches(['\'', '"']).to_string()),
            _ => None,
        }
    }

    fn grantee(&mut self) -> Option<Grantee> {
        if self.takes("PUBLIC") {
            return Some(Grantee::Public);
        }
        let user = self.name()?;
        match self.signs("@") {
            true => Some(Grantee::Account { user, host: self.name()? }),
            false => Some(Grantee::Role(user)),
        }
    }

    fn place(&mut self) -> Option<Place> {
        let kind = ["FUNCTION", "PROCEDURE", "PACKAGE"].into_iter().find(|it| self.takes(it));
        let is_body = kind == Some("PACKAGE") && self.takes("BODY");
        if self.signs("*") {
            return (self.signs(".") && self.signs("*")).then_some(Place::Server);
        }
        let database = self.name()?;
        self.signs(".").then_some(())?;
        if self.signs("*") {
            return Some(Place::Database(database));
        }
        let name = self.name()?;
        Some(match kind {
            None => Place::Table(database, name),
            Some("FUNCTION") => Place::Function(database, name),
            Some("PROCEDURE") => Place::Procedure(database, name),
            Some(_) => {
                let kind = if is_body { "PACKAGE BODY" } else { "PACKAGE" };
                Place::Package(kind.into(), database, name)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Vec<String> {
        [&ALL_TABLE[..], &ALL_DATABASE[..6], &["FILE", "SUPER", "USAGE", "PROXY"]]
            .concat()
            .iter()
            .map(|it| it.to_string())
            .collect()
    }

    #[track_caller]
    fn rights(line: &str) -> Vec<String> {
        match parse_line(line, &known()).unwrap() {
            Line::Rights(_, rights) => rights.iter().map(ToString::to_string).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn lines_of_the_server_are_read() {
        let line = "GRANT SELECT (`a b`, `c``d`), INSERT (`a`), DELETE ON `o``dd`.`x'y\"z` TO `a`@`%` WITH GRANT OPTION";
        assert_eq!(
            rights(line),
            [
                "SELECT (`a b`) ON `o``dd`.`x'y\"z`",
                "SELECT (`c``d`) ON `o``dd`.`x'y\"z`",
                "INSERT (`a`) ON `o``dd`.`x'y\"z`",
                "DELETE ON `o``dd`.`x'y\"z`",
                "GRANT OPTION ON `o``dd`.`x'y\"z`",
            ]
        );
        assert_eq!(
            rights("GRANT EXECUTE, ALTER ROUTINE ON FUNCTION `shop`.`fd` TO `a`@`%`"),
            ["EXECUTE ON FUNCTION `shop`.`fd`", "ALTER ROUTINE ON FUNCTION `shop`.`fd`"]
        );
        assert_eq!(rights("GRANT ALL PRIVILEGES ON `shop`.`t` TO `a`@`%`").len(), 13);
        assert_eq!(rights("GRANT ALL PRIVILEGES ON `sh\\_op`.* TO `a`@`%`").len(), 19);
        let usage = "GRANT USAGE ON *.* TO `a`@`%` IDENTIFIED BY PASSWORD '*B6' REQUIRE SSL";
        assert_eq!(rights(usage), [""; 0]);
        let role = parse_line("GRANT `r2` TO `a`@`%` WITH ADMIN OPTION", &[]).unwrap();
        let account = Grantee::Account { user: "a".into(), host: "%".into() };
        assert_eq!(role, Line::Role(account.clone(), "r2".into(), true));
        let default = parse_line("SET DEFAULT ROLE `r2` FOR `a`@`%`", &[]).unwrap();
        assert_eq!(default, Line::Default(account.clone(), "r2".into()));
        let proxy = parse_line("GRANT PROXY ON `b`@`c` TO `a`@`%`", &[]).unwrap();
        assert_eq!(proxy, Line::Proxy(account, "`b`@`c`".into(), false));
    }

    #[test]
    fn patterns_of_databases() {
        for (pattern, name, is_it) in [
            ("shop", "shop", true),
            ("sh_p", "shop", true),
            ("sh\\_p", "shop", false),
            ("sh\\_p", "sh_p", true),
            ("%", "x", true),
            ("s%p%z", "shopperz", true),
            ("s%p", "shopx", false),
            ("", "x", false),
        ] {
            assert_eq!(fits(pattern, name), is_it, "{pattern} {name}");
        }
        let Place::Database(pattern) = Place::database("a_b%c\\d") else { panic!() };
        assert!(fits(&pattern, "a_b%c\\d") && !fits(&pattern, "axb%c\\d"));
    }
}
