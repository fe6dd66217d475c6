//! One user of the system, and what it may do to a database of SQLite.

use super::file::{Entry, Files, Piece, Who};
use crate::{
    AccessError, AccountFacts, Ambient, Client, Columns, Evidence, Excess, Kind, Necessity, Plan,
    Proof, Reach, ServerName, Source, Sources, Unfit, Usage, UsedRight, UsedStatement, Uses, Work,
    sensitive,
};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Whoever is nobody else: named as `polder audit` names it.
const EVERYONE: &str = "everyone";

/// Folders that web servers hand out, by their names.
const SERVED: [&str; 8] =
    ["public", "public_html", "htdocs", "html", "www", "webroot", "static", "wwwroot"];

/// A database, and what is known of one user so far.
pub struct Account {
    path: PathBuf,
    files: Files,
    /// Numbers of users of the system, by name.
    users: BTreeMap<String, Who>,
    tables: BTreeMap<String, Vec<String>>,
    user: String,
    learned: bool,
}

impl Account {
    /// Looks at a file.
    ///
    /// # Errors
    /// When it cannot be read, or is no database of SQLite.
    pub fn open(path: &Path, around: &Ambient) -> Result<Self, AccessError> {
        let files = Files::look(path)?;
        let mut users: BTreeMap<String, Who> = around
            .users
            .iter()
            .map(|(name, (uid, gid))| {
                (name.clone(), Who { uid: *uid, gids: BTreeSet::from([*gid]) })
            })
            .collect();
        for (gid, members) in &around.groups {
            for member in members {
                if let Some(who) = users.get_mut(member) {
                    who.gids.insert(*gid);
                }
            }
        }
        // A number that nobody has.
        users.insert(EVERYONE.into(), Who { uid: u32::MAX - 1, gids: BTreeSet::new() });
        let path = files.files.first().map_or_else(|| path.to_path_buf(), |it| it.path.clone());
        let tables = tables(&path)?;
        Ok(Self { path, files, users, tables, user: String::new(), learned: false })
    }

    fn who(&self) -> Who {
        self.users.get(&self.user).cloned().unwrap_or_default()
    }

    fn reach_of(&self, files: &Files, who: &Who) -> Reach {
        let mut reach = Reach::default();
        if files.reads(who) {
            reach.reads = self.tables.len();
            for (table, columns) in &self.tables {
                let found = columns.iter().filter_map(|it| Some((it, sensitive(it)?)));
                reach.sensitive.extend(
                    found.map(|(column, class)| (table.clone(), column.clone(), class, None)),
                );
            }
        }
        if files.writes(who) {
            reach.writes = self.tables.len();
            reach.empties = self.tables.len();
            reach.drops = self.tables.len();
        }
        reach
    }

    /// Modes without what nobody who has the files open needs.
    fn least(&self) -> Vec<(Entry, u32)> {
        let users = self.files.users();
        let mut least = Vec::new();
        for entry in &self.files.files {
            // Whoever neither owns it nor is in its group uses what everyone has.
            let others = users
                .iter()
                .any(|(uid, gids)| *uid != 0 && *uid != entry.uid && !gids.contains(&entry.gid));
            let kept = if others { 0o777 } else { 0o770 };
            // Nobody runs a database.
            least.push((entry.clone(), entry.mode & kept & !0o111));
        }
        least
    }
}

/// Tables and views with their columns; nothing is written, no code in the file is trusted.
fn tables(path: &Path) -> Result<BTreeMap<String, Vec<String>>, AccessError> {
    let failed =
        |error: rusqlite::Error| AccessError::File { path: path.into(), what: error.to_string() };
    let mut uri = "file:".to_string();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            it if it.is_ascii_alphanumeric() || b"/-_.".contains(it) => uri.push(char::from(*it)),
            it => uri.push_str(&format!("%{it:02X}")),
        }
    }
    // Not even the files beside it are touched.
    uri.push_str("?mode=ro&immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(uri, flags).map_err(failed)?;
    connection
        .execute_batch("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON")
        .map_err(failed)?;
    let sql = "SELECT m.name, c.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c \
        WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut asked = connection.prepare(sql).map_err(failed)?;
    let rows = asked.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)));
    for row in rows.map_err(failed)? {
        let (table, column) = row.map_err(failed)?;
        found.entry(table).or_default().push(column);
    }
    Ok(found)
}

