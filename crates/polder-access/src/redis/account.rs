//! One user of Redis, while it is looked at.
//!
//! The server counts commands, and not who sent them: what is proposed is what all together sent, without what only an
//! administrator needs. It says itself what would be refused (`ACL DRYRUN`), of a user that is made for it and switched off.

use super::acl::{Piece, Rules, command, has_file, with_probe};
use super::session::{Session, parts, text};
use super::target::Target;
use crate::{
    AccessError, AccountFacts, Client, Columns, Evidence, Excess, Kind, Necessity, Peer, Plan,
    Proof, Reach, ServerName, Source, Sources, Unfit, Usage, UsedRight, UsedStatement, Uses, Work,
    clients,
};
use ::redis::Value;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

/// What a command lets somebody do to the host, or around rules.
const HOST: [(&str, &str); 8] = [
    (
        "config|set",
        "CONFIG SET: sets where the server writes its data, and so writes files of the host",
    ),
    (
        "module|load",
        "MODULE LOAD: loads libraries into the server, and so runs programs on the host",
    ),
    ("replicaof", "REPLICAOF: takes all data from elsewhere, and with it whatever is in it"),
    ("debug", "DEBUG: stops the server, and reaches into its memory"),
    ("migrate", "MIGRATE: connects elsewhere, and sends keys there"),
    ("shutdown", "SHUTDOWN: stops the server"),
    ("monitor", "MONITOR: sees every command of everyone, with what is in it"),
    ("sync", "SYNC: copies all data"),
];

/// Commands that empty everything at once.
const EMPTIES: [&str; 2] = ["flushall", "flushdb"];

/// What a command is.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub(super) arity: i64,
    is_admin: bool,
    /// Whether it is allowed to everyone, before they log in.
    is_free: bool,
}

/// A server, and what is known of one user so far.
pub struct Account {
    session: Session,
    target: Target,
    user: String,
    rules: Rules,
    flags: Vec<String>,
    /// What may be done, by command.
    allowed: BTreeSet<String>,
    commands: BTreeMap<String, Facts>,
    learned: Option<Vec<(String, u64)>>,
    plan: Option<Rules>,
    is_kept: bool,
}

impl Account {
    /// Connects.
    ///
    /// # Errors
    /// When there is no server, it does not let this user in, or it is too old.
    pub fn open(target: &Target) -> Result<Self, AccessError> {
        let mut session = Session::connect(target)?;
        let commands = commands(&mut session)?;
        let is_kept = has_file(&mut session)?;
        Ok(Self {
            session,
            target: target.clone(),
            user: String::new(),
            rules: Rules::default(),
            flags: Vec::new(),
            allowed: BTreeSet::new(),
            commands,
            learned: None,
            plan: None,
            is_kept,
        })
    }

    /// Commands that are used and that no administrator alone needs.
    fn needed(&self) -> BTreeSet<String> {
        let used = self.learned.iter().flatten().map(|it| it.0.clone());
        let is_free = |it: &String| self.commands.get(it).is_some_and(|it| it.is_free);
        used.filter(|it| self.allowed.contains(it) && !self.is_dangerous(it) && !is_free(it))
            .collect()
    }

    fn is_dangerous(&self, name: &str) -> bool {
        is_dangerous(&self.commands, name)
    }

    fn reach_of(&self, allowed: &BTreeSet<String>) -> Reach {
        let has = |name: &str| allowed.contains(name);
        let keys = match self.rules.keys.iter().any(|it| it == "~*" || it == "allkeys") {
            true => "every key".to_string(),
            false if self.rules.keys.is_empty() => "no key".into(),
            false => format!("keys {}", self.rules.keys.join(" ")),
        };
        let mut data = Vec::new();
        if has("get") || has("mget") || has("hgetall") {
            data.push(format!("reads {keys}"));
        }
        if has("set") || has("del") || has("hset") {
            data.push(format!("changes {keys}"));
        }
        if EMPTIES.iter().any(|it| has(it)) {
            data.push("empties everything at once (FLUSHALL, FLUSHDB)".into());
        }
        if has("eval") {
            data.push("runs scripts within the server (EVAL)".into());
        }
        Reach {
            host: HOST.iter().filter(|it| has(it.0)).map(|it| it.1.to_string()).collect(),
            is_boundless: has("acl|setuser"),
            data,
            ..Reach::default()
        }
    }

