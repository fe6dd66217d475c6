//! Statements that the server does not plan, and so tells no tree of: what each needs, by a table of rules.
//!
//! Rules are those of the manual (chapter VI, under each command). Names are left to the server to look up.

use crate::Privilege;
use crate::sql::{Dialect, Kind, Token, parse_tokens};

/// What a statement needs that has no tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum UtilityNeed {
    /// One of these privileges on the whole table, whichever is there already, else the first.
    Table { name: String, any_of: Vec<Privilege>, columns: Vec<String> },
    /// Rows are added, so that triggers fire.
    Written { name: String, rights: u64 },
    /// What another statement within it needs.
    Query(String),
    /// A procedure of this name.
    Call(String),
    /// A block of PL/pgSQL.
    Block(String),
    /// `TEMPORARY` on the database; the statement makes this table, for which later ones ask.
    Temporary { makes: String },
    /// Membership in a role.
    Role(String),
    /// A path on which names are looked up.
    Path(String),
    /// Rights that only an owner has, or a superuser.
    Owner(String),
}

/// Keywords that begin statements for which nothing is needed.
const FREE: [&str; 19] = [
    "begin",
    "start",
    "commit",
    "end",
    "rollback",
    "abort",
    "savepoint",
    "release",
    "show",
    "reset",
    "discard",
    "listen",
    "unlisten",
    "notify",
    "deallocate",
    "close",
    "fetch",
    "move",
    "execute",
];

/// What a utility statement needs; none for one that is not known.
pub(super) fn needs_of(text: &str) -> Option<Vec<UtilityNeed>> {
    let tokens = parse_tokens(text, Dialect::Postgresql);
    let tokens: Vec<Token<'_>> = tokens.into_iter().filter(|it| !it.is_sign(";")).collect();
    let [first, rest @ ..] = tokens.as_slice() else { return Some(Vec::new()) };
    let word = first.text.to_ascii_lowercase();
    match word.as_str() {
        "set" => Some(set(text, rest)),
        it if FREE.contains(&it) => Some(Vec::new()),
        "lock" => Some(lock(rest)),
        "truncate" => Some(truncate(rest)),
        "copy" => copy(text, rest),
        "call" => Some(vec![UtilityNeed::Call(names(rest).into_iter().next()?)]),
        "do" => block(rest),
        "explain" => Some(vec![UtilityNeed::Query(after_options(text, rest)?)]),
        "declare" | "prepare" => {
            let keyword = if word == "declare" { "for" } else { "as" };
            let at = rest.iter().position(|it| it.is(keyword))?;
            Some(vec![UtilityNeed::Query(from(text, rest.get(at + 1)?))])
        }
        "select" => select_into(text, &tokens),
        "create" => create(text, rest),
        "drop" | "alter" => Some(drop_or_alter(text, rest)),
        "refresh" | "analyze" | "vacuum" | "cluster" | "reindex" | "comment" | "grant"
        | "revoke" => {
            let what = tokens.iter().take(4).map(|it| it.text).collect::<Vec<_>>().join(" ");
            Some(vec![UtilityNeed::Owner(what)])
        }
        _ => None,
    }
}

/// The rest of the text, from a token on.
fn from(text: &str, token: &Token<'_>) -> String {
    text.get(token.at..).unwrap_or_default().to_string()
}

