//! A statement as the server can prepare it: without anybody's data; and what is known of those that it does not prepare.

use super::right::{Place, Right};
use crate::sql::{Dialect, Kind, Token, exchanged, parse_tokens};
use std::collections::BTreeSet;

/// Why a statement that is made when it runs cannot be told.
pub(super) const DYNAMIC: &str = "SQL that is put together when it runs";

/// Why a statement of which the end is missing cannot be told.
pub(super) const CUT: &str = "the server kept only its beginning";

/// Digits of a number that cannot be anybody's data; longer ones become others.
const PLAIN_DIGITS_MAX: usize = 2;

/// What stands in the place of a string: it is a path in JSON, a separator, a sign to escape with, and a name for a column.
const STRING: &str = "'$'";

/// The statement with constants in the place of what may be somebody's data.
pub(super) fn preparable(text: &str, dialect: Dialect) -> String {
    let tokens = parse_tokens(text, dialect);
    let mut out = String::with_capacity(text.len());
    let mut end = 0;
    for (index, token) in tokens.iter().enumerate() {
        if token.at > end && !out.is_empty() {
            out.push(' ');
        }
        end = token.end();
        let before = index.checked_sub(1).and_then(|it| tokens.get(it));
        out.push_str(match token.kind {
            Kind::Literal => constant(token, before),
            _ => token.text,
        });
    }
    out.trim_end_matches([';', ' ']).to_string()
}

fn constant<'a>(token: &Token<'a>, before: Option<&Token<'_>>) -> &'a str {
    let first = token.text.as_bytes().first().copied().unwrap_or(b'0');
    match first {
        b'0'..=b'9' | b'.' => {
            let is_plain = token.text.len() <= PLAIN_DIGITS_MAX;
            if is_plain { token.text } else { "9" }
        }
        b'x' | b'X' => "x'24'",
        b'b' | b'B' => "b'0'",
        _ => match before {
            Some(it) if it.is("date") => "'2000-01-01'",
            Some(it) if it.is("time") => "'00:00:00'",
            Some(it) if it.is("timestamp") => "'2000-01-01 00:00:00'",
            _ => STRING,
        },
    }
}

/// Statements of a text, with `DELIMITER` as clients have it.
pub fn parse_statements(text: &str, dialect: Dialect) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    let mut delimiter = ";".to_string();
    while !rest.trim().is_empty() {
        let start = rest.len() - rest.trim_start().len();
        rest = rest.get(start..).unwrap_or_default();
        let line = rest.lines().next().unwrap_or_default();
        let mut words = line.split_whitespace();
        if words.next().is_some_and(|it| it.eq_ignore_ascii_case("delimiter")) {
            delimiter = words.next().unwrap_or(";").to_string();
            rest = rest.get(line.len()..).unwrap_or_default();
            continue;
        }
        let end = ends(rest, &delimiter, dialect);
        let one = rest.get(..end).unwrap_or(rest).trim();
        if parse_tokens(one, dialect).iter().any(|it| !it.is_sign(";")) {
            found.push(one.to_string());
        }
        rest = rest.get(end + delimiter.len()..).unwrap_or_default();
    }
    found
}

/// Where the first statement ends. A name may hold signs of a delimiter: clients cut it there all the same.
fn ends(text: &str, delimiter: &str, dialect: Dialect) -> usize {
    let plain = |token: &Token<'_>| matches!(token.kind, Kind::Sign | Kind::Word);
    let within = |token: &Token<'_>| {
        let mut places = token.text.char_indices().map(|it| token.at + it.0);
        places.find(|at| text.get(*at..).is_some_and(|it| it.starts_with(delimiter)))
    };
    let tokens = parse_tokens(text, dialect);
    tokens.iter().filter(|it| plain(it)).find_map(within).unwrap_or(text.len())
}