    fn planned(&self) -> Rules {
        let mut commands = vec!["-@all".to_string()];
        commands.extend(self.needed().iter().map(|it| format!("+{it}")));
        Rules { commands, selectors: Vec::new(), ..self.rules.clone() }
    }

    /// What the server allows a user, command by command.
    fn allowed(&mut self, user: &str) -> Result<BTreeSet<String>, AccessError> {
        let names: Vec<(String, i64)> =
            self.commands.iter().map(|(name, it)| (name.clone(), it.arity)).collect();
        let mut allowed = BTreeSet::new();
        for (name, arity) in names {
            if dry_run(&mut self.session, user, &name, arity)? != Some(false) {
                allowed.insert(name);
            }
        }
        Ok(allowed)
    }
}

/// Whether only an administrator needs a command.
pub(super) fn is_dangerous(commands: &BTreeMap<String, Facts>, name: &str) -> bool {
    commands.get(name).is_some_and(|it| it.is_admin) || HOST.iter().any(|it| it.0 == name)
}

/// Commands that the server knows, subcommands as `client|setname`.
pub(super) fn commands(session: &mut Session) -> Result<BTreeMap<String, Facts>, AccessError> {
    let answer = session.ask(&["COMMAND"], "its commands")?;
    let mut found = BTreeMap::new();
    for command in parts(&answer) {
        let all = parts(command);
        add(&all, &mut found);
        for inner in all.get(9).map(|it| parts(it)).unwrap_or_default() {
            add(&parts(inner), &mut found);
        }
    }
    // What has parts is allowed part by part.
    let whole: BTreeSet<String> =
        found.keys().filter_map(|it| it.split_once('|')).map(|it| it.0.to_string()).collect();
    found.retain(|name, _| !whole.contains(name));
    Ok(found)
}

fn add(parts_of: &[&Value], found: &mut BTreeMap<String, Facts>) {
    let (Some(name), Some(arity)) = (parts_of.first(), parts_of.get(1)) else { return };
    let categories = parts_of.get(6).map(|it| parts(it)).unwrap_or_default();
    let is_admin = categories.iter().any(|it| text(it) == "@admin");
    let flags = parts_of.get(2).map(|it| parts(it)).unwrap_or_default();
    let is_free = flags.iter().any(|it| text(it) == "no_auth");
    let arity = text(arity).parse().unwrap_or(1);
    found.insert(text(name).to_lowercase(), Facts { arity, is_admin, is_free });
}

/// Whether the server would let a user send a command; none where it does not say.
pub(super) fn dry_run(
    session: &mut Session,
    user: &str,
    name: &str,
    arity: i64,
) -> Result<Option<bool>, AccessError> {
    let mut words = vec!["ACL", "DRYRUN", user];
    words.extend(name.split('|'));
    let count = usize::try_from(arity.unsigned_abs()).unwrap_or(1);
    let given = words.len() - 3;
    words.extend(std::iter::repeat_n("1", count.saturating_sub(given)));
    let answer = match session.try_one(&words) {
        Ok(answer) => text(&answer),
        Err(error) if error.is_io_error() => {
            return Err(AccessError::Gone { doing: "a dry run", source: error.into() });
        }
        // Arguments that are made up may be wrong for it.
        Err(_) => return Ok(None),
    };
    // It may name the key as well: that is not about the command.
    Ok(match answer.as_str() {
        "OK" => Some(true),
        it if it.contains("no permissions to run") => Some(false),
        it if it.contains("permissions to access") => Some(true),
        _ => None,
    })
}

impl Work for Account {
    fn server(&self) -> ServerName {
        let address = match &self.target.socket {
            Some(path) => path.clone(),
            None => format!("tcp/{}:{}", self.target.host, self.target.port),
        };
        ServerName {
            words: self.target.server(),
            said: self.target.said(),
            address,
            database: None,
            uses: Uses::Commands,
        }
    }

