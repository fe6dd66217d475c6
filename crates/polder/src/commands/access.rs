//! `polder access`: what accounts of databases may do, do and need; gives them no more.

use super::Globals;
use crate::accounts::{self, Seen};
use crate::failure::{Failure, FailureKind};
use crate::flags::{
    AccessApply, AccessAudit, AccessColumns, AccessCommand, AccessFlags, AccessLearn,
    AccessPropose, AccessProve, AccessServer, AccessSources, AccessWhom,
};
use crate::operations::Operations;
use crate::{around, output};
use polder_access::{
    AccessError, Columns, Plan, Proof, ServerName, Sources, Unfit, Usage, Uses, Work,
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

/// A server, as the flags name it.
fn open(flags: &AccessServer) -> Result<Box<dyn Work>, Failure> {
    polder_access::open(&flags.server, flags.database.as_deref(), &around::ambient())
        .map_err(failed)
}

/// What a server said, and what to do.
pub(super) fn failed(error: AccessError) -> Failure {
    let hint = match &error {
        AccessError::Target { .. } => {
            "Name it as `psql` is told: `--server 'host=db.example dbname=shop user=ada'`, or `--server mariadb://ada@db.example/shop`".into()
        }
        AccessError::Connect { .. } => {
            "Look whether it runs, and at `--server`; without one PostgreSQL is looked for, as `psql` does".into()
        }
        AccessError::Refused { .. } => {
            "Look at the account and its password: `.pgpass`, `PGPASSWORD`, `pg_hba.conf` of PostgreSQL; `.my.cnf`, `MYSQL_PWD` of MariaDB".into()
        }
        AccessError::Gone { .. } => "What was begun is rolled back by the server, unless it was just being made: look again".into(),
        AccessError::Denied { .. } => {
            "On PostgreSQL an audit needs a role in `pg_read_all_stats`, a proof and a change need a superuser; on MariaDB all but a bare \
             audit need whoever may make accounts and give rights"
                .into()
        }
        AccessError::NoAccount { .. } => "`polder access audit` lists the accounts".into(),
        AccessError::NoStatements { .. } => {
            "PostgreSQL: put `pg_stat_statements` into `shared_preload_libraries`, restart, and CREATE EXTENSION pg_stat_statements. \
             MariaDB: `performance_schema = ON`, then UPDATE performance_schema.setup_consumers SET ENABLED = 'YES' WHERE NAME IN \
             ('events_statements_current', 'events_statements_history_long'); or name a slow log with `--slow-log FILE`. Either: name a file \
             with `--statements FILE --only-statements`"
                .into()
        }
        AccessError::Changed { .. } => "Somebody else changed rights meanwhile: look again, then decide again".into(),
        _ => String::new(),
    };
    let is_usage = matches!(
        error,
        AccessError::Target { .. } | AccessError::NoAccount { .. } | AccessError::Several { .. }
    );
    let failure = if is_usage { Failure::usage(error) } else { Failure::look(error) };
    if hint.is_empty() { failure } else { failure.hint(hint) }
}

fn sources(flags: &AccessSources) -> Result<Sources, Failure> {
    let mut text = String::new();
    for path in &flags.statements {
        text.push_str(&file(path)?);
        text.push_str("\n;\n");
    }
    let slow: Result<Vec<String>, Failure> = flags.slow_log.iter().map(|it| file(it)).collect();
    Ok(Sources {
        text,
        only_text: flags.only_statements,
        no_migrations: flags.no_migrations,
        slow_log: slow?.join("\n"),
        takes_ended: flags.ended,
    })
}

fn file(path: &Path) -> Result<String, Failure> {
    let wrong = |says: String| Failure::usage(format!("`{}`: {says}", path.display()));
    let metadata = path.metadata().map_err(|error| wrong(error.to_string()))?;
    if metadata.len() > FILE_BYTES_MAX {
        return Err(wrong(format!("it is larger than {FILE_BYTES_MAX} bytes")));
    }
    let bytes = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn audit(flags: &AccessAudit, globals: &Globals) -> Result<u8, Failure> {
    let mut work = open(&flags.server)?;
    let Some(account) = &flags.account else {
        return all_accounts(work.as_mut(), flags);
    };
    let from = sources(&flags.sources)?;
    let account = work.look(account).map_err(failed)?;
    let (usage, because) = match work.learn(&from) {
        Ok(usage) => (Some(usage), None),
        Err(error @ (AccessError::NoStatements { .. } | AccessError::Denied { .. })) => {
            (None, Some(error.to_string()))
        }
        Err(error) => return Err(failed(error)),
    };
    let plan = match &usage {
        Some(_) => Some(work.propose(Columns::default()).map_err(failed)?),
        None => None,
    };
    let seen = Seen::of(work.as_mut(), &account);
    accounts::keep(globals, &seen, plan.as_ref());
    let view = AccessView {
        server: &seen.server,
        account: &account,
        reach: &seen.reach,
        rights: &work.rights(),
        clients: &seen.clients,
        usage: usage.as_ref(),
        because: because.as_deref(),
        excess: &seen.excess,
    };
    if flags.json {
        output::print_json(&access_json(&view))?;
    } else {
        let mut text = access_text(&view, flags.all);
        let said = said(&account, &flags.server, &seen.server);
        let _ = writeln!(text, "\nNext: polder access propose {said}");
        output::print(&text)?;
    }
    // Without its statements nobody can tell what is too much.
    Ok(if usage.is_none() { 3 } else { 0 })
}

/// The account and server as on a command line, without a password that may stand in what was given.
fn said(account: &str, flags: &AccessServer, server: &ServerName) -> String {
    let account = polder_model::quoted(account);
    match flags.server.is_empty() {
        false => format!("{account} --server {}", polder_model::quoted(&server.said)),
        true => match &flags.database {
            Some(database) => format!("{account} --database {}", polder_model::quoted(database)),
            None => account,
        },
    }
}

/// All accounts that may log in, with what each can do.
fn all_accounts(work: &mut dyn Work, flags: &AccessAudit) -> Result<u8, Failure> {
    let all = work.accounts().map_err(failed)?;
    let server = work.server();
    if flags.json {
        output::print_json(&json!({
            "schema": "polder-access-accounts/1", "server": server.words, "database": server.database, "accounts": all,
        }))?;
        return Ok(0);
    }
    let place =
        server.database.as_ref().map_or_else(String::new, |it| format!(" the database `{it}` of"));
    let mut text = printable_str(&format!("Accounts of{place} {}", server.words)) + "\n\n";
    for account in &all {
        text.push_str(&account_text(account));
    }
    let _ = writeln!(text, "\nNext: polder access audit ACCOUNT");
    output::print(&text)?;
    Ok(0)
}

/// Everything about one account, up to a proposal.
struct Made {
    work: Box<dyn Work>,
    account: String,
    usage: Usage,
}

impl Made {
    fn of(whom: &AccessWhom) -> Result<Self, Failure> {
        let from = sources(&whom.sources)?;
        let mut work = open(&whom.server)?;
        let account = work.look(&whom.account).map_err(failed)?;
        let usage = work.learn(&from).map_err(failed)?;
        Ok(Self { work, account, usage })
    }

    /// Proposes, and keeps what was seen, so that `polder assess` knows it.
    fn propose(&mut self, columns: AccessColumns, globals: &Globals) -> Result<Plan, Failure> {
        let columns = match columns {
            AccessColumns::Sensitive => Columns::Sensitive,
            AccessColumns::Always => Columns::Always,
            AccessColumns::Never => Columns::Never,
        };
        let plan = self.work.propose(columns).map_err(failed)?;
        let seen = Seen::of(self.work.as_mut(), &self.account);
        accounts::keep(globals, &seen, Some(&plan));
        Ok(plan)
    }

    /// Refuses what nobody can mean: to judge an account of which nothing was seen, or the one that is connected.
    fn refuse_unfit(&mut self) -> Result<(), Failure> {
        let account = printable_str(&self.account);
        match self.work.unfit().map_err(failed)? {
            None => Ok(()),
            Some(Unfit::Connected) => {
                Err(Failure::usage(format!("`{account}` is who is connected"))
                    .hint("Connect as another administrator"))
            }
            Some(Unfit::Administrator) => Err(Failure::usage(format!(
                "`{account}` is the administrator with whom the server was made"
            ))
            .hint("Give the application an account of its own")),
            Some(Unfit::Blind) => {
                Err(Failure::look("processes of other users cannot be seen, so who has the file open is not known")
                    .hint("Run it as root"))
            }
            Some(Unfit::Shared(others)) => Err(Failure::usage(format!(
                "`{account}` shares its rights with {}: the server finds rights of either in sessions of both",
                printable_str(&others.join(", "))
            ))
            .hint("Make one account of them first, or give them names of their own")),
            Some(Unfit::Untold(count)) => Err(Failure::look(format!(
                "{count} times prepared statements of `{account}` ran of which the server does not keep the text"
            ))
            .hint("Name them with `--statements FILE`, or a slow log with `--slow-log FILE`")),
            Some(Unfit::Idle) if self.work.server().uses == Uses::File => {
                Err(Failure::look("nobody has the file open now, so who needs it is not known")
                    .hint("Look again while the application works"))
            }
            Some(Unfit::Idle) => Err(Failure::look(format!(
                "no statement of `{account}` was seen that needs anything"
            ))
            .hint("Let it work for a while, or name a file with `--statements FILE`")),
        }
    }

    fn text(&self, plan: &Plan, proof: Option<&Proof>) -> String {
        proposal_text(&self.work.server(), &self.usage, plan, proof)
    }

    fn said(&self, whom: &AccessWhom) -> String {
        said(&self.account, &whom.server, &self.work.server())
    }
}

fn learned(flags: &AccessLearn) -> Result<u8, Failure> {
    let made = Made::of(&flags.whom)?;
    if flags.json {
        output::print_json(&learned_json(&made.usage))?;
    } else {
        output::print(&learned_text(&made.work.server(), &made.usage, flags.all))?;
    }
    Ok(exit_code(&made.usage, None))
}

/// 3 where something could not be told.
fn exit_code(usage: &Usage, proof: Option<&Proof>) -> u8 {
    let holds = proof.is_none_or(Proof::holds);
    if usage.is_whole && holds { 0 } else { 3 }
}

fn proposed(flags: &AccessPropose, globals: &Globals) -> Result<u8, Failure> {
    let mut made = Made::of(&flags.whom)?;
    let plan = made.propose(flags.columns, globals)?;
    let account = printable_str(&made.account);
    let title = format!("The least rights of {account}, proposed by Polder");
    write_script(flags.script.as_deref(), &title, &made, &plan, &plan.forward)?;
    let title = format!("The rights that {account} had before");
    write_script(flags.inverse.as_deref(), &title, &made, &plan, &plan.back)?;
    if flags.json {
        output::print_json(&proposal_json(&made.usage, &plan, None))?;
    } else {
        let mut text = made.text(&plan, None);
        if !plan.is_done {
            let _ = writeln!(text, "\nNext: polder access prove {}", made.said(&flags.whom));
        }
        output::print(&text)?;
    }
    Ok(exit_code(&made.usage, None))
}

fn write_script(
    path: Option<&Path>,
    title: &str,
    made: &Made,
    plan: &Plan,
    statements: &[String],
) -> Result<(), Failure> {
    let Some(path) = path else { return Ok(()) };
    output::write_file(path, &made.work.script(title, &plan.left, statements))
}

fn proved(flags: &AccessProve, globals: &Globals) -> Result<u8, Failure> {
    let mut made = Made::of(&flags.whom)?;
    let plan = made.propose(flags.columns, globals)?;
    made.refuse_unfit()?;
    let proof = made.work.prove().map_err(failed)?;
    if flags.json {
        output::print_json(&proposal_json(&made.usage, &plan, Some(&proof)))?;
    } else {
        let mut text = made.text(&plan, Some(&proof));
        if !plan.is_done && proof.holds() {
            let _ = writeln!(text, "\nNext: polder access apply {}", made.said(&flags.whom));
        }
        output::print(&text)?;
    }
    Ok(exit_code(&made.usage, Some(&proof)))
}

fn apply(flags: &AccessApply, globals: &Globals) -> Result<u8, Failure> {
    let mut made = Made::of(&flags.whom)?;
    let plan = made.propose(flags.columns, globals)?;
    if plan.is_done {
        output::print(&made.text(&plan, None))?;
        return Ok(0);
    }
    made.refuse_unfit()?;
    let proof = made.work.prove().map_err(failed)?;
    output::print(&made.text(&plan, Some(&proof)))?;
    let title = format!("give `{}` the least rights", printable_str(&made.account));
    let server = made.work.server();
    let operation =
        Operation::rights(&server.said, &made.account, title, &plan.before, &plan.after);
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
    made.work.look(&made.account).map_err(failed)?;
    made.propose(flags.columns, globals)?;
    output::print(&format!(
        "Done: operation {id}.\nUndo: polder undo {id}\n{}",
        match server.uses {
            Uses::File => String::new(),
            _ => format!("Next: polder access watch {}\n", made.said(&flags.whom)),
        }
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