/// Names that follow one another, with commas between them; it ends at anything else.
fn names(tokens: &[Token<'_>]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut goes_on = true;
    for token in tokens {
        match token.kind {
            Kind::Word if goes_on && token.is_any(&["only", "table"]) => {}
            Kind::Word | Kind::Quoted if goes_on => {
                match names.last_mut().filter(|it| it.ends_with('.')) {
                    Some(name) => name.push_str(token.text),
                    None => names.push(token.text.to_string()),
                }
                goes_on = false;
            }
            Kind::Sign if token.text == "." => {
                if let Some(name) = names.last_mut() {
                    name.push('.');
                }
                goes_on = true;
            }
            Kind::Sign if token.text == "," => goes_on = true,
            Kind::Sign if token.text == "*" => {}
            _ => break,
        }
    }
    names
}

/// `SET ROLE r`, `SET search_path = …`, and whatever else is set.
fn set(text: &str, rest: &[Token<'_>]) -> Vec<UtilityNeed> {
    let rest = match rest {
        [scope, rest @ ..] if scope.is_any(&["session", "local"]) && rest.len() > 1 => rest,
        rest => rest,
    };
    match rest {
        [role, name, ..] if role.is_any(&["role", "authorization"]) => {
            let is_name = matches!(name.kind, Kind::Word | Kind::Quoted);
            let name = name.name().filter(|it| is_name && it != "none" && it != "default");
            name.map(UtilityNeed::Role).into_iter().collect()
        }
        [path, sign, value, ..]
            if path.is("search_path") && (sign.is_sign("=") || sign.is("to")) =>
        {
            vec![UtilityNeed::Path(
                from(text, value).trim_end_matches([';', ' ', '\n']).to_string(),
            )]
        }
        _ => Vec::new(),
    }
}

/// `LOCK`: until 15 `ACCESS SHARE` asks for reading, `ROW EXCLUSIVE` for writing, others for more than adding rows.
fn lock(rest: &[Token<'_>]) -> Vec<UtilityNeed> {
    use Privilege::{Delete, Insert, Select, Truncate, Update};
    let mode: Vec<String> = rest
        .iter()
        .skip_while(|it| !it.is("in"))
        .skip(1)
        .take_while(|it| !it.is("mode"))
        .map(|it| it.text.to_ascii_lowercase())
        .collect();
    let any_of = match mode.join(" ").as_str() {
        "access share" => vec![Select],
        "row share" => vec![Select, Update, Delete, Truncate],
        "row exclusive" => vec![Insert, Update, Delete, Truncate],
        _ => vec![Update, Delete, Truncate],
    };
    let table = |name| UtilityNeed::Table { name, any_of: any_of.clone(), columns: Vec::new() };
    names(rest).into_iter().map(table).collect()
}

fn truncate(rest: &[Token<'_>]) -> Vec<UtilityNeed> {
    let mut needs = Vec::new();
    for name in names(rest) {
        let any_of = vec![Privilege::Truncate];
        needs.push(UtilityNeed::Written { name: name.clone(), rights: super::catalog::TRUNCATES });
        needs.push(UtilityNeed::Table { name, any_of, columns: Vec::new() });
    }
    if rest.windows(2).any(|it| matches!(it, [a, b] if a.is("restart") && b.is("identity"))) {
        needs.push(UtilityNeed::Owner("RESTART IDENTITY".into()));
    }
    needs
}

fn copy(text: &str, rest: &[Token<'_>]) -> Option<Vec<UtilityNeed>> {
    if rest.first()?.is_sign("(") {
        let inner = parenthesized(text, rest)?;
        let mut needs = vec![UtilityNeed::Query(inner)];
        let after: Vec<&Token<'_>> = rest.iter().rev().take_while(|it| !it.is_sign(")")).collect();
        let at = after.iter().rposition(|it| it.is("to"))?;
        let place = at.checked_sub(1).and_then(|it| after.get(it))?;
        if !place.is("stdout") {
            let is_program = place.is("program");
            let role =
                if is_program { "pg_execute_server_program" } else { "pg_write_server_files" };
            needs.push(UtilityNeed::Role(role.into()));
        }
        return Some(needs);
    }
    let name = names(rest).into_iter().next()?;
    let at = rest.iter().position(|it| it.is_any(&["from", "to"]))?;
    let is_read = rest.get(at)?.is("to");
    let columns = rest.get(..at)?.iter().skip_while(|it| !it.is_sign("("));
    let columns = columns.filter_map(Token::name).collect();
    let privilege = if is_read { Privilege::Select } else { Privilege::Insert };
    let mut needs = Vec::new();
    if !is_read {
        let rights = super::tree::right::INSERT;
        needs.push(UtilityNeed::Written { name: name.clone(), rights });
    }
    needs.push(UtilityNeed::Table { name, any_of: vec![privilege], columns });
    // What is not sent through the connection lies on the server.
    if !rest.get(at + 1)?.is_any(&["stdin", "stdout"]) {
        let role = match (rest.get(at + 1)?.is("program"), is_read) {
            (true, _) => "pg_execute_server_program",
            (false, true) => "pg_write_server_files",
            (false, false) => "pg_read_server_files",
        };
        needs.push(UtilityNeed::Role(role.into()));
    }
    Some(needs)
}

/// What stands between the first bracket and the one that closes it.
fn parenthesized(text: &str, tokens: &[Token<'_>]) -> Option<String> {
    let mut depth = 0_usize;
    let start = tokens.iter().find(|it| it.is_sign("("))?;
    for token in tokens {
        if token.is_sign("(") {
            depth += 1;
        } else if token.is_sign(")") {
            depth = depth.checked_sub(1)?;
            if depth == 0 {
                return text.get(start.end()..token.at).map(str::to_string);
            }
        }
    }
    None
}

/// The text of `DO $$ … $$`.
fn block(rest: &[Token<'_>]) -> Option<Vec<UtilityNeed>> {
    let is_other = rest.windows(2).any(
        |it| matches!(it, [a, b] if a.is("language") && b.name().is_none_or(|it| it != "plpgsql")),
    );
    let body = rest.iter().find(|it| it.kind == Kind::Literal)?;
    (!is_other).then(|| vec![UtilityNeed::Block(string_content(body.text))])
}

/// What is within the quotes of a string.
pub(super) fn string_content(text: &str) -> String {
    if text.starts_with('$')
        && let Some(end) = text.get(1..).and_then(|it| it.find('$'))
    {
        let tag = end + 2;
        return text.get(tag..text.len().saturating_sub(tag)).unwrap_or_default().to_string();
    }
    let start = text.find('\'').map_or(0, |it| it + 1);
    let inner = text.get(start..text.len().saturating_sub(1)).unwrap_or_default();
    inner.replace("''", "'")
}

/// `EXPLAIN (…) ANALYZE VERBOSE statement`.
fn after_options(text: &str, rest: &[Token<'_>]) -> Option<String> {
    let mut tokens = rest;
    if tokens.first()?.is_sign("(") {
        let end = tokens.iter().position(|it| it.is_sign(")"))?;
        tokens = tokens.get(end + 1..)?;
    }
    let first = tokens.iter().find(|it| !it.is_any(&["analyze", "analyse", "verbose"]))?;
    Some(from(text, first))
}

/// `SELECT … INTO [TEMP] name FROM …`, which is `CREATE TABLE name AS SELECT …`.
fn select_into(text: &str, tokens: &[Token<'_>]) -> Option<Vec<UtilityNeed>> {
    let mut depth = 0_i32;
    let at = tokens.iter().position(|it| {
        match it.text {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        depth == 0 && it.is("into")
    })?;
    let (before, rest) = (tokens.get(..at)?, tokens.get(at + 1..)?);
    let is_temporary = rest.first()?.is_any(&["temp", "temporary"]);
    let is_word = |it: &&Token<'_>| it.is_any(&["temp", "temporary", "unlogged", "table"]);
    let name = rest.iter().position(|it| !is_word(&it))?;
    let head = text.get(before.first()?.at..before.last()?.end())?;
    let tail = rest.get(name + 1).map_or("", |it| text.get(it.at..).unwrap_or_default());
    let query = format!("{head} {tail}");
    let first = match is_temporary {
        true => {
            let makes = format!("CREATE TEMP TABLE {} AS {query}", rest.get(name)?.text);
            UtilityNeed::Temporary { makes }
        }
        false => UtilityNeed::Owner(format!("CREATE TABLE {}", rest.get(name)?.text)),
    };
    Some(vec![first, UtilityNeed::Query(query)])
}

fn create(text: &str, rest: &[Token<'_>]) -> Option<Vec<UtilityNeed>> {
    let is_temporary = rest.iter().take(3).any(|it| it.is_any(&["temp", "temporary"]));
    let table = rest.iter().position(|it| it.is_any(&["table", "view", "sequence"]));
    let Some(at) = table.filter(|it| *it <= 3 && is_temporary) else {
        let what = rest.iter().take(2).map(|it| it.text).collect::<Vec<_>>().join(" ");
        return Some(vec![UtilityNeed::Owner(format!("CREATE {what}"))]);
    };
    let mut needs = vec![UtilityNeed::Temporary { makes: text.to_string() }];
    let mut depth = 0_i32;
    for token in rest.get(at..)? {
        match token.text {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ if depth == 0 && token.is("as") => {
                let query = text.get(token.end()..)?.to_string();
                needs.push(UtilityNeed::Query(query));
                break;
            }
            _ => {}
        }
    }
    Some(needs)
}

/// `DROP TABLE` of a temporary table needs nothing; which it is, the server has to say.
fn drop_or_alter(text: &str, rest: &[Token<'_>]) -> Vec<UtilityNeed> {
    let verb = text.split_whitespace().next().unwrap_or("ALTER").to_ascii_uppercase();
    let rest: Vec<Token<'_>> =
        rest.iter().filter(|it| !it.is_any(&["if", "exists"])).copied().collect();
    let kind = rest.first().map_or("", |it| it.text);
    let name = names(rest.get(1..).unwrap_or_default()).into_iter().next().unwrap_or_default();
    vec![UtilityNeed::Owner(format!("{verb} {kind} {name}"))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use Privilege::{Delete, Insert, Select, Truncate, Update};

    fn table(name: &str, any_of: &[Privilege], columns: &[&str]) -> UtilityNeed {
        let columns = columns.iter().map(ToString::to_string).collect();
        UtilityNeed::Table { name: name.into(), any_of: any_of.to_vec(), columns }
    }

    #[track_caller]
    fn check(text: &str, expected: &[UtilityNeed]) {
        assert_eq!(needs_of(text).as_deref(), Some(expected), "{text}");
    }

    #[test]
    fn each_command_has_its_rule() {
        check("BEGIN", &[]);
        check("SET statement_timeout = 5", &[]);
        check("SET LOCAL ROLE \"Ops\"", &[UtilityNeed::Role("Ops".into())]);
        check("SET ROLE NONE", &[]);
        check("SET search_path = shop, public;", &[UtilityNeed::Path("shop, public".into())]);
        let all = [Update, Delete, Truncate];
        check(
            "LOCK TABLE ONLY shop.\"Or,der\", b",
            &[table("shop.\"Or,der\"", &all, &[]), table("b", &all, &[])],
        );
        check("lock a in access share mode nowait", &[table("a", &[Select], &[])]);
        check(
            "COPY a (x, \"Y\") FROM STDIN",
            &[
                UtilityNeed::Written { name: "a".into(), rights: 1 },
                table("a", &[Insert], &["x", "Y"]),
            ],
        );
        check("COPY (SELECT (1)) TO STDOUT", &[UtilityNeed::Query("SELECT (1)".into())]);
        check(
            "COPY (SELECT 1) TO PROGRAM 'x'",
            &[
                UtilityNeed::Query("SELECT 1".into()),
                UtilityNeed::Role("pg_execute_server_program".into()),
            ],
        );
        check("CALL s.p($1, 2)", &[UtilityNeed::Call("s.p".into())]);
        check("DO $x$ BEGIN NULL; END $x$", &[UtilityNeed::Block(" BEGIN NULL; END ".into())]);
        check("DO LANGUAGE plpgsql 'a''b'", &[UtilityNeed::Block("a'b".into())]);
        check("EXPLAIN (ANALYZE, COSTS) SELECT 1", &[UtilityNeed::Query("SELECT 1".into())]);
        check("DECLARE c CURSOR FOR SELECT 1", &[UtilityNeed::Query("SELECT 1".into())]);
        let text = "CREATE TEMP TABLE x (a int) AS SELECT 1";
        check(
            text,
            &[
                UtilityNeed::Temporary { makes: text.into() },
                UtilityNeed::Query(" SELECT 1".into()),
            ],
        );
        check(
            "SELECT a INTO TEMP q FROM u WHERE b",
            &[
                UtilityNeed::Temporary {
                    makes: "CREATE TEMP TABLE q AS SELECT a FROM u WHERE b".into(),
                },
                UtilityNeed::Query("SELECT a FROM u WHERE b".into()),
            ],
        );
        check("CREATE INDEX i ON t (a)", &[UtilityNeed::Owner("CREATE INDEX i".into())]);
        check("DROP TABLE IF EXISTS s.t", &[UtilityNeed::Owner("DROP TABLE s.t".into())]);
        assert_eq!(needs_of("FROB x"), None);
    }
}
