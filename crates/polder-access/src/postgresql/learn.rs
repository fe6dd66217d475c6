//! What an account does: its statements, and the rights that they need.

use super::analyse::{Analyst, AnyOf, Keeps, Needs, Prepared, Unproved, names_in};
use super::catalog::is_system;
use super::plpgsql::parse_body;
use super::rights::{Held, Rights};
use super::session::Session;
use super::statement::{parse_statements, path_of};
use crate::sql::{Dialect, parse_tokens, quote, shape, without_literals};
use crate::{AccessError, Atom, Class, Evidence, Object, Privilege, Source, Sources};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Most statements that are looked at, the most frequent first.
const STATEMENTS_MAX: usize = 200_000;

/// A statement, and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct Statement {
    /// Its text, without any literal.
    pub text: String,
    /// How often it ran; zero for one from a file.
    pub calls: u64,
    /// Where it was seen.
    pub source: Source,
    /// Rights that it needs.
    #[serde(skip)]
    pub atoms: BTreeSet<Atom>,
    /// Why its needs cannot be told, if so.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unproved: Vec<String>,
    /// Whether it makes, alters or drops things, as only an owner may.
    #[serde(skip)]
    pub(super) needs_owner: bool,
    /// As it can be prepared again.
    #[serde(skip)]
    pub(super) prepared: Option<Prepared>,
}

/// A right that is needed.
#[derive(Clone, Debug, Serialize)]
pub struct Needed {
    /// The right.
    pub atom: Atom,
    /// How we know.
    pub evidence: Evidence,
    /// How often statements ran that need it.
    pub calls: u64,
    /// Indices of statements that need it.
    #[serde(skip)]
    pub statements: Vec<usize>,
    /// Whether only triggers and bodies of routines need it.
    pub is_below: bool,
}

/// What an account does.
#[derive(Clone, Debug, Serialize)]
pub struct Learned {
    /// The account.
    pub account: String,
    /// The database.
    pub database: String,
    /// Since when the server counts, as it says it.
    pub since: Option<String>,
    /// When it was asked, by the server's clock.
    pub until: String,
    /// How often the server forgot statements for lack of room (`pg_stat_statements.max`).
    pub forgotten: u64,
    /// Statements.
    pub statements: Vec<Statement>,
    /// Rights that are needed, or kept.
    pub needed: Vec<Needed>,
    /// Roles that it must be in.
    pub roles: BTreeSet<String>,
    /// Whether statements were analysed as the account, so that policies of rows are seen.
    pub is_as_account: bool,
    /// Paths on which names were looked up.
    pub paths: Vec<String>,
    /// Other databases in which the account sends statements.
    pub elsewhere: Vec<String>,
}

impl Learned {
    /// The rights alone.
    pub fn atoms(&self) -> BTreeSet<Atom> {
        self.needed.iter().map(|it| it.atom.clone()).collect()
    }

    /// Statements of which the needs cannot be told.
    pub fn unproved(&self) -> impl Iterator<Item = &Statement> {
        self.statements.iter().filter(|it| !it.unproved.is_empty())
    }
}

/// Asks the server which statements the account sends, and which rights they need.
///
/// # Errors
/// When there is no such account, nobody counts statements, or the server goes away.
pub fn learn(
    session: &mut Session,
    rights: &Rights,
    sources: &Sources,
) -> Result<Learned, AccessError> {
    if !sources.slow_log.is_empty() || sources.takes_ended {
        let what = "PostgreSQL counts statements by account: slow logs and ended connections are asked of MariaDB alone";
        return Err(AccessError::Target { what: what.into() });
    }
    let mut learned = Learned {
        account: rights.account.clone(),
        database: rights.database.clone(),
        since: None,
        until: String::new(),
        forgotten: 0,
        statements: Vec::new(),
        needed: Vec::new(),
        roles: BTreeSet::new(),
        is_as_account: false,
        paths: Vec::new(),
        elsewhere: Vec::new(),
    };
    let now = session.rows("SELECT to_char(now(), 'YYYY-MM-DD HH24:MI:SSOF')", &[], "the time")?;
    learned.until = now.first().map(|it| it.get(0)).unwrap_or_default();
    let mut texts: Vec<(String, u64, Source)> = Vec::new();
    if !sources.only_text {
        texts = counted(session, &rights.account, &mut learned)?;
    }
    texts.extend(parse_statements(&sources.text).into_iter().map(|it| (it, 0, Source::Static)));
    learned.paths = paths(session, &rights.account, &texts)?;
    let mut analyst =
        Analyst::new(session, &rights.account, &rights.database, learned.paths.clone())?;
    learned.is_as_account = analyst.is_account;
    // Tables that later statements use are made first.
    let makes = |text: &str| {
        let needs = super::utility::needs_of(text).unwrap_or_default();
        needs.iter().any(|it| matches!(it, super::utility::UtilityNeed::Temporary { .. }))
    };
    texts.sort_by_cached_key(|(text, ..)| !makes(text));
    let mut all = Vec::with_capacity(texts.len());
    let mut known = None;
    for (text, calls, source) in texts {
        let (mut needs, prepared) = analyst.top(&text)?;
        // Statements within functions are counted as well, with names that mean something there only.
        if !needs.unproved.is_empty() {
            let bodies = match &known {
                Some(known) => known,
                None => {
                    analyst.go("")?;
                    known.insert(bodies(analyst.session)?)
                }
            };
            if let Some(function) = bodies.get(&shape(&text, Dialect::Postgresql)) {
                needs = analyst.of_routine(*function)?;
            }
        }
        let is_migration = needs.unproved.iter().any(|it| it.keeps == Keeps::Owner);
        if is_migration && sources.no_migrations {
            continue;
        }
        all.push(Seen { text, calls, source, needs, prepared });
    }
    analyst.end()?;
    conclude(&mut learned, rights, all);
    Ok(learned)
}

