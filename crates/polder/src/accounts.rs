//! What `polder access` saw last of accounts of databases, as a table of facts.

use crate::commands::Globals;
use crate::flags::Target;
use crate::session::state_folder;
use polder_access::{Client, Excess, Plan, Reach, ServerName, Work};
use polder_model::facts::{AccountReach, DatabaseAccount, DatabaseClient, SensitiveColumn};
use polder_model::{Coverage, Table, Timestamp};
use polder_store::replace_file;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Rights change seldom, but a look that is older says little of today.
const DAYS_MAX: i64 = 31;

/// Accounts that are remembered, the latest ones.
const ACCOUNTS_MAX: usize = 200;

/// Lines of excess that are remembered of one.
const EXCESS_MAX: usize = 40;

/// Largest file read.
const BYTES_MAX: u64 = 16 << 20;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Remembered {
    /// `polder-accounts/1`.
    schema: String,
    accounts: Vec<DatabaseAccount>,
}

fn path(state: &Path) -> PathBuf {
    state.join("accounts.json")
}

fn read(state: &Path) -> Option<Remembered> {
    let path = path(state);
    (path.metadata().ok()?.len() <= BYTES_MAX).then_some(())?;
    serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()
}

fn reach_of(reach: &Reach) -> AccountReach {
    let count = |it: usize| u64::try_from(it).unwrap_or(u64::MAX);
    let sensitive = reach.sensitive.iter().map(|(table, column, class, rows)| SensitiveColumn {
        table: table.clone(),
        column: column.clone(),
        class: (*class).to_string(),
        rows: *rows,
    });
    AccountReach {
        sensitive: sensitive.collect(),
        reads: count(reach.reads),
        writes: count(reach.writes),
        empties: count(reach.empties),
        drops: count(reach.drops),
        host: reach.host.clone(),
        is_boundless: reach.is_boundless,
    }
}

/// Where a server listens, as the table of servers has it.
fn address_of(address: &str) -> String {
    if !address.starts_with('/') {
        return address.to_string();
    }
    // `/var/run` is a link on most hosts, and sockets are known by where they are.
    let path = Path::new(address);
    let folder = path.parent().and_then(|it| std::fs::canonicalize(it).ok());
    match (folder, path.file_name()) {
        (Some(folder), Some(name)) => folder.join(name).to_string_lossy().into_owned(),
        _ => address.to_string(),
    }
}

fn client_of(client: &Client) -> DatabaseClient {
    DatabaseClient { program: client.program.clone(), uid: client.uid, unit: client.unit.clone() }
}

/// What was seen of an account, each once.
pub(crate) struct Seen {
    pub(crate) server: ServerName,
    account: String,
    pub(crate) reach: Reach,
    pub(crate) excess: Vec<Excess>,
    pub(crate) clients: BTreeSet<Client>,
}

impl Seen {
    /// Asks what is known of the account that was looked at.
    pub(crate) fn of(work: &mut dyn Work, account: &str) -> Self {
        Self {
            // Whoever may not see who is connected sees nobody: nothing is concluded from that.
            clients: work.clients().unwrap_or_default(),
            server: work.server(),
            account: account.to_string(),
            reach: work.reach(),
            excess: work.excess(),
        }
    }
}

/// Keeps what was seen of an account, for later assessments.
pub(crate) fn keep(globals: &Globals, it: &Seen, plan: Option<&Plan>) {
    let Some(state) = state_folder(globals.state.as_deref(), &Target::default()) else { return };
    let row = DatabaseAccount {
        address: address_of(&it.server.address),
        server: it.server.said.clone(),
        database: it.server.database.clone().unwrap_or_else(|| "all databases".into()),
        account: it.account.clone(),
        reach: reach_of(&it.reach),
        least: plan.map(|it| reach_of(&it.reach_after)),
        excess: it.excess.iter().map(|it| it.what.clone()).take(EXCESS_MAX).collect(),
        clients: it.clients.iter().map(client_of).collect(),
        taken: crate::operations::now(),
    };
    let mut seen = read(&state).unwrap_or_default();
    seen.schema = "polder-accounts/1".into();
    seen.accounts.retain(|it| (&it.address, it.id()) != (&row.address, row.id()));
    seen.accounts.push(row);
    let older = seen.accounts.len().saturating_sub(ACCOUNTS_MAX);
    seen.accounts.drain(..older);
    // What is not kept is asked for again.
    let _ = serde_json::to_string(&seen).map(|text| replace_file(&path(&state), &text));
}

/// What was seen last.
pub(crate) fn database_accounts(
    globals: &Globals,
    target: &Target,
    now: Timestamp,
) -> Table<DatabaseAccount> {
    let state = state_folder(globals.state.as_deref(), target);
    let Some(state) = state.filter(|_| target.from.is_none() && target.root.is_none()) else {
        return Table::with(Coverage::not_looked("only a running host can be asked"), Vec::new());
    };
    let Some(seen) = read(&state) else {
        let because = "no account was looked at: `polder access audit ACCOUNT`";
        return Table::with(Coverage::not_looked(because), Vec::new());
    };
    let oldest = seen.accounts.iter().map(|it| it.taken.0).min().unwrap_or(now.0);
    let days = (now.0 - oldest) / 86_400;
    let coverage = match days > DAYS_MAX {
        true => Coverage::partial(format!(
            "some were looked at {days} days ago: `polder access audit` looks now"
        )),
        false => Coverage::Complete,
    };
    Table::with(coverage, seen.accounts)
}