/// What becomes of a statement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// What the server prepares, in the order in which it must.
    pub(super) prepares: Vec<String>,
    /// Rights that rules tell of.
    pub(super) rights: BTreeSet<Right>,
    /// Privileges that it must have on a table or on any column of it.
    pub(super) any: BTreeSet<(&'static str, (String, String))>,
    /// A temporary table that it makes: where, its columns if they are named, and the query it is made of.
    pub(super) makes: Option<Temporary>,
    /// Databases that it goes to, for which it must have some right there.
    pub(super) enters: BTreeSet<String>,
    /// A body of statements that it is.
    pub(super) body: Option<String>,
    /// Why its needs cannot be told.
    pub(super) unproved: Option<String>,
    /// Whether it makes, alters or drops things that stay.
    pub(super) is_migration: bool,
}

/// A temporary table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Temporary {
    pub(super) database: Option<String>,
    pub(super) name: String,
    pub(super) columns: Vec<String>,
    pub(super) query: Option<String>,
    pub(super) like: Option<(Option<String>, String)>,
}

/// Words with which statements begin that need no right.
const FREE: [&str; 16] = [
    "start",
    "commit",
    "rollback",
    "savepoint",
    "release",
    "deallocate",
    "execute",
    "xa",
    "unlock",
    "help",
    "signal",
    "resignal",
    "get",
    "kill",
    "open",
    "close",
];

/// What to do with a statement that has no data in it any more; `database` is where names without one are looked up.
pub(super) fn plan(text: &str, database: Option<&str>, dialect: Dialect) -> Plan {
    let tokens = parse_tokens(text, dialect);
    let mut it = Plan::default();
    let word = |index: usize, words: &[&str]| tokens.get(index).is_some_and(|it| it.is_any(words));
    let Some(first) = tokens.first() else { return it };
    // A statement of which the server decides by its version whether it runs.
    if first.text.starts_with("/*") {
        let inner = text.get(first.end()..).unwrap_or_default().trim_end_matches([';', ' ']);
        let inner = inner.strip_suffix("*/").unwrap_or(inner);
        return plan(inner, database, dialect);
    }
    let rest_from =
        |index: usize| tokens.get(index).and_then(|it| text.get(it.at..)).unwrap_or_default();
    match first.text.to_lowercase().as_str() {
        "begin" if tokens.len() == 1 || word(1, &["work"]) => {}
        "begin" | "if" | "case" | "loop" | "while" | "repeat" | "for" => {
            it.body = Some(text.to_string())
        }
        "execute" if word(1, &["immediate"]) => {
            it.unproved = Some(DYNAMIC.into());
        }
        "drop" if word(1, &["prepare"]) => {}
        "use" => it.enters.extend(tokens.get(1).and_then(name_of)),
        _ if FREE.iter().any(|it| first.is(it)) => {}
        "set" if word(1, &["statement"]) => {
            let at = tokens.iter().position(|it| it.is("for"));
            return at.map_or(it, |at| plan(rest_from(at + 1), database, dialect));
        }
        "set" if word(1, &["role"]) => {}
        "set" if word(1, &["names", "character", "transaction", "charset"]) => {}
        "set" if word(1, &["session", "global", "local"]) && word(2, &["transaction"]) => {}
        "set" if word(1, &["password", "default"]) => {
            it.unproved = Some("it administers accounts".into());
        }
        "prepare" => it.unproved = Some(DYNAMIC.into()),
        "call" => call(&tokens, text, database, &mut it),
        "create" | "drop" if word(1, &["temporary"]) => temporary(&tokens, text, database, &mut it),
        "create" if word(1, &["or"]) && word(3, &["temporary"]) => {
            let shorter = format!("create {}", rest_from(3));
            return plan(&shorter, database, dialect);
        }
        "truncate" => {
            let from = if word(1, &["table"]) { 2 } else { 1 };
            for table in each_table(&tokens, from, database, &mut it) {
                it.rights.insert(on_table("DROP", table));
            }
        }
        "lock" => lock(&tokens, database, &mut it),
        "optimize" | "repair" | "check" | "analyze" | "checksum" if maintains(&tokens) => {
            maintenance(&tokens, database, &mut it);
        }
        "handler" => {
            if tokens.iter().any(|it| it.is("open")) {
                for table in each_table(&tokens, 1, database, &mut it) {
                    it.any.insert(("SELECT", table));
                }
            }
        }
        "show" | "describe" | "desc" => shows(&tokens, text, database, &mut it),
        "flush" => {
            it.rights.insert(Right::on("RELOAD", Place::Server));
        }
        "explain" | "analyze" | "select" | "insert" | "update" | "delete" | "replace" | "with"
        | "values" | "do" | "set" | "load" | "(" | "table" => {
            it.prepares.push(text.to_string());
        }
        other => administers(other, &mut it),
    }
    it
}