/// Statements that the server counted for an account in this database.
fn counted(
    session: &mut Session,
    account: &str,
    learned: &mut Learned,
) -> Result<Vec<(String, u64, Source)>, AccessError> {
    let none = |because: &str| AccessError::NoStatements { because: because.to_string() };
    let sql = "SELECT n.nspname::text FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'";
    let rows = session.rows(sql, &[], "extensions")?;
    let schema: String = rows
        .first()
        .map(|it| it.get(0))
        .ok_or_else(|| none("the extension `pg_stat_statements` is not in this database"))?;
    let schema = quote(&schema);
    let sql = format!(
        "SELECT query, sum(calls)::int8 FROM {schema}.pg_stat_statements WHERE userid = (SELECT oid FROM pg_roles WHERE rolname = $1) \
         AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) GROUP BY query ORDER BY 2 DESC, 1 LIMIT {STATEMENTS_MAX}"
    );
    let rows = session.rows(&sql, &[&account], "statements").map_err(|error| match error {
        AccessError::Query { source, .. } if source.state() == Some("55000") => {
            none("`pg_stat_statements` is not in `shared_preload_libraries`")
        }
        other => other,
    })?;
    if session.version() >= 140_000 {
        let sql = format!(
            "SELECT to_char(stats_reset, 'YYYY-MM-DD HH24:MI:SSOF'), dealloc FROM {schema}.pg_stat_statements_info"
        );
        for row in session.rows(&sql, &[], "since when statements are counted")? {
            learned.since = row.get(0);
            learned.forgotten = u64::try_from(row.get::<_, i64>(1)).unwrap_or(0);
        }
    }
    let sql = format!(
        "SELECT DISTINCT d.datname::text FROM {schema}.pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid \
         WHERE s.userid = (SELECT oid FROM pg_roles WHERE rolname = $1) AND d.datname <> current_database() ORDER BY 1"
    );
    let elsewhere = session.rows(&sql, &[&account], "other databases")?;
    learned.elsewhere = elsewhere.iter().map(|it| it.get(0)).collect();
    let mut texts = Vec::new();
    for row in rows {
        let Some(text) = row.get::<_, Option<String>>(0) else { continue };
        if text == "<insufficient privilege>" {
            return Err(none(&format!(
                "`{}` may not see the statements of others: GRANT pg_read_all_stats TO it",
                session.user()
            )));
        }
        texts.push((text, u64::try_from(row.get::<_, i64>(1)).unwrap_or(0), Source::Run));
    }
    Ok(texts)
}

/// Pieces of SQL that stand in functions, without literals, and in which.
fn bodies(session: &mut Session) -> Result<BTreeMap<String, u32>, AccessError> {
    let sql = "SELECT p.oid, l.lanname::text, p.prosrc FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang \
        JOIN pg_namespace n ON n.oid = p.pronamespace WHERE l.lanname IN ('sql', 'plpgsql') AND n.nspname <> 'information_schema' \
        AND n.nspname <> 'pg_catalog' ORDER BY p.oid LIMIT 50000";
    let mut found = BTreeMap::new();
    for row in session.rows(sql, &[], "functions")? {
        let source: String = row.get(2);
        let pieces = match row.get::<_, &str>(1) {
            "sql" => parse_statements(&source),
            _ => parse_body(&source).pieces,
        };
        for piece in pieces {
            found.entry(shape(&piece, Dialect::Postgresql)).or_insert(row.get(0));
        }
    }
    Ok(found)
}

