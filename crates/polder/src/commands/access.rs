//! `polder access`: what accounts of databases may do, do and need; gives them no more.

use super::Globals;
use crate::failure::{Failure, FailureKind};
use crate::flags::{
    AccessApply, AccessAudit, AccessColumns, AccessCommand, AccessFlags, AccessLearn,
    AccessPropose, AccessProve, AccessServer, AccessSources, AccessWhom,
};
use crate::operations::Operations;
use crate::{accounts, around, output};
use polder_access::AccessError;
use polder_access::postgresql::{
    Columns, Learned, Proof, Proposal, Rights, Session, Sources, Target, excess, learn, propose,
    prove, reach, script,
};
use polder_apply::{Operation, Outcome, Phase};
use polder_model::printable_str;
use polder_report::{
    AccessView, access_json, access_text, account_text, learned_json, learned_text, proposal_json,
    proposal_text,
};
use serde_json::json;
use std::fmt::Write as _;
use std::path::Path;

/// Largest file of statements.
const FILE_BYTES_MAX: u64 = 64 << 20;

pub(super) fn run(flags: &AccessFlags, globals: &Globals) -> Result<u8, Failure> {
    match &flags.command {
        AccessCommand::Audit(it) => audit(it, globals),
        AccessCommand::Learn(it) => learned(it),
        AccessCommand::Propose(it) => proposed(it, globals),
        AccessCommand::Prove(it) => proved(it, globals),
        AccessCommand::Apply(it) => apply(it, globals),
        AccessCommand::Watch(it) => super::access_watch::run(it, globals),
    }
}

/// A connection, and how it is said again.
pub(super) fn connect(flags: &AccessServer) -> Result<(Session, Target), Failure> {
    let mut target = Target::parse(&flags.server, &around::ambient()).map_err(failed)?;
    if let Some(database) = &flags.database {
        target = target.database(database);
    }
    let session = Session::connect(&target).map_err(failed)?;
    Ok((session, target))
}

/// What a server said, and what to do.
pub(super) fn failed(error: AccessError) -> Failure {
    let hint = match &error {
        AccessError::Target { .. } => {
            "Name it as `psql` is told: `--server 'host=db.example dbname=shop user=ada'`".into()
        }
        AccessError::Connect { .. } => {
            "Look whether it runs, and at `--server`; without one it is looked for as `psql` does".into()
        }
        AccessError::Refused { .. } => {
            "Look at the password (`.pgpass`, `PGPASSWORD`), the role, and the server's `pg_hba.conf`".into()
        }
        AccessError::Gone { .. } => "What was begun is rolled back by the server, unless it was just being made: look again".into(),
        AccessError::Denied { .. } => {
            "An audit needs a role in `pg_read_all_stats`; a proof and a change need a superuser".into()
        }
        AccessError::NoAccount { .. } => "`polder access audit` lists the accounts".into(),
        AccessError::NoStatements { .. } => {
            "Put `pg_stat_statements` into `shared_preload_libraries`, restart, and CREATE EXTENSION pg_stat_statements; or \
             name a file with `--statements FILE --only-statements`"
                .into()
        }
        AccessError::Changed { .. } => "Somebody else changed rights meanwhile: look again, then decide again".into(),
        _ => String::new(),
    };
    let is_usage = matches!(error, AccessError::Target { .. } | AccessError::NoAccount { .. });
    let failure = if is_usage { Failure::usage(error) } else { Failure::look(error) };
    if hint.is_empty() { failure } else { failure.hint(hint) }
}

fn sources(flags: &AccessSources) -> Result<Sources, Failure> {
    let mut text = String::new();
    for path in &flags.statements {
        let wrong = |says: String| Failure::usage(format!("`{}`: {says}", path.display()));
        let metadata = path.metadata().map_err(|error| wrong(error.to_string()))?;
        if metadata.len() > FILE_BYTES_MAX {
            return Err(wrong(format!("it is larger than {FILE_BYTES_MAX} bytes")));
        }
        let bytes = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
        text.push_str(&String::from_utf8_lossy(&bytes));
        text.push_str("\n;\n");
    }
    Ok(Sources { text, only_text: flags.only_statements, no_migrations: flags.no_migrations })
}

