//! One account of PostgreSQL, while it is looked at.

use super::excess::excess;
use super::learn::{Learned, learn};
use super::piece::script;
use super::propose::{Proposal, propose, reach};
use super::prove::prove;
use super::rights::Rights;
use super::session::Session;
use super::target::Target;
use crate::{
    AccessError, AccountFacts, Client, Columns, Excess, Peer, Piece, Plan, Proof, Reach,
    ServerName, Sources, Unfit, Usage, UsedRight, UsedStatement, Uses, Work, clients,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::SocketAddr;

/// A server, and what is known of one account so far.
pub struct Account {
    session: Session,
    target: Target,
    rights: Rights,
    learned: Option<Learned>,
    proposal: Option<Proposal>,
}

impl Account {
    /// Connects.
    ///
    /// # Errors
    /// When there is no server, it does not let this user in, or it is too old.
    pub fn open(target: &Target) -> Result<Self, AccessError> {
        Ok(Self {
            session: Session::connect(target)?,
            target: target.clone(),
            rights: Rights::default(),
            learned: None,
            proposal: None,
        })
    }

    fn plan(&self, proposal: &Proposal) -> Plan {
        let version = self.session.version();
        let needed = self.learned.iter().flat_map(|it| &it.needed).map(|it| &it.atom);
        let all = |pieces: &BTreeSet<super::piece::Piece>| {
            pieces.iter().cloned().map(Piece::Postgresql).collect()
        };
        Plan {
            account: proposal.account.clone(),
            database: Some(proposal.database.clone()),
            grants: proposal.grants.clone(),
            minimum: crate::grants(needed),
            reach_before: proposal.reach_before.clone(),
            reach_after: proposal.reach_after.clone(),
            left: proposal.left.clone(),
            is_done: proposal.is_done(),
            forward: proposal.forward(version),
            back: proposal.back(version),
            before: all(&proposal.before),
            after: all(&proposal.after),
        }
    }
}

fn usage(learned: &Learned) -> Usage {
    let mut doubts = Vec::new();
    if learned.forgotten > 0 {
        doubts.push(format!(
            "The server forgot statements {} times for lack of room: raise `pg_stat_statements.max`",
            learned.forgotten
        ));
    }
    if !learned.is_as_account {
        let text =
            "Policies of rows were not seen: whoever is connected may not become the account";
        doubts.push(text.into());
    }
    let details = json!({
        "forgotten": learned.forgotten,
        "as_account": learned.is_as_account,
        "paths": learned.paths,
        "roles": learned.roles,
    });
    let needed = learned.needed.iter().map(|it| UsedRight {
        right: it.atom.to_string(),
        atom: json!(it.atom),
        evidence: it.evidence,
        calls: it.calls,
        statements: it.statements.clone(),
    });
    let statements = learned.statements.iter().map(|it| UsedStatement {
        text: it.text.clone(),
        calls: it.calls,
        source: it.source,
        unproved: it.unproved.clone(),
    });
    Usage {
        account: learned.account.clone(),
        database: Some(learned.database.clone()),
        since: learned.since.clone(),
        until: learned.until.clone(),
        grants: crate::grants(learned.needed.iter().map(|it| &it.atom)),
        needed: needed.collect(),
        statements: statements.collect(),
        details: details.as_object().cloned().unwrap_or_default(),
        doubts,
        is_whole: learned.unproved().next().is_none() && learned.is_as_account,
    }
}

impl Work for Account {
    fn server(&self) -> ServerName {
        let address = match self.target.is_socket() {
            true => format!("{}/.s.PGSQL.{}", self.target.host, self.target.port),
            false => format!("tcp/{}:{}", self.target.host, self.target.port),
        };
        ServerName {
            words: self.target.server(),
            said: self.target.said(),
            address,
            database: Some(self.target.database.clone()),
            uses: Uses::Statements,
        }
    }

    fn accounts(&mut self) -> Result<Vec<AccountFacts>, AccessError> {
        let sql = "SELECT rolname::text FROM pg_roles WHERE rolcanlogin ORDER BY rolsuper, rolname";
        let mut found = Vec::new();
        for row in self.session.rows(sql, &[], "accounts")? {
            let account: String = row.get(0);
            let rights = Rights::read(&mut self.session, &account)?;
            let attributes = rights.attributes.set().iter().map(|it| (*it).to_string()).collect();
            found.push(AccountFacts { account, attributes, reach: reach(&rights) });
        }
        Ok(found)
    }

    fn look(&mut self, account: &str) -> Result<String, AccessError> {
        self.rights = Rights::read(&mut self.session, account)?;
        Ok(account.to_string())
    }

    fn clients(&mut self) -> Result<BTreeSet<Client>, AccessError> {
        let sql = "SELECT pid, host(client_addr), client_port FROM pg_stat_activity WHERE usename = $1 AND pid <> pg_backend_pid()";
        let mut peers = BTreeSet::new();
        for row in self.session.rows(sql, &[&self.rights.account], "who is connected")? {
            let address = row.get::<_, Option<String>>(1).and_then(|it| it.parse().ok());
            let port = row.get::<_, Option<i32>>(2).and_then(|it| u16::try_from(it).ok());
            match (address, port, u32::try_from(row.get::<_, i32>(0))) {
                (Some(address), Some(port), _) => {
                    peers.insert(Peer::Tcp(SocketAddr::new(address, port)));
                }
                // The server has a process for each connection.
                (None, _, Ok(pid)) if self.target.is_socket() => {
                    peers.insert(Peer::Process(pid));
                }
                _ => {}
            }
        }
        Ok(clients(&peers))
    }

    fn reach(&self) -> Reach {
        reach(&self.rights)
    }

    fn excess(&self) -> Vec<Excess> {
        excess(&self.rights, self.learned.as_ref())
    }

    fn rights(&self) -> Value {
        json!(self.rights)
    }

    fn learn(&mut self, sources: &Sources) -> Result<Usage, AccessError> {
        let learned = learn(&mut self.session, &self.rights, sources)?;
        let told = usage(&learned);
        self.learned = Some(learned);
        Ok(told)
    }

    fn propose(&mut self, columns: Columns) -> Result<Plan, AccessError> {
        let learned = self.learned.as_ref().ok_or_else(crate::work::not_learned)?;
        let mut proposal = propose(&self.rights, learned, columns);
        proposal.settle(&mut self.session)?;
        let plan = self.plan(&proposal);
        self.proposal = Some(proposal);
        Ok(plan)
    }

    fn unfit(&mut self) -> Result<Option<Unfit>, AccessError> {
        if self.rights.account == self.session.user() {
            return Ok(Some(Unfit::Connected));
        }
        let sql = "SELECT oid = 10 FROM pg_roles WHERE rolname = $1";
        let rows = self.session.rows(sql, &[&self.rights.account], "roles")?;
        if rows.first().is_some_and(|it| it.get(0)) {
            return Ok(Some(Unfit::Administrator));
        }
        let statements = self.learned.iter().flat_map(|it| &it.statements);
        let is_idle = !statements.into_iter().any(|it| !it.atoms.is_empty());
        Ok(is_idle.then_some(Unfit::Idle))
    }

    fn prove(&mut self) -> Result<Proof, AccessError> {
        let (Some(learned), Some(proposal)) = (&self.learned, &self.proposal) else {
            return Err(crate::work::not_learned());
        };
        prove(&mut self.session, learned, proposal)
    }

    fn script(&self, title: &str, remarks: &[String], statements: &[String]) -> String {
        script(title, remarks, statements, &self.target.database)
    }
}