/// What is shown is what somebody has a right on: to refer to it is the right that gives nothing else.
fn shows(tokens: &[Token<'_>], text: &str, database: Option<&str>, plan: &mut Plan) {
    let is = |index: usize, words: &[&str]| tokens.get(index).is_some_and(|it| it.is_any(words));
    let after = |words: &[&str]| tokens.iter().position(|it| it.is_any(words)).map(|it| it + 1);
    let other = after(&["from", "in"]).and_then(|it| tokens.get(it)).and_then(name_of);
    let place = other.clone().or_else(|| database.map(str::to_string));
    let first = tokens.first();
    let columns = match () {
        () if first.is_some_and(|it| it.is_any(&["describe", "desc"])) => {
            // DESCRIBE explains statements as well.
            let is_statement =
                is(1, &["select", "insert", "update", "delete", "replace", "with", "extended"]);
            (!is_statement).then_some(1)
        }
        () if tokens.iter().take(4).any(|it| it.is_any(&["columns", "fields"])) => {
            after(&["from", "in"])
        }
        () => None,
    };
    if let Some(at) = columns {
        let named = name_at(tokens, at, database).map(|it| it.0);
        let second = tokens.iter().rposition(|it| it.is_any(&["from", "in"])).filter(|it| *it > at);
        let table = match (named, second.and_then(|it| tokens.get(it + 1)).and_then(name_of)) {
            (Some(table), Some(database)) => Some((database, table.1)),
            (named, _) => named,
        };
        plan.rights.extend(table.map(|it| on_table("REFERENCES", it)));
        return;
    }
    match () {
        () if is(1, &["events"]) => {
            plan.rights.extend(place.map(|it| Right::on("EVENT", Place::database(&it))));
        }
        () if is(1, &["triggers"]) => {
            plan.rights.extend(place.map(|it| Right::on("TRIGGER", Place::database(&it))));
        }
        () if is(1, &["tables"]) || is(2, &["tables"]) => plan.enters.extend(other),
        () if is(1, &["create"]) && is(2, &["database", "schema"]) => {
            plan.enters.extend(tokens.last().and_then(name_of));
        }
        () if is(1, &["create"]) && is(2, &["procedure", "function"]) => {
            let routine = name_at(tokens, 3, database).map(|((database, name), _)| {
                match is(2, &["procedure"]) {
                    true => Place::Procedure(database, name.to_lowercase()),
                    false => Place::Function(database, name.to_lowercase()),
                }
            });
            plan.rights.extend(routine.map(|it| Right::on("EXECUTE", it)));
        }
        () if is(1, &["master", "binary", "slave", "engine", "binlog", "relaylog"]) => {
            plan.unproved = Some("it administers the server".into());
        }
        () => plan.prepares.push(text.to_string()),
    }
}

/// What is no work of an application's: it makes things, or administers.
fn administers(first: &str, plan: &mut Plan) {
    const SERVER: [&str; 12] = [
        "grant",
        "revoke",
        "shutdown",
        "reset",
        "purge",
        "change",
        "stop",
        "install",
        "uninstall",
        "backup",
        "binlog",
        "cache",
    ];
    plan.is_migration = matches!(first, "create" | "drop" | "alter" | "rename");
    plan.unproved = Some(match first {
        _ if plan.is_migration => "it makes, alters or drops things".into(),
        _ if SERVER.contains(&first) => "it administers the server".into(),
        _ => format!("`{first}` is not known"),
    });
}

pub(super) fn on_table(privilege: &str, table: (String, String)) -> Right {
    Right::on(privilege, Place::Table(table.0, table.1))
}

/// The name at a place, its database, and where it ends.
pub(super) fn name_at(
    tokens: &[Token<'_>],
    at: usize,
    database: Option<&str>,
) -> Option<((String, String), usize)> {
    let first = name_of(tokens.get(at)?)?;
    if tokens.get(at + 1).is_some_and(|it| it.is_sign(".")) {
        return Some(((first, name_of(tokens.get(at + 2)?)?), at + 3));
    }
    Some(((database?.to_string(), first), at + 1))
}

/// A name, in the case in which it stands there.
pub(super) fn name_of(token: &Token<'_>) -> Option<String> {
    match token.kind {
        Kind::Word => Some(token.text.to_string()),
        Kind::Quoted => token.name(),
        _ => None,
    }
}

/// Whoever has a right on one column may do this to the whole table.
fn maintenance(tokens: &[Token<'_>], database: Option<&str>, plan: &mut Plan) {
    let from = tokens.iter().position(|it| it.is_any(&["table", "tables"]));
    let only_reads = tokens.first().is_some_and(|it| it.is_any(&["check", "checksum"]));
    for table in each_table(tokens, from.map_or(1, |it| it + 1), database, plan) {
        if !only_reads {
            plan.any.insert(("INSERT", table.clone()));
        }
        plan.any.insert(("SELECT", table));
    }
}

/// Whether it is about a table as a whole: `ANALYZE` explains statements as well.
fn maintains(tokens: &[Token<'_>]) -> bool {
    tokens.iter().take(3).any(|it| it.is_any(&["table", "tables"]))
}

fn each_table(
    tokens: &[Token<'_>],
    from: usize,
    database: Option<&str>,
    plan: &mut Plan,
) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut at = from;
    while let Some((table, end)) = name_at(tokens, at, database) {
        found.push(table);
        at = end;
        if !tokens.get(at).is_some_and(|it| it.is_sign(",")) {
            break;
        }
        at += 1;
    }
    if found.is_empty() {
        plan.unproved = Some("which table it is about is not known".into());
    }
    found
}

/// `LOCK TABLES t [AS x] READ, u WRITE`.
fn lock(tokens: &[Token<'_>], database: Option<&str>, plan: &mut Plan) {
    let mut at = 2;
    while let Some((table, end)) = name_at(tokens, at, database) {
        plan.rights.insert(Right::on("LOCK TABLES", Place::database(&table.0)));
        plan.any.insert(("SELECT", table));
        let next = tokens.iter().skip(end).position(|it| it.is_sign(","));
        let Some(next) = next else { break };
        at = end + next + 1;
    }
}

/// `CALL p(arguments)`.
fn call(tokens: &[Token<'_>], text: &str, database: Option<&str>, plan: &mut Plan) {
    let Some(((database, name), end)) = name_at(tokens, 1, database) else {
        plan.unproved = Some("which procedure it calls is not known".into());
        return;
    };
    // The server notes routines in small letters.
    plan.rights.insert(Right::on("EXECUTE", Place::Procedure(database, name.to_lowercase())));
    let (Some(open), Some(close)) = (tokens.get(end), tokens.iter().rfind(|it| it.is_sign(")")))
    else {
        return;
    };
    let arguments = text.get(open.end()..close.at).unwrap_or_default().trim();
    if !arguments.is_empty() {
        plan.prepares.push(format!("DO {arguments}"));
    }
}

/// `CREATE TEMPORARY TABLE x (a INT, …) [AS] SELECT …`, `… LIKE y`; dropping one needs nothing.
fn temporary(tokens: &[Token<'_>], text: &str, database: Option<&str>, plan: &mut Plan) {
    if tokens.first().is_some_and(|it| it.is("drop")) {
        return;
    }
    if !tokens.get(2).is_some_and(|it| it.is("table")) {
        // A sequence for one: its name is that of a table.
        plan.unproved = Some("it makes something temporary that is no table".into());
        return;
    }
    let mut at = 3;
    if tokens.get(at).is_some_and(|it| it.is("if")) {
        at += 3;
    }
    let Some(((place, name), end)) = name_at(tokens, at, Some(database.unwrap_or_default())) else {
        plan.unproved = Some("which table it makes is not known".into());
        return;
    };
    if !place.is_empty() {
        plan.rights.insert(Right::on("CREATE TEMPORARY TABLES", Place::database(&place)));
    }
    let mut made =
        Temporary { database: Some(place).filter(|it| !it.is_empty()), name, ..Default::default() };
    let rest = tokens.get(end..).unwrap_or_default();
    let like = rest.iter().take(2).position(|it| it.is("like"));
    if let Some(like) = like {
        let named = name_at(tokens, end + like + 1, Some(""));
        made.like = named.map(|((a, b), _)| (Some(a).filter(|it| !it.is_empty()), b));
        if let Some((place, name)) = &made.like
            && let Some(place) = place.as_deref().or(database)
        {
            plan.any.insert(("SELECT", (place.to_string(), name.clone())));
        }
        plan.makes = Some(made);
        return;
    }
    let (columns, query) = columns_and_query(tokens, text, end);
    made.columns = columns;
    plan.prepares.extend(query.clone());
    made.query = query;
    plan.makes = Some(made);
}

/// Columns that are named after the name of a table that is made, and the query that it is filled from.
fn columns_and_query(
    tokens: &[Token<'_>],
    text: &str,
    end: usize,
) -> (Vec<String>, Option<String>) {
    let rest = tokens.get(end..).unwrap_or_default();
    let mut columns = Vec::new();
    let mut depth = 0usize;
    let mut is_first = false;
    let mut query = None;
    for (index, token) in rest.iter().enumerate() {
        let next = rest.get(index + 1);
        let begins = |it: &Token<'_>| it.is_any(&["select", "with", "values"]);
        let is_query = begins(token) || (token.is_sign("(") && next.is_some_and(begins));
        if depth == 0 && (token.is("as") || is_query) {
            let start = if token.is("as") { next } else { Some(token) };
            query = start.and_then(|it| text.get(it.at..)).map(str::to_string);
            break;
        }
        if token.is_sign("(") {
            depth += 1;
            is_first = depth == 1;
            continue;
        }
        if token.is_sign(")") {
            depth = depth.saturating_sub(1);
            continue;
        }
        if depth == 1 && is_first {
            const KEYS: [&str; 10] = [
                "primary",
                "key",
                "index",
                "unique",
                "constraint",
                "fulltext",
                "check",
                "foreign",
                "spatial",
                "period",
            ];
            let is_column = token.kind == Kind::Quoted || !token.is_any(&KEYS);
            columns.extend(name_of(token).filter(|_| is_column));
        }
        is_first = depth == 1 && token.is_sign(",");
    }
    (columns, query)
}

/// Calls of stored functions, and the statement with something in their place: of a function that says it is deterministic the
/// server may run a call while it prepares.
pub(super) fn without_calls(
    text: &str,
    database: Option<&str>,
    dialect: Dialect,
    is_function: impl Fn(&str, &str) -> bool,
) -> (String, Vec<(String, String)>) {
    const NAMES: [&str; 9] =
        ["into", "from", "join", "table", "update", "call", "with", "as", "references"];
    let tokens = parse_tokens(text, dialect);
    let mut found = Vec::new();
    let mut parts: Vec<(std::ops::Range<usize>, &str)> = Vec::new();
    for (index, open) in tokens.iter().enumerate().filter(|(_, it)| it.is_sign("(")) {
        let back = |count: usize| index.checked_sub(count).and_then(|it| tokens.get(it));
        let Some((last, name)) = back(1).and_then(|it| Some((it, name_of(it)?))) else { continue };
        let place = back(3).filter(|_| back(2).is_some_and(|it| it.is_sign(".")));
        let (first, place_name) = match place.and_then(|it| Some((it, name_of(it)?))) {
            Some((token, name)) => (token, Some(name)),
            None => (last, database.map(str::to_string)),
        };
        let before = if place.is_some() { back(4) } else { back(2) };
        let Some(place_name) = place_name else { continue };
        if before.is_some_and(|it| it.is_any(&NAMES)) || !is_function(&place_name, &name) {
            continue;
        }
        parts.push((first.at..last.end(), "COALESCE"));
        if tokens.get(index + 1).is_some_and(|it| it.is_sign(")")) {
            parts.push((open.end()..open.end(), "NULL"));
        }
        found.push((place_name, name));
    }
    (exchanged(text, parts), found)
}

/// The role that a statement switches to; of roles, case counts.
pub(super) fn role_of(text: &str, dialect: Dialect) -> Option<String> {
    let tokens = parse_tokens(text, dialect);
    let is_it = tokens.first()?.is("set") && tokens.get(1)?.is("role");
    let name = tokens.get(2).filter(|it| is_it && !it.is("none"))?;
    match name.kind {
        Kind::Literal => Some(name.text.trim_matches(['\'', '"']).to_string()),
        _ => name_of(name),
    }
}

/// What else the server must be asked of a statement: it does not look at all columns before it runs it.
pub(super) fn aside(text: &str, dialect: Dialect) -> Option<String> {
    let tokens = parse_tokens(text, dialect);
    let first = tokens.first()?;
    let mut depth = 0usize;
    let mut top: Vec<(usize, &Token<'_>)> = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        if token.is_sign("(") {
            depth += 1;
        } else if token.is_sign(")") {
            depth = depth.saturating_sub(1);
        } else if depth == 0 {
            top.push((index, token));
        }
    }
    let at = |words: &[&str]| top.iter().find(|it| it.1.is_any(words)).map(|it| it.1);
    // What decides which rows go first.
    if first.is("delete") && at(&["order"]).is_some() {
        let from = at(&["from"])?;
        let end = at(&["returning"]).map_or(text.len(), |it| it.at);
        return Some(format!("SELECT 1 {}", text.get(from.at..end)?));
    }
    // Values that columns of one table get from others.
    let set = at(&["set"]).filter(|_| first.is("update"))?;
    let start = tokens.iter().skip(1).find(|it| !it.is_any(&["low_priority", "ignore"]))?;
    let is_joined = top.iter().any(|it| it.1.at < set.at && (it.1.is("join") || it.1.is_sign(",")));
    if !is_joined {
        return None;
    }
    let end = at(&["where", "order", "limit"]).map_or(text.len(), |it| it.at);
    let mut values = Vec::new();
    let mut from = None;
    for (_, token) in top.iter().filter(|it| it.1.at > set.at && it.1.at < end) {
        if token.is_sign("=") && from.is_none() {
            from = Some(token.end());
        } else if token.is_sign(",") {
            values.extend(from.take().and_then(|it| text.get(it..token.at)));
        }
    }
    values.extend(from.and_then(|it| text.get(it..end)));
    let plain: Vec<&str> = values
        .into_iter()
        .map(str::trim)
        .filter(|it| !it.eq_ignore_ascii_case("default"))
        .collect();
    let tail = text.get(end..)?;
    let refs = text.get(start.at..set.at)?.trim();
    (!plain.is_empty()).then(|| format!("SELECT {} FROM {refs} {tail}", plain.join(", ")))
}

/// Words of a statement: names it may mean, without quotes and in lower case.
pub(super) fn words_in(text: &str, dialect: Dialect) -> BTreeSet<String> {
    let tokens = parse_tokens(text, dialect);
    tokens.iter().filter_map(name_of).map(|it| it.to_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_data_is_left_and_it_is_still_sql() {
        let text = "SELECT a, 'x' AS y, DATE '2026-01-02', 4111111111111111, 123, 12, x'4111', _utf8'z' FROM t WHERE b = \"4111\" /* 4111 */;";
        let expected =
            "SELECT a, '$' AS y, DATE '2000-01-01', 9, 9, 12, x'24', _utf8'$' FROM t WHERE b = '$'";
        assert_eq!(preparable(text, Dialect::MARIADB), expected);
        assert_eq!(
            preparable("select \"a\" from t", Dialect::Mariadb { is_ansi: true, escapes: true }),
            "select \"a\" from t"
        );
    }

    #[test]
    fn files_are_cut_into_statements() {
        let text = "select 1; -- x;y\nselect ';';\nDELIMITER //\nbegin not atomic select 1; end//\ndelimiter ;\nselect 2";
        let expected =
            ["select 1", "-- x;y\nselect ';'", "begin not atomic select 1; end", "select 2"];
        assert_eq!(parse_statements(text, Dialect::MARIADB), expected);
    }

    #[test]
    fn a_delimiter_cuts_a_name() {
        let text = "delimiter $$\nselect a from t$$\nselect 2$$";
        assert_eq!(parse_statements(text, Dialect::MARIADB), ["select a from t", "select 2"]);
    }

    #[track_caller]
    fn check(text: &str, rights: &[&str], prepares: &[&str]) -> Plan {
        let plan = plan(text, Some("shop"), Dialect::MARIADB);
        let found: Vec<String> = plan.rights.iter().map(ToString::to_string).collect();
        assert_eq!(found, rights, "{text}");
        assert_eq!(plan.prepares, prepares, "{text}");
        plan
    }

    #[test]
    fn columns_that_the_server_looks_at_late_are_asked_for() {
        let aside = |text: &str| aside(text, Dialect::MARIADB);
        assert_eq!(
            aside("UPDATE t JOIN u ON t.id = u.id SET t.a = t.b + u.x, t.c = f(1, 2), t.d = DEFAULT WHERE t.e = 1").unwrap(),
            "SELECT t.b + u.x, f(1, 2) FROM t JOIN u ON t.id = u.id WHERE t.e = 1"
        );
        assert_eq!(
            aside("DELETE FROM t WHERE a = 1 ORDER BY b LIMIT 1").unwrap(),
            "SELECT 1 FROM t WHERE a = 1 ORDER BY b LIMIT 1"
        );
        assert_eq!(aside("UPDATE t SET a = b"), None);
    }

    #[test]
    fn no_stored_function_is_called() {
        let text = "SELECT f(a, g()), o.f (1), left(b, f(2)) FROM f (x) WHERE h(1)";
        let is_function = |database: &str, name: &str| {
            matches!((database, name), ("shop", "f" | "g") | ("o", "f"))
        };
        let (text, found) = without_calls(text, Some("shop"), Dialect::MARIADB, is_function);
        let expected = "SELECT COALESCE(a, COALESCE(NULL)), COALESCE (1), left(b, COALESCE(2)) FROM f (x) WHERE h(1)";
        assert_eq!(text, expected);
        assert_eq!(found.len(), 4);
    }

    #[test]
    fn rules_tell_what_the_server_does_not_prepare() {
        check(
            "CALL restock((SELECT 1), @n)",
            &["EXECUTE ON PROCEDURE `shop`.`restock`"],
            &["DO (SELECT 1), @n"],
        );
        let locks = check("LOCK TABLES a READ, b AS x WRITE", &["LOCK TABLES ON `shop`.*"], &[]);
        let any: Vec<&str> = locks.any.iter().map(|it| it.1.1.as_str()).collect();
        assert_eq!(any, ["a", "b"]);
        check("TRUNCATE TABLE o.t", &["DROP ON `o`.`t`"], &[]);
        let made = check(
            "CREATE TEMPORARY TABLE IF NOT EXISTS x (a INT, b VARCHAR(10) DEFAULT 'q', PRIMARY KEY (a)) ENGINE=MEMORY AS SELECT c FROM t",
            &["CREATE TEMPORARY TABLES ON `shop`.*"],
            &["SELECT c FROM t"],
        );
        assert_eq!(made.makes.unwrap().columns, ["a", "b"]);
        let made = check(
            "create temporary table y (select 1 as z)",
            &["CREATE TEMPORARY TABLES ON `shop`.*"],
            &["(select 1 as z)"],
        );
        assert_eq!(made.makes.unwrap().columns, [""; 0]);
        assert!(check("DROP TEMPORARY TABLE x", &[], &[]).unproved.is_none());
        assert!(check("ALTER TABLE x ADD y INT", &[], &[]).is_migration);
        check("SET STATEMENT max_statement_time=1 FOR SELECT a FROM t", &[], &["SELECT a FROM t"]);
        check("SHOW FULL COLUMNS FROM a FROM o", &["REFERENCES ON `o`.`a`"], &[]);
        check("describe a", &["REFERENCES ON `shop`.`a`"], &[]);
        check("SHOW CREATE PROCEDURE GetAll", &["EXECUTE ON PROCEDURE `shop`.`getall`"], &[]);
        assert!(check("USE o", &[], &[]).enters.contains("o"));
        assert!(check("EXECUTE IMMEDIATE @a", &[], &[]).unproved.is_some());
        assert_eq!(role_of("SET ROLE 'Clerk'", Dialect::MARIADB).as_deref(), Some("Clerk"));
    }
}