fn audit(flags: &AccessAudit, globals: &Globals) -> Result<u8, Failure> {
    let (mut session, target) = connect(&flags.server)?;
    let Some(account) = &flags.account else {
        return all_accounts(&mut session, &target, flags);
    };
    let rights = Rights::read(&mut session, account).map_err(failed)?;
    let (learned, because) = match learn(&mut session, &rights, &Sources::default()) {
        Ok(learned) => (Some(learned), None),
        Err(error @ AccessError::NoStatements { .. }) => (None, Some(error.to_string())),
        Err(error) => return Err(failed(error)),
    };
    let found = excess(&rights, learned.as_ref());
    let proposal = learned.as_ref().map(|it| propose(&rights, it, Columns::default()));
    let reach = reach(&rights);
    accounts::keep(globals, &target, account, &reach, &found, proposal.as_ref());
    let server = target.server();
    let view = AccessView {
        server: &server,
        rights: &rights,
        learned: learned.as_ref(),
        because: because.as_deref(),
        excess: &found,
    };
    if flags.json {
        output::print_json(&access_json(&view, &reach))?;
    } else {
        let mut text = access_text(&view, &reach, flags.all);
        let _ = writeln!(
            text,
            "\nNext: polder access propose {}",
            said(account, &flags.server, &target)
        );
        output::print(&text)?;
    }
    // Without its statements nobody can tell what is too much.
    Ok(if learned.is_none() { 3 } else { 0 })
}

/// The account and server as on a command line, without a password that may stand in what was given.
fn said(account: &str, flags: &AccessServer, target: &Target) -> String {
    let account = polder_model::quoted(account);
    match flags.server.is_empty() {
        false => format!("{account} --server {}", polder_model::quoted(&target.said())),
        true => match &flags.database {
            Some(database) => format!("{account} --database {}", polder_model::quoted(database)),
            None => account,
        },
    }
}

/// All accounts that may log in, with what each can do.
fn all_accounts(
    session: &mut Session,
    target: &Target,
    flags: &AccessAudit,
) -> Result<u8, Failure> {
    let sql = "SELECT rolname::text FROM pg_roles WHERE rolcanlogin ORDER BY rolsuper, rolname";
    let rows = session.rows(sql, &[], "accounts").map_err(failed)?;
    let mut text =
        format!("Accounts of the database `{}` of {}\n\n", target.database, target.server());
    let mut all = Vec::new();
    for row in rows {
        let account: String = row.get(0);
        let rights = Rights::read(session, &account).map_err(failed)?;
        let reach = reach(&rights);
        text.push_str(&account_text(&rights, &reach));
        all.push(
            json!({ "account": account, "attributes": rights.attributes.set(), "reach": reach }),
        );
    }
    if flags.json {
        output::print_json(&json!({
            "schema": "polder-access-accounts/1", "server": target.server(), "database": target.database, "accounts": all,
        }))?;
        return Ok(0);
    }
    let _ = writeln!(text, "\nNext: polder access audit ACCOUNT");
    output::print(&text)?;
    Ok(0)
}

/// Everything about one account, up to a proposal.
struct Made {
    session: Session,
    target: Target,
    rights: Rights,
    learned: Learned,
}

impl Made {
    fn of(whom: &AccessWhom) -> Result<Self, Failure> {
        let from = sources(&whom.sources)?;
        let (mut session, target) = connect(&whom.server)?;
        let rights = Rights::read(&mut session, &whom.account).map_err(failed)?;
        let learned = learn(&mut session, &rights, &from).map_err(failed)?;
        Ok(Self { session, target, rights, learned })
    }