    fn accounts(&mut self) -> Result<Vec<AccountFacts>, AccessError> {
        let answer = self.session.ask(&["ACL", "USERS"], "users")?;
        let users: Vec<String> = parts(&answer).into_iter().map(text).collect();
        let mut found = Vec::new();
        for user in users {
            self.look(&user)?;
            let mut attributes = Vec::new();
            if self.flags.iter().any(|it| it == "off") {
                attributes.push("switched off".to_string());
            } else if self.flags.iter().any(|it| it == "nopass") {
                attributes.push("logs in without a password".into());
            }
            attributes.push(format!("{} of {} commands", self.allowed.len(), self.commands.len()));
            found.push(AccountFacts { account: user, attributes, reach: self.reach() });
        }
        Ok(found)
    }

    fn look(&mut self, account: &str) -> Result<String, AccessError> {
        (self.rules, self.flags) = Rules::read(&mut self.session, account)?;
        self.user = account.to_string();
        self.allowed = self.allowed(account)?;
        Ok(account.to_string())
    }

    fn clients(&mut self) -> Result<BTreeSet<Client>, AccessError> {
        let all = text(&self.session.ask(&["CLIENT", "LIST"], "who is connected")?);
        let mut peers = BTreeSet::new();
        for line in all.lines() {
            let of = |name: &str| {
                line.split(' ').find_map(|it| it.strip_prefix(name)?.strip_prefix('='))
            };
            if of("user") == Some(&self.user) {
                peers.extend(of("addr").and_then(|it| it.parse().ok()).map(Peer::Tcp));
            }
        }
        Ok(clients(&peers))
    }

    fn reach(&self) -> Reach {
        self.reach_of(&self.allowed)
    }

    fn excess(&self) -> Vec<Excess> {
        let mut found = Vec::new();
        let mut one = |kind: Kind, what: String, means: &str, details: Vec<String>| {
            found.push(Excess { kind, what, means: means.into(), through: None, details });
        };
        let is_on = !self.flags.iter().any(|it| it == "off");
        if is_on && self.flags.iter().any(|it| it == "nopass") {
            let text = "whoever reaches the server is this user";
            one(Kind::Login, "logs in without a password".into(), text, Vec::new());
        }
        let needed = self.needed();
        for (name, means) in HOST.iter().filter(|it| self.allowed.contains(it.0)) {
            let means = means.split_once(": ").map_or(*means, |it| it.1);
            one(Kind::HostAccess, format!("+{name}"), means, Vec::new());
        }
        let administers: Vec<String> = self
            .allowed
            .iter()
            .filter(|it| self.is_dangerous(it) && !HOST.iter().any(|host| host.0 == *it))
            .map(|it| format!("+{it}"))
            .collect();
        if !administers.is_empty() {
            let what = format!("{} commands of administrators", administers.len());
            one(
                Kind::Attribute,
                what,
                "sets up the server, its users and its connections",
                administers,
            );
        }
        let empties: Vec<String> = EMPTIES
            .iter()
            .filter(|it| self.allowed.contains(**it) && !needed.contains(**it))
            .map(|it| format!("+{it}"))
            .collect();
        if !empties.is_empty() {
            one(Kind::AllData, empties.join(" "), "removes every key at once", Vec::new());
        }
        if self.rules.keys.iter().any(|it| it == "~*") {
            let means = "reaches keys of other programs on the same server as well";
            one(Kind::AllData, "~* (all keys)".into(), means, Vec::new());
        }
        if self.learned.is_some() {
            let unused: Vec<String> = self
                .allowed
                .difference(&needed)
                .filter(|it| !self.is_dangerous(it))
                .filter(|it| !self.commands.get(*it).is_some_and(|it| it.is_free))
                .map(|it| format!("+{it}"))
                .collect();
            if !unused.is_empty() {
                let what = format!("{} other commands that nobody sent", unused.len());
                one(Kind::Other, what, "is not used", unused);
            }
        }
        found
    }

    fn rights(&self) -> Json {
        json!({ "account": self.user, "flags": self.flags, "rules": self.rules, "commands": self.allowed })
    }