impl Work for Account {
    fn server(&self) -> ServerName {
        let path = self.path.display().to_string();
        ServerName {
            words: format!("SQLite in `{path}`"),
            said: format!("sqlite:{path}"),
            address: path,
            database: None,
            uses: Uses::File,
        }
    }

    fn accounts(&mut self) -> Result<Vec<AccountFacts>, AccessError> {
        let everyone = self.users.get(EVERYONE).cloned().unwrap_or_default();
        let all = (self.files.reads(&everyone), self.files.writes(&everyone));
        let facts = |(name, who): (&String, &Who)| {
            let may = (self.files.reads(who), self.files.writes(who));
            let is_shown = name == EVERYONE || name == "root" || may != all;
            let mut attributes = Vec::new();
            attributes
                .extend((who.uid == self.files.files.first()?.uid).then(|| "owns it".to_string()));
            is_shown.then(|| AccountFacts {
                account: name.clone(),
                attributes,
                reach: self.reach_of(&self.files, who),
            })
        };
        Ok(self.users.iter().filter_map(facts).collect())
    }

    fn look(&mut self, account: &str) -> Result<String, AccessError> {
        self.files = Files::look(&self.path)?;
        if !self.users.contains_key(account) {
            return Err(AccessError::NoAccount { name: account.to_string() });
        }
        self.user = account.to_string();
        Ok(account.to_string())
    }

    fn clients(&mut self) -> Result<BTreeSet<Client>, AccessError> {
        let uid = self.who().uid;
        Ok(self.files.clients().into_iter().filter(|it| it.uid == uid).collect())
    }

    fn reach(&self) -> Reach {
        self.reach_of(&self.files, &self.who())
    }

    fn excess(&self) -> Vec<Excess> {
        let mut found = Vec::new();
        let mut one = |kind: Kind, what: String, means: &str| {
            found.push(Excess {
                kind,
                what,
                means: means.into(),
                through: None,
                details: Vec::new(),
            });
        };
        for (entry, least) in self.least() {
            if entry.mode & !least & 0o7 != 0 {
                let what = format!("mode {:04o} of {}", entry.mode, entry.path.display());
                one(
                    Kind::PublicTable,
                    what,
                    "every user and every program of the host has it, and nobody who has it open now needs that",
                );
            }
        }
        let owner = self.files.files.first().map(|it| it.uid);
        let others: Vec<&str> = self
            .users
            .iter()
            .filter(|(_, who)| who.uid != 0 && Some(who.uid) != owner && self.files.replaces(who))
            .map(|it| it.0.as_str())
            .take(5)
            .collect();
        if let Some(folder) = self.files.folders.first().filter(|_| !others.is_empty()) {
            let what = format!("{} write to {}", others.join(", "), folder.path.display());
            one(
                Kind::Owner,
                what,
                "they put another database in its place, or a journal beside it that is played back",
            );
        }
        let served = self.path.components().filter_map(|it| it.as_os_str().to_str());
        if let Some(name) = served.into_iter().find(|it| SERVED.contains(it)) {
            let what = format!("it lies below a folder `{name}`");
            one(
                Kind::AllData,
                what,
                "a web server that hands out that folder hands out the database: ask for its address",
            );
        }
        found
    }

    fn rights(&self) -> Value {
        json!({ "account": self.user, "files": self.files.files, "folders": self.files.folders })
    }

    fn learn(&mut self, sources: &Sources) -> Result<Usage, AccessError> {
        if sources.only_text || !sources.slow_log.is_empty() || sources.takes_ended {
            let what = "SQLite knows no rights within a file: statements do not matter";
            return Err(AccessError::Target { what: what.into() });
        }
        self.learned = true;
        let names = |uid: u32| {
            let known = self.users.iter().find(|it| it.1.uid == uid);
            known.map_or_else(|| uid.to_string(), |it| it.0.clone())
        };
        let users: BTreeSet<String> = self.files.users().iter().map(|it| names(it.0)).collect();
        let statements = users.iter().map(|it| UsedStatement {
            text: format!("{it} has it open"),
            calls: 1,
            source: Source::Run,
            unproved: Vec::new(),
        });
        let needed = self.least().into_iter().map(|(entry, mode)| UsedRight {
            right: format!("mode {mode:04o} of {}", entry.path.display()),
            atom: json!({ "path": entry.path, "mode": mode }),
            evidence: Evidence::Run,
            calls: 1,
            statements: Vec::new(),
        });
        let mut doubts = Vec::new();
        let is_root = rustix::process::geteuid().is_root();
        if !is_root {
            doubts.push("Processes of other users were not seen: root sees them".to_string());
        }
        if users.is_empty() {
            doubts.push("Nobody has it open now: a program that opens it now and then, as a user who is neither its owner nor in its group, is not seen".into());
        }
        let needed: Vec<UsedRight> = needed.collect();
        Ok(Usage {
            account: self.user.clone(),
            database: None,
            since: None,
            until: String::new(),
            grants: needed.iter().map(|it| it.right.clone()).collect(),
            needed,
            statements: statements.collect(),
            details: serde_json::Map::new(),
            doubts,
            is_whole: is_root,
        })
    }