    fn propose(&mut self, columns: AccessColumns) -> Result<Proposal, Failure> {
        let columns = match columns {
            AccessColumns::Sensitive => Columns::Sensitive,
            AccessColumns::Always => Columns::Always,
            AccessColumns::Never => Columns::Never,
        };
        let mut proposal = propose(&self.rights, &self.learned, columns);
        proposal.settle(&mut self.session).map_err(failed)?;
        Ok(proposal)
    }

    /// Refuses what nobody can mean: to judge an account of which nothing was seen, or the one that is connected.
    fn refuse_unfit(&mut self) -> Result<(), Failure> {
        let account = printable_str(&self.rights.account);
        if self.rights.account == self.session.user() {
            return Err(Failure::usage(format!("`{account}` is who is connected"))
                .hint("Connect as another administrator"));
        }
        let sql = "SELECT oid = 10 FROM pg_roles WHERE rolname = $1";
        let rows = self.session.rows(sql, &[&self.rights.account], "roles").map_err(failed)?;
        if rows.first().is_some_and(|it| it.get(0)) {
            return Err(Failure::usage(format!(
                "`{account}` is the administrator with whom the server was made"
            ))
            .hint("Give the application an account of its own"));
        }
        let is_seen = |it: &polder_access::postgresql::Statement| !it.atoms.is_empty();
        if !self.learned.statements.iter().any(is_seen) {
            return Err(Failure::look(format!(
                "no statement of `{account}` was seen that needs anything"
            ))
            .hint("Let it work for a while, or name a file with `--statements FILE`"));
        }
        Ok(())
    }

    /// Keeps what was seen, so that `polder assess` knows it.
    fn keep(&self, globals: &Globals, proposal: &Proposal) {
        let found = excess(&self.rights, Some(&self.learned));
        let now = reach(&self.rights);
        let account = &self.rights.account;
        accounts::keep(globals, &self.target, account, &now, &found, Some(proposal));
    }

    fn view<'a>(&'a self, server: &'a str) -> AccessView<'a> {
        let learned = Some(&self.learned);
        AccessView { server, rights: &self.rights, learned, because: None, excess: &[] }
    }

    fn text(&self, proposal: &Proposal, proof: Option<&Proof>) -> String {
        let server = self.target.server();
        proposal_text(&self.view(&server), &self.learned, proposal, proof)
    }
}

fn learned(flags: &AccessLearn) -> Result<u8, Failure> {
    let made = Made::of(&flags.whom)?;
    if flags.json {
        output::print_json(&learned_json(&made.learned))?;
    } else {
        let server = made.target.server();
        output::print(&learned_text(&made.view(&server), &made.learned, flags.all))?;
    }
    Ok(exit_code(&made.learned, None))
}

/// 3 where something could not be told.
fn exit_code(learned: &Learned, proof: Option<&Proof>) -> u8 {
    let is_whole = learned.unproved().next().is_none() && learned.is_as_account;
    let holds = proof.is_none_or(Proof::holds);
    if is_whole && holds { 0 } else { 3 }
}

fn proposed(flags: &AccessPropose, globals: &Globals) -> Result<u8, Failure> {
    let mut made = Made::of(&flags.whom)?;
    let proposal = made.propose(flags.columns)?;
    made.keep(globals, &proposal);
    let version = made.session.version();
    let account = printable_str(&flags.whom.account);
    write_script(
        flags.script.as_deref(),
        &format!("The least rights of {account}, proposed by Polder"),
        &proposal,
        &proposal.forward(version),
    )?;
    write_script(
        flags.inverse.as_deref(),
        &format!("The rights that {account} had before"),
        &proposal,
        &proposal.back(version),
    )?;
    if flags.json {
        output::print_json(&proposal_json(&made.learned, &proposal, None, version))?;
    } else {
        let mut text = made.text(&proposal, None);
        if !proposal.is_done() {
            let said = said(&flags.whom.account, &flags.whom.server, &made.target);
            let _ = writeln!(text, "\nNext: polder access prove {said}");
        }
        output::print(&text)?;
    }
    Ok(exit_code(&made.learned, None))
}