    fn learn(&mut self, sources: &Sources) -> Result<Usage, AccessError> {
        if !sources.slow_log.is_empty() || sources.takes_ended {
            let what = "slow logs and ended connections are asked of MariaDB alone";
            return Err(AccessError::Target { what: what.into() });
        }
        let seen = self.seen(sources)?;
        let others = self.others();
        let mut doubts = vec![
            "The server counts commands, and not who sent them: those of everyone are taken (COMMAND and INFO are sent by Polder as well), but for what only administrators need".to_string(),
        ];
        if !others.is_empty() {
            let names: Vec<String> = others.into_iter().collect();
            doubts.push(format!("Others are connected as well: {}", names.join(", ")));
        }
        self.learned = Some(seen.iter().map(|(name, it)| (name.clone(), it.0)).collect());
        let needed = self.needed();
        let statements: Vec<UsedStatement> = seen
            .iter()
            .map(|(name, (calls, source))| UsedStatement {
                text: name.replace('|', " ").to_uppercase(),
                calls: *calls,
                source: *source,
                unproved: Vec::new(),
            })
            .collect();
        let right = |name: &String| {
            let it = seen.get(name).copied().unwrap_or((0, Source::Static));
            UsedRight {
                right: format!("+{name}"),
                atom: json!({ "command": name }),
                evidence: if it.1 == Source::Run { Evidence::Run } else { Evidence::Static },
                calls: it.0,
                statements: seen.keys().position(|it| it == name).into_iter().collect(),
            }
        };
        Ok(Usage {
            account: self.user.clone(),
            database: None,
            since: None,
            until: String::new(),
            grants: vec![needed.iter().map(|it| format!("+{it}")).collect::<Vec<_>>().join(" ")],
            needed: needed.iter().map(right).collect(),
            statements,
            details: serde_json::Map::new(),
            doubts,
            is_whole: true,
        })
    }

    fn propose(&mut self, _columns: Columns) -> Result<Plan, AccessError> {
        if self.learned.is_none() {
            return Err(crate::work::not_learned());
        }
        let after = self.planned();
        let mut left = Vec::new();
        if !self.rules.selectors.is_empty() {
            left.push("its selectors are put together into one set of rules".to_string());
        }
        if self.rules.keys.iter().any(|it| it == "~*") {
            left.push("which keys it needs is not seen: `~*` stays. Put a prefix before keys of each program, and allow only that".into());
        }
        let used = self.learned.iter().flatten().map(|it| &it.0);
        let refused: Vec<String> = used
            .filter(|it| self.allowed.contains(*it) && self.is_dangerous(it))
            .map(|it| it.replace('|', " ").to_uppercase())
            .collect();
        if !refused.is_empty() {
            left.push(format!(
                "commands of administrators were sent by somebody, and are taken all the same: {}",
                refused.join(", ")
            ));
        }
        if !self.is_kept {
            left.push("the server forgets this when it starts again: it has no file for users (`aclfile`)".into());
        }
        if self.user == "default" {
            left.push(
                "`default` is who logs in without a name: other programs may use it as well".into(),
            );
        }
        let piece = |rules: &Rules| Piece::Rules { user: self.user.clone(), rules: rules.clone() };
        let is_done = after == self.rules;
        let (before, then) = (piece(&self.rules), piece(&after));
        let needed = self.needed();
        let plan = Plan {
            account: self.user.clone(),
            database: None,
            grants: vec![after.words().get(4..).unwrap_or_default().join(" ")],
            minimum: needed.iter().map(|it| format!("+{it}")).collect(),
            reach_before: self.reach(),
            reach_after: self.reach_of(&needed),
            left,
            is_done,
            forward: if is_done { Vec::new() } else { vec![command(&then)] },
            back: if is_done { Vec::new() } else { vec![command(&before)] },
            before: BTreeSet::from([crate::Piece::Redis(before)]),
            after: BTreeSet::from([crate::Piece::Redis(then)]),
        };
        self.plan = Some(after);
        Ok(plan)
    }

    fn unfit(&mut self) -> Result<Option<Unfit>, AccessError> {
        if self.user == self.session.user() {
            return Ok(Some(Unfit::Connected));
        }
        Ok(self.needed().is_empty().then_some(Unfit::Idle))
    }