    fn propose(&mut self, _columns: Columns) -> Result<Plan, AccessError> {
        if !self.learned {
            return Err(crate::work::not_learned());
        }
        let least = self.least();
        let mode = |path: &Path, mode: u32| Piece::Mode { path: path.into(), mode };
        let moved: Vec<&(Entry, u32)> =
            least.iter().filter(|(entry, to)| entry.mode != *to).collect();
        let chmod = |path: &Path, mode: u32| format!("chmod {mode:04o} {}", quoted(path));
        let mut later = self.files.clone();
        for (file, (_, to)) in later.files.iter_mut().zip(&least) {
            file.mode = *to;
        }
        let mut left = Vec::new();
        if self.excess().iter().any(|it| it.kind == Kind::Owner) {
            left.push(
                "who may write to its folder is left as it is: another program may need that"
                    .to_string(),
            );
        }
        if self.excess().iter().any(|it| it.kind == Kind::AllData) {
            left.push(
                "where it lies is left as it is: put it where no web server hands it out"
                    .to_string(),
            );
        }
        let before = moved.iter().map(|(it, _)| crate::Piece::Sqlite(mode(&it.path, it.mode)));
        let after = moved.iter().map(|(it, to)| crate::Piece::Sqlite(mode(&it.path, *to)));
        Ok(Plan {
            account: self.user.clone(),
            database: None,
            grants: least
                .iter()
                .map(|(it, to)| format!("mode {to:04o} of {}", it.path.display()))
                .collect(),
            minimum: Vec::new(),
            reach_before: self.reach(),
            reach_after: self.reach_of(&later, &self.who()),
            left,
            is_done: moved.is_empty(),
            forward: moved.iter().map(|(it, to)| chmod(&it.path, *to)).collect(),
            back: moved.iter().map(|(it, _)| chmod(&it.path, it.mode)).collect(),
            before: before.collect(),
            after: after.collect(),
        })
    }

    fn unfit(&mut self) -> Result<Option<Unfit>, AccessError> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Some(Unfit::Blind));
        }
        // Programs that open it for a moment, as pages do, are not seen: who needs it is not known then.
        Ok(self.files.users().is_empty().then_some(Unfit::Idle))
    }

    fn prove(&mut self) -> Result<Proof, AccessError> {
        let mut proof = Proof::default();
        let mut later = self.files.clone();
        for (file, (_, to)) in later.files.iter_mut().zip(self.least()) {
            file.mode = to;
        }
        // Whoever has it open now may open it then.
        for (uid, gids) in self.files.users() {
            let who = Who { uid, gids };
            let is_so = (!self.files.reads(&who) || later.reads(&who))
                && (!self.files.writes(&who) || later.writes(&who));
            match is_so {
                true => proof.passed += 1,
                false => proof.refused.push((format!("user {uid}"), "Permission denied".into())),
            }
        }
        for entry in &later.files {
            let right = format!("mode {:04o} of {}", entry.mode, entry.path.display());
            proof.necessity.insert(right, Necessity::Analysed);
        }
        Ok(proof)
    }

    fn script(&self, title: &str, remarks: &[String], statements: &[String]) -> String {
        let mut out = "#!/bin/sh\nset -e\n".to_string();
        for line in std::iter::once(title).chain(remarks.iter().map(String::as_str)) {
            out.push_str(&format!("# {}\n", line.replace(['\n', '\r'], " ")));
        }
        for statement in statements {
            out.push_str(statement);
            out.push('\n');
        }
        out
    }
}

/// A path as a shell must have it.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "'\\''"))
}