/// Paths on which the account's names are looked up: what it sets itself, what is set for it, and the server's default.
fn paths(
    session: &mut Session,
    account: &str,
    texts: &[(String, u64, Source)],
) -> Result<Vec<String>, AccessError> {
    let mut paths: Vec<String> = Vec::new();
    let mut add = |path: String| {
        if !path.is_empty() && !paths.contains(&path) {
            paths.push(path);
        }
    };
    for (text, ..) in texts {
        for need in super::utility::needs_of(text).unwrap_or_default() {
            if let super::utility::UtilityNeed::Path(path) = need {
                add(path_of(&path, account));
            }
        }
    }
    // What is set for the role in the database goes before what is set for either.
    let sql = "SELECT s.setconfig FROM pg_db_role_setting s \
        WHERE s.setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = $1)) \
        AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())) \
        ORDER BY s.setrole = 0, s.setdatabase = 0";
    for row in session.rows(sql, &[&account], "settings of the role")? {
        let settings: Vec<String> = row.get(0);
        for setting in settings {
            if let Some(path) = setting.strip_prefix("search_path=") {
                add(path_of(path, account));
            }
        }
    }
    let sql = "SELECT reset_val FROM pg_settings WHERE name = 'search_path'";
    let reset = session.rows(sql, &[], "the path")?;
    let reset: Option<String> = reset.first().and_then(|it| it.get(0));
    add(path_of(&reset.unwrap_or_default(), account));
    add(path_of("\"$user\", public", account));
    Ok(paths)
}

/// Rights, with how we know of each, how often it was needed, and by which statements.
type Atoms = BTreeMap<Atom, (Evidence, u64, Vec<usize>)>;

/// A statement, and what the server says of it.
struct Seen {
    text: String,
    calls: u64,
    source: Source,
    needs: Needs,
    prepared: Option<Prepared>,
}

/// From what each statement needs to what the account needs.
fn conclude(learned: &mut Learned, rights: &Rights, all: Vec<Seen>) {
    let mut atoms: Atoms = BTreeMap::new();
    let mut direct: BTreeSet<Atom> = BTreeSet::new();
    let database = Object::bare(Class::Database, &rights.database);
    atoms.insert(Atom::on(Privilege::Connect, database), (Evidence::Run, 0, Vec::new()));
    let mut note = |atom: &Atom, evidence: Evidence, calls: u64, index: usize| {
        let slot = atoms.entry(atom.clone()).or_insert((evidence, 0, Vec::new()));
        slot.0 = slot.0.min(evidence);
        slot.1 = slot.1.saturating_add(calls);
        if slot.2.last() != Some(&index) {
            slot.2.push(index);
        }
    };
    let mut choices: Vec<(AnyOf, usize)> = Vec::new();
    let held = rights.held();
    for (index, seen) in all.into_iter().enumerate() {
        let Seen { text, calls, source, needs, prepared } = seen;
        let evidence = if source == Source::Run { Evidence::Run } else { Evidence::Static };
        for atom in &needs.atoms {
            note(atom, evidence, calls, index);
        }
        direct.extend(needs.atoms.difference(&needs.below).cloned());
        choices.extend(needs.any_of.into_iter().map(|it| (it, index)));
        let mut kept = BTreeSet::new();
        for it in &needs.unproved {
            kept.extend(keeps(it, rights, &held));
            if it.keeps == Keeps::Owner {
                learned.roles.extend(owners(rights));
            }
        }
        for atom in kept.difference(&needs.atoms) {
            note(atom, Evidence::Unproved, calls, index);
        }
        learned.roles.extend(needs.roles);
        let why = |it: &Unproved| match &it.what {
            Some(what) => format!("{what}: {}", it.because),
            None => it.because.clone(),
        };
        learned.statements.push(Statement {
            text: without_literals(&text, Dialect::Postgresql),
            calls,
            source,
            atoms: needs.atoms,
            unproved: needs.unproved.iter().map(why).collect(),
            needs_owner: needs.unproved.iter().any(|it| it.keeps == Keeps::Owner),
            prepared,
        });
    }
    // Whatever can be met by one of several rights is met by one that is needed anyway.
    for (choice, index) in choices {
        let chosen = choose(&choice, &atoms);
        let calls = learned.statements.get(index).map_or(0, |it| it.calls);
        direct.insert(chosen.clone());
        let slot = atoms.entry(chosen.clone()).or_insert((Evidence::Run, 0, Vec::new()));
        slot.1 = slot.1.saturating_add(calls);
        if !slot.2.contains(&index) {
            slot.2.push(index);
        }
        if let Some(it) = learned.statements.get_mut(index) {
            it.atoms.insert(chosen);
        }
    }
    learned.roles.remove(&rights.account);
    learned.needed = atoms
        .into_iter()
        .map(|(atom, (evidence, calls, statements))| {
            let is_below = !direct.contains(&atom);
            Needed { atom, evidence, calls, statements, is_below }
        })
        .collect();
}