fn write_script(
    path: Option<&Path>,
    title: &str,
    proposal: &Proposal,
    statements: &[String],
) -> Result<(), Failure> {
    let Some(path) = path else { return Ok(()) };
    let text = script(title, &proposal.left, statements, &proposal.database);
    output::write_file(path, &text)
}

fn proved(flags: &AccessProve, globals: &Globals) -> Result<u8, Failure> {
    let mut made = Made::of(&flags.whom)?;
    let proposal = made.propose(flags.columns)?;
    made.keep(globals, &proposal);
    made.refuse_unfit()?;
    let proof = prove(&mut made.session, &made.learned, &proposal).map_err(failed)?;
    if flags.json {
        let version = made.session.version();
        output::print_json(&proposal_json(&made.learned, &proposal, Some(&proof), version))?;
    } else {
        let mut text = made.text(&proposal, Some(&proof));
        if !proposal.is_done() && proof.holds() {
            let said = said(&flags.whom.account, &flags.whom.server, &made.target);
            let _ = writeln!(text, "\nNext: polder access apply {said}");
        }
        output::print(&text)?;
    }
    Ok(exit_code(&made.learned, Some(&proof)))
}

fn apply(flags: &AccessApply, globals: &Globals) -> Result<u8, Failure> {
    let mut made = Made::of(&flags.whom)?;
    let proposal = made.propose(flags.columns)?;
    if proposal.is_done() {
        output::print(&made.text(&proposal, None))?;
        return Ok(0);
    }
    made.refuse_unfit()?;
    let proof = prove(&mut made.session, &made.learned, &proposal).map_err(failed)?;
    output::print(&made.text(&proposal, Some(&proof)))?;
    let title = format!("give `{}` the least rights", printable_str(&flags.whom.account));
    let operation = Operation::rights(
        &made.target.said(),
        &flags.whom.account,
        title,
        &proposal.before,
        &proposal.after,
    );
    output::print(&format!("\n{}", operation.shown()))?;
    if !proof.holds() {
        return Err(Failure::look(
            "the server refuses statements that are in use: nothing was changed",
        )
        .hint(
            "The statements stand above; report them, or name what they need with `--statements`",
        ));
    }
    if flags.dry_run {
        return Ok(0);
    }
    let hint = "`--yes` does it without asking, `--dry-run` only shows it";
    if !flags.yes && !output::confirms("Change the rights?", hint)? {
        return Ok(0);
    }
    let mut operations = Operations::open_own(globals)?;
    let id = carry_out(&mut operations, &operation)?;
    made.rights = Rights::read(&mut made.session, &flags.whom.account).map_err(failed)?;
    let later = made.propose(flags.columns)?;
    made.keep(globals, &later);
    let said = said(&flags.whom.account, &flags.whom.server, &made.target);
    output::print(&format!(
        "Done: operation {id}. Connections that are open have the new rights at once.\nUndo: polder undo {id}\n\
         Next: polder access watch {said}\n"
    ))?;
    Ok(0)
}

/// Makes a change of rights that is journaled.
pub(super) fn carry_out(
    operations: &mut Operations,
    operation: &Operation,
) -> Result<i64, Failure> {
    let id = operations.begin(operation)?;
    match operations.execute(id, |executor| executor.apply(operation)) {
        Outcome::Made => {
            operations.note(id, &Phase::Applied)?;
            Ok(id)
        }
        Outcome::TakenBack(error) => Err(Failure::new(FailureKind::TakenBack, error)
            .hint("All rights are as they were; `polder journal` keeps the record")),
        Outcome::Stuck(error, stuck) => {
            let text = format!("{error}; and then: {stuck}");
            Err(Failure::new(FailureKind::Stuck, text)
                .hint(format!("`polder undo {id}` tries again")))
        }
    }
}
