//! One account of MariaDB, while it is looked at.

use super::excess::excess;
use super::learn::{Learned, learn};
use super::piece::script;
use super::propose::{Proposal, propose, reach};
use super::prove::prove;
use super::right::{Grantee, Place, grants};
use super::rights::{Rights, accounts};
use super::session::{Session, text_of};
use super::source::Whose;
use super::target::Target;
use crate::{
    AccessError, AccountFacts, Client, Columns, Excess, Peer, Piece, Plan, Proof, Reach,
    ServerName, Sources, Unfit, Usage, UsedRight, UsedStatement, Uses, Work, clients,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Accounts that the server makes for itself, and that nobody logs in as.
const OWN: [&str; 5] = ["mariadb.sys", "mysql.sys", "mysql.session", "mysql.infoschema", "PUBLIC"];

/// A server, and what is known of one account so far.
pub struct Account {
    session: Session,
    target: Target,
    rights: Option<Rights>,
    learned: Option<Learned>,
    proposal: Option<Proposal>,
}

impl Account {
    /// Connects.
    ///
    /// # Errors
    /// When there is no server, it does not let this account in, or it is too old.
    pub fn open(target: &Target) -> Result<Self, AccessError> {
        Ok(Self {
            session: Session::connect(target)?,
            target: target.clone(),
            rights: None,
            learned: None,
            proposal: None,
        })
    }

    fn plan(&self, proposal: &Proposal) -> Plan {
        let least = self.learned.as_ref().map(Learned::rights).unwrap_or_default();
        let all = |pieces: &BTreeSet<super::piece::Piece>| {
            pieces.iter().cloned().map(Piece::Mariadb).collect()
        };
        Plan {
            account: proposal.account.clone(),
            database: self.target.database.clone(),
            grants: proposal.grants.clone(),
            minimum: grants(&least),
            reach_before: proposal.reach_before.clone(),
            reach_after: proposal.reach_after.clone(),
            left: proposal.left.clone(),
            is_done: proposal.is_done(),
            forward: proposal.forward(),
            back: proposal.back(),
            before: all(&proposal.before),
            after: all(&proposal.after),
        }
    }
}

fn usage(learned: &Learned, database: Option<&String>) -> Usage {
    let mut doubts = Vec::new();
    let (left_out, seen_in): (Vec<&String>, Vec<&String>) =
        learned.seen_in.iter().partition(|it| it.contains("left out"));
    if !seen_in.is_empty() {
        let places: Vec<&str> = seen_in.iter().map(|it| it.as_str()).collect();
        doubts.push(format!("Statements are those in {}", places.join(" and ")));
    }
    doubts.extend(left_out.into_iter().cloned());
    if learned.untold > 0 {
        doubts.push(format!(
            "{} times prepared statements ran of which the server does not keep the text: name them with `--statements FILE`, or \
             a slow log with `--slow-log FILE`",
            learned.untold
        ));
    }
    let refused = learned.statements.iter().filter_map(|it| Some((it, it.refused.as_ref()?)));
    for (statement, why) in refused.take(4) {
        doubts.push(format!("Is refused today: {why}: {}", statement.text));
    }
    let needed = learned.needed.iter().map(|it| UsedRight {
        right: it.right.to_string(),
        atom: json!(it.right),
        evidence: it.evidence,
        calls: it.calls,
        statements: it.statements.clone(),
    });
    let statements = learned.statements.iter().map(|it| UsedStatement {
        text: match &it.within {
            Some(within) if *within != it.text => format!("{} (in {within})", it.text),
            _ => it.text.clone(),
        },
        calls: it.calls,
        source: it.source,
        unproved: it.unproved.clone(),
    });
    let details = json!({ "roles": learned.roles, "seen_in": learned.seen_in });
    let rights = learned.rights();
    Usage {
        account: learned.account.clone(),
        database: database.cloned(),
        since: None,
        until: learned.until.clone(),
        grants: grants(&rights),
        needed: needed.collect(),
        statements: statements.collect(),
        details: details.as_object().cloned().unwrap_or_default(),
        doubts,
        is_whole: learned.unproved().next().is_none() && learned.untold == 0,
    }
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
            database: self.target.database.clone(),
            uses: Uses::Statements,
        }
    }

    fn accounts(&mut self) -> Result<Vec<AccountFacts>, AccessError> {
        let mut found = Vec::new();
        let mut first: Option<Rights> = None;
        for (user, host) in accounts(&mut self.session)? {
            if OWN.contains(&user.as_str()) {
                continue;
            }
            let account = format!("{user}@{host}");
            let rights = match &first {
                Some(first) => first.of_other(&mut self.session, &account)?,
                None => Rights::read(&mut self.session, &account)?,
            };
            let mut attributes: Vec<String> = rights
                .own()
                .filter(|it| it.place == Place::Server)
                .map(|it| it.privilege.clone())
                .collect();
            if attributes.len() > 6 {
                attributes = vec![format!("{} rights on the whole server", attributes.len())];
            }
            if let Some(login) = &rights.login {
                attributes.extend(login.is_open.then(|| "logs in without a password".into()));
                attributes.extend(login.is_locked.then(|| "locked".into()));
            }
            found.push(AccountFacts { account, attributes, reach: reach(&rights) });
            first.get_or_insert(rights);
        }
        Ok(found)
    }

    fn look(&mut self, account: &str) -> Result<String, AccessError> {
        let rights = Rights::read(&mut self.session, account)?;
        let name = rights.account.to_string();
        self.rights = Some(rights);
        Ok(name)
    }

    fn clients(&mut self) -> Result<BTreeSet<Client>, AccessError> {
        let Some(account) = self.rights.as_ref().map(|it| it.account.to_string()) else {
            return Ok(BTreeSet::new());
        };
        let whose = Whose::named(&mut self.session, &account)?;
        let sql = "SELECT USER, HOST FROM information_schema.processlist WHERE ID <> CONNECTION_ID() AND COMMAND <> 'Daemon'";
        let mut peers = BTreeSet::new();
        let mut is_shared = false;
        let mut is_local = false;
        for row in self.session.rows(sql, &[], "who is connected")? {
            let text = |index: usize| text_of(&row, index).unwrap_or_default();
            let (user, host) = (text(0), text(1));
            let is_own = whose.is(&user, &host);
            match host.parse() {
                Ok(address) if is_own => drop(peers.insert(Peer::Tcp(address))),
                _ if host == "localhost" => {
                    is_local |= is_own;
                    is_shared |= !is_own;
                }
                _ => {}
            }
        }
        // One process serves all: whose socket is whose it does not say, unless all are those of this account.
        if is_local && !is_shared && self.target.socket.is_some() {
            let file = self.session.text(
                "SELECT IF(@@pid_file LIKE '/%', @@pid_file, CONCAT(@@datadir, @@pid_file))",
                "its process",
            )?;
            let pid = file.and_then(|it| std::fs::read_to_string(it).ok());
            peers.extend(pid.and_then(|it| it.trim().parse().ok()).map(Peer::Process));
        }
        Ok(clients(&peers))
    }

    fn reach(&self) -> Reach {
        self.rights.as_ref().map(reach).unwrap_or_default()
    }

    fn excess(&self) -> Vec<Excess> {
        let rights = self.rights.as_ref();
        rights.map(|it| excess(it, self.learned.as_ref())).unwrap_or_default()
    }

    fn rights(&self) -> Value {
        json!(self.rights)
    }

    fn learn(&mut self, sources: &Sources) -> Result<Usage, AccessError> {
        let rights = self.rights.as_mut().ok_or_else(crate::work::not_learned)?;
        let learned = learn(&mut self.session, rights, sources)?;
        let told = usage(&learned, self.target.database.as_ref());
        self.learned = Some(learned);
        Ok(told)
    }

    fn propose(&mut self, columns: Columns) -> Result<Plan, AccessError> {
        let (Some(rights), Some(learned)) = (&self.rights, &self.learned) else {
            return Err(crate::work::not_learned());
        };
        let mut proposal = propose(rights, learned, columns);
        proposal.settle(&mut self.session)?;
        let plan = self.plan(&proposal);
        self.proposal = Some(proposal);
        Ok(plan)
    }

    fn unfit(&mut self) -> Result<Option<Unfit>, AccessError> {
        let account = self.rights.as_ref().map(|it| it.account.clone());
        if account.as_ref().is_some_and(|it| it.to_string() == self.session.user()) {
            return Ok(Some(Unfit::Connected));
        }
        let is_root = |it: &Grantee| matches!(it, Grantee::Account { user, .. } if user == "root");
        if account.as_ref().is_some_and(is_root) {
            return Ok(Some(Unfit::Administrator));
        }
        // What is taken from one of them is taken from sessions of the others, and what is left to them is left to it.
        let shared = self.rights.iter().flat_map(|it| &it.overlapping);
        let of_name =
            |it: &&Grantee| matches!(it, Grantee::Account { user, .. } if !user.is_empty());
        let names: Vec<String> = shared.filter(of_name).map(ToString::to_string).collect();
        if !names.is_empty() {
            return Ok(Some(Unfit::Shared(names)));
        }
        if let Some(count) = self.learned.as_ref().map(|it| it.untold).filter(|it| *it > 0) {
            return Ok(Some(Unfit::Untold(count)));
        }
        let is_idle = self.learned.as_ref().is_none_or(|it| it.needed.is_empty());
        Ok(is_idle.then_some(Unfit::Idle))
    }

    fn prove(&mut self) -> Result<Proof, AccessError> {
        let (Some(learned), Some(proposal)) = (&self.learned, &self.proposal) else {
            return Err(crate::work::not_learned());
        };
        prove(&mut self.session, learned, proposal)
    }

    fn script(&self, title: &str, remarks: &[String], statements: &[String]) -> String {
        script(title, remarks, statements)
    }
}