fn choose(choice: &AnyOf, atoms: &Atoms) -> Atom {
    let whole = choice.privileges.iter().map(|it| Atom::on(*it, choice.object.clone()));
    let columns = choice.columns.iter().flat_map(|column| {
        choice.privileges.iter().map(move |it| Atom::column(*it, choice.object.clone(), column))
    });
    let mut first = columns.clone().chain(whole.clone());
    let met = columns.chain(whole).find(|it| atoms.contains_key(it));
    let fallback = || {
        let privilege = choice.privileges.first().copied().unwrap_or(Privilege::Select);
        Atom::on(privilege, choice.object.clone())
    };
    met.or_else(|| first.next()).unwrap_or_else(fallback)
}

/// Roles by which the account owns something.
fn owners(rights: &Rights) -> BTreeSet<String> {
    let owners = rights.owned.iter().map(|(_, owner)| owner.clone());
    owners.filter(|it| *it != rights.account).collect()
}

/// Rights of the account that are kept for something of which the needs cannot be told.
fn keeps(it: &Unproved, rights: &Rights, held: &Held<'_>) -> BTreeSet<Atom> {
    let mut kept = BTreeSet::new();
    if it.keeps == Keeps::Sequences {
        let sets = parse_tokens(&it.text, Dialect::Postgresql).iter().any(|it| it.is("setval"));
        let is_kept = |privilege: Privilege| {
            privilege == Privilege::Usage || (sets && privilege == Privilege::Update)
        };
        for sequence in &rights.sequences {
            for privilege in [Privilege::Usage, Privilege::Update] {
                if is_kept(privilege) && held.has(privilege, sequence, None) {
                    kept.insert(Atom::on(privilege, sequence.clone()));
                }
            }
        }
        return kept;
    }
    let names = names_in(&it.text);
    let is_named = |object: &Object| {
        names.contains(&(None, object.name.clone()))
            || names.contains(&(object.schema.clone(), object.name.clone()))
    };
    let mut tables: Vec<&Object> = rights.tables.keys().filter(|it| is_named(it)).collect();
    if tables.is_empty() && it.keeps == Keeps::NamedOrAll {
        tables = rights.tables.keys().collect();
    }
    for table in tables {
        for privilege in privileges_in(&it.text, it.keeps) {
            if held.has(privilege, table, None) {
                kept.insert(Atom::on(privilege, table.clone()));
            }
        }
        let usage = table.schema.clone().filter(|it| !is_system(it));
        kept.extend(usage.map(|it| Atom::on(Privilege::Usage, Object::bare(Class::Schema, it))));
    }
    let others = rights.grants.iter().filter(|it| {
        matches!(it.atom.object.class, Class::Function | Class::Procedure | Class::Sequence)
    });
    kept.extend(others.filter(|it| is_named(&it.atom.object)).map(|it| it.atom.clone()));
    kept
}

/// What a text may do to tables, by the keywords in it.
fn privileges_in(text: &str, keeps: Keeps) -> Vec<Privilege> {
    let tokens = parse_tokens(text, Dialect::Postgresql);
    let has = |words: &[&str]| tokens.iter().any(|it| it.is_any(words));
    let all = [
        (Privilege::Select, true),
        (Privilege::Insert, has(&["insert", "merge", "copy"])),
        (Privilege::Update, has(&["update", "merge", "lock", "share"])),
        (Privilege::Delete, has(&["delete", "merge"])),
        (Privilege::Truncate, has(&["truncate"])),
    ];
    let is_known = all.iter().skip(1).any(|it| it.1) || has(&["select", "with", "table"]);
    let is_all = !is_known && keeps == Keeps::NamedOrAll;
    let kept = all.into_iter().filter(|it| it.1 || (is_all && it.0 != Privilege::Truncate));
    kept.map(|it| it.0).collect()
}