    fn prove(&mut self) -> Result<Proof, AccessError> {
        let (Some(plan), Some(learned)) = (self.plan.clone(), self.learned.clone()) else {
            return Err(crate::work::not_learned());
        };
        let needed = self.needed();
        let used = learned.into_iter().map(|it| it.0).filter(|it| needed.contains(it));
        let commands: Vec<(String, i64)> = used
            .map(|name| {
                let arity = self.commands.get(&name).map_or(1, |it| it.arity);
                (name, arity)
            })
            .collect();
        with_probe(&mut self.session, &plan, |session, probe| {
            let mut proof = Proof::default();
            for (name, arity) in &commands {
                prove_one(session, probe, name, *arity, &mut proof)?;
            }
            Ok(proof)
        })
    }

    fn script(&self, title: &str, remarks: &[String], statements: &[String]) -> String {
        let mut out = String::new();
        // `redis-cli` knows no comments: remarks are commands that do nothing.
        for line in std::iter::once(title).chain(remarks.iter().map(String::as_str)) {
            out.push_str(&format!("ECHO {:?}\n", line.replace(['\n', '\r'], " ")));
        }
        for statement in statements {
            out.push_str(statement);
            out.push('\n');
        }
        out
    }
}

impl Account {
    /// Commands that were sent by anybody, and those of a file, with how often.
    fn seen(&mut self, sources: &Sources) -> Result<BTreeMap<String, (u64, Source)>, AccessError> {
        let mut seen: BTreeMap<String, (u64, Source)> = BTreeMap::new();
        if !sources.only_text {
            let info =
                text(&self.session.ask(&["INFO", "commandstats"], "commands that were sent")?);
            for line in info.lines() {
                let Some((name, rest)) =
                    line.strip_prefix("cmdstat_").and_then(|it| it.split_once(":calls="))
                else {
                    continue;
                };
                let count = |it: &str| {
                    it.split(',').next().and_then(|it| it.parse::<u64>().ok()).unwrap_or(0)
                };
                let rejected = rest.split_once("rejected_calls=").map_or(0, |it| count(it.1));
                if count(rest) > rejected {
                    seen.insert(name.to_lowercase(), (count(rest), Source::Run));
                }
            }
        }
        // Of a line in a file the first words count; what follows may be anybody's data.
        for line in sources.text.lines() {
            let mut words = line.split_whitespace().map(str::to_lowercase);
            let Some(first) = words.next() else { continue };
            let long = words
                .next()
                .map(|it| format!("{first}|{it}"))
                .filter(|it| self.commands.contains_key(it));
            let name = long.unwrap_or(first);
            if self.commands.contains_key(&name) {
                seen.entry(name).or_insert((0, Source::Static));
            }
        }
        Ok(seen)
    }

    /// Who else is connected.
    fn others(&mut self) -> BTreeSet<String> {
        let all = self.session.ask(&["CLIENT", "LIST"], "connections");
        all.map(|it| {
            text(&it)
                .lines()
                .filter_map(|line| {
                    line.split(' ').find_map(|it| it.strip_prefix("user=")).map(str::to_string)
                })
                .filter(|it| *it != self.user)
                .collect()
        })
        .unwrap_or_default()
    }
}

/// Whether a command is allowed with what is proposed, and missed without.
fn prove_one(
    session: &mut Session,
    probe: &str,
    name: &str,
    arity: i64,
    proof: &mut Proof,
) -> Result<(), AccessError> {
    match dry_run(session, probe, name, arity)? {
        Some(true) => proof.passed += 1,
        Some(false) => proof.refused.push((name.to_uppercase(), "NOPERM".into())),
        None => proof.by_rule += 1,
    }
    session.ask(&["ACL", "SETUSER", probe, &format!("-{name}")], "a user for looking")?;
    let how = match dry_run(session, probe, name, arity)? {
        Some(false) => Necessity::Refused,
        Some(true) => Necessity::NotShown,
        None => Necessity::Analysed,
    };
    session.ask(&["ACL", "SETUSER", probe, &format!("+{name}")], "a user for looking")?;
    proof.necessity.insert(format!("+{name}"), how);
    Ok(())
}
