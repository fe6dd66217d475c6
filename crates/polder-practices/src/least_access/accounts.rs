//! Judges accounts of databases that can do more than they were seen to need.

use crate::estate::Service;
use crate::practice::Scene;
use polder_model::facts::{AccountReach, DatabaseAccount, Engine, Server};
use polder_model::{
    EdgeId, Estimate, Evidence, Finding, Model, NodeId, NodeKind, Treatment, VariableId,
};
use std::collections::{BTreeMap, BTreeSet};

/// Most accounts that are findings of their own.
const ACCOUNTS_MAX: usize = 20;

pub(super) fn assess(scene: &Scene<'_>, model: &mut Model) {
    let table = &scene.facts.database_accounts;
    let is_known = |it: &Server| {
        matches!(it.engine, Engine::Postgresql | Engine::Mariadb | Engine::Redis)
            && it.pid.is_some()
    };
    // Where there is no such server there is nothing to know; nothing seen of one that is there is not "nothing found".
    if !table.coverage.empty_means_none() && scene.facts.servers.rows.iter().any(is_known) {
        let because = table.coverage.because().unwrap_or_default().to_string();
        let what = "what accounts of databases may do and do not need";
        model.unknown("least-access", what, because, "`polder access audit ACCOUNT` looks");
    }
    for account in scene.facts.database_accounts.rows.iter().take(ACCOUNTS_MAX) {
        let role = role_of(account);
        let edges = edges(scene, account, &role, model);
        let can = words(&account.reach);
        if account.excess.is_empty() || edges.is_empty() {
            continue;
        }
        let says = format!(
            "`{}` can do more in `{}` than it was seen to need: {} {can}",
            account.account,
            account.database,
            whoever(account)
        );
        let mut finding = Finding::new("least-access/account-excess", account.id(), says);
        for line in account.excess.iter().take(6) {
            finding = finding.because(evidence(account, line));
        }
        model.findings.push(finding.opening(edges));
    }
}

fn evidence(account: &DatabaseAccount, says: &str) -> Evidence {
    Evidence::command(says.to_string(), command(account, "audit"))
}

/// Who is the account without being meant to.
fn whoever(account: &DatabaseAccount) -> &'static str {
    match account.server.split(':').next() {
        Some("redis" | "redis+unix") => "whoever sends commands as it",
        Some("sqlite") => "whoever runs a program as it",
        _ => "whoever injects SQL",
    }
}

fn command(account: &DatabaseAccount, verb: &str) -> String {
    let name = polder_model::quoted(&account.account);
    format!("polder access {verb} {name} --server {}", polder_model::quoted(&account.server))
}

fn role_of(account: &DatabaseAccount) -> NodeId {
    NodeId(format!("dbrole:{}:{}", account.address, account.id()))
}

/// The server on this host that an account belongs to.
fn server_of<'a>(scene: &Scene<'a>, account: &DatabaseAccount) -> Option<&'a Server> {
    let short = |it: &str| it.rsplit('/').next().unwrap_or(it).to_string();
    let rows = &scene.facts.servers.rows;
    let exact = rows.iter().find(|it| it.addresses.contains(&account.address));
    // Folders of sockets have more than one name.
    exact.or_else(|| {
        rows.iter().find(|it| it.addresses.iter().any(|at| short(at) == short(&account.address)))
    })
}

fn tables(count: u64) -> String {
    if count == 1 { "a table".into() } else { format!("{count} tables") }
}

/// What can be done, in a sentence without its subject.
fn words(reach: &AccountReach) -> String {
    let mut words = Vec::new();
    if reach.is_boundless {
        words.push("may do anything to the server".to_string());
    }
    if let Some(first) = reach.sensitive.first() {
        let more = reach.sensitive.len() - 1;
        let more = match more {
            0 => String::new(),
            1 => " and another sensitive column".into(),
            more => format!(" and {more} other sensitive columns"),
        };
        words.push(format!("reads {}.{}{more}", first.table, first.column));
    }
    if reach.drops > 0 {
        words.push(format!("drops {}", tables(reach.drops)));
    } else if reach.empties > 0 {
        words.push(format!("empties {}", tables(reach.empties)));
    }
    if !reach.host.is_empty() {
        words.push("runs programs or reads files on the host".into());
    }
    match words.split_last() {
        None => format!("reads {}", tables(reach.reads)),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

/// Draws the account; answers the steps that the least rights take away.
fn edges(
    scene: &Scene<'_>,
    account: &DatabaseAccount,
    role: &NodeId,
    model: &mut Model,
) -> Vec<EdgeId> {
    let title = format!("sends statements as `{}` in `{}`", account.account, account.database);
    model.graph.node(NodeKind::DatabaseRole, role.0.clone(), title);
    senders(scene, account, role, model);
    let server = server_of(scene, account);
    let mut taken = Vec::new();
    let least = account.least.as_ref();
    // Each class of data is a store of its own: less of it is less to lose.
    let mut classes: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for it in &account.reach.sensitive {
        classes.entry(&it.class).or_default().push(format!("{}.{}", it.table, it.column));
    }
    let kept: BTreeSet<&str> = least
        .map(|it| it.sensitive.iter().map(|it| it.class.as_str()).collect())
        .unwrap_or_default();
    for (class, columns) in classes {
        let says =
            format!("reads {}", columns.iter().take(4).cloned().collect::<Vec<_>>().join(", "));
        let id = format!("store:{}:{}:{class}", account.address, account.database);
        let store = model.graph.node(NodeKind::Store, id, says.clone());
        let goal = format!("{class} data in `{}`", account.database);
        model.graph.goal(&store, goal);
        let edge = model.graph.edge(
            role,
            &store,
            "rights",
            says.clone(),
            Vec::new(),
            evidence(account, &says),
        );
        if let Some(server) = server {
            let above = NodeId(format!("store:{}", server.id()));
            let because = evidence(account, "it is part of the server's data");
            model.graph.edge(&above, &store, "part", "has all of it", Vec::new(), because);
        }
        if least.is_some() && !kept.contains(class) {
            taken.push(edge);
        }
    }
    let Some(server) = server else { return taken };
    let all = NodeId(format!("store:{}", server.id()));
    if (account.reach.is_boundless || account.reach.drops > 0)
        && model.graph.find_node(&all).is_some()
    {
        let says = format!("drops {}", tables(account.reach.drops));
        let edge = model.graph.edge(
            role,
            &all,
            "owner",
            says.clone(),
            Vec::new(),
            evidence(account, &says),
        );
        if least.is_some_and(|it| it.drops == 0 && !it.is_boundless) {
            taken.push(edge);
        }
    }
    if let (Some(how), Some(user)) = (account.reach.host.first(), &server.user) {
        let user = scene.estate.user(model, user);
        let edge = model.graph.edge(
            role,
            &user,
            "host",
            "runs programs as the server",
            Vec::new(),
            evidence(account, how),
        );
        if least.is_some_and(|it| it.host.is_empty()) {
            taken.push(edge);
        }
    }
    taken
}

/// Services that send statements as the account.
fn users_of<'a>(
    scene: &Scene<'a>,
    account: &DatabaseAccount,
    readers: &BTreeSet<&str>,
) -> Vec<&'a Service> {
    // Who was seen to be connected is known; where nobody was, own code that may read the password is as good a guess as any.
    let is_client = |it: &Service| {
        account.clients.iter().any(|client| {
            let is_unit = client.unit.is_some() && client.unit == it.unit;
            let is_program =
                it.executable.as_ref() == Some(&client.program) && it.uid == client.uid;
            is_unit || is_program
        })
    };
    let is_seen = scene.estate.services.values().any(is_client);
    let uses = |it: &&'a Service| {
        let user = scene.facts.user_name(it.uid);
        let may = it.runs_own_code && (readers.is_empty() || readers.contains(user.as_str()));
        if is_seen { is_client(it) } else { may }
    };
    scene.estate.services.values().filter(uses).collect()
}

/// Who sends statements as the account: whoever injects SQL into a service, runs code in it, or reads its password.
fn senders(scene: &Scene<'_>, account: &DatabaseAccount, role: &NodeId, model: &mut Model) {
    let opens = |it: &&polder_model::facts::Credential| {
        let who = it.opens.as_deref().unwrap_or_default();
        let who = who.rsplit(' ').next().unwrap_or(who);
        // MariaDB has the host in the name of an account.
        let name = account.account.split('@').next();
        who.split('@').next() == name
    };
    let mut readers: BTreeSet<&str> = BTreeSet::new();
    for credential in scene.facts.credentials.rows.iter().filter(opens) {
        for reader in credential.readers.iter().filter(|it| *it != "everyone" && *it != "root") {
            readers.insert(reader);
            let from = scene.estate.user(model, reader);
            let says = format!("{} names it", credential.name);
            let because = Evidence::file(says, &credential.path, credential.line);
            model.graph.edge(
                &from,
                role,
                "password",
                "logs in with the password it reads",
                Vec::new(),
                because,
            );
        }
    }
    for service in users_of(scene, account, &readers) {
        let process = scene.estate.process(&service.name);
        let says = format!("`{}` may send statements as `{}`", service.name, account.account);
        let because = evidence(account, &says);
        model.graph.edge(
            &process,
            role,
            "connection",
            "sends statements",
            Vec::new(),
            because.clone(),
        );
        let injection = model.graph.variable(
            format!("injection:{}", service.name),
            format!("own code in `{}` lets strangers put SQL into statements", service.name),
            Estimate::judgement(
                0.005,
                0.03,
                0.15,
                "own code without a gate before it goes live (CWE-89); as likely as any flaw in it that is found and used",
            ),
        );
        for listener in &service.listeners {
            let from = NodeId(format!("listener:{}", listener.short()));
            if model.graph.find_node(&from).is_some() {
                let needs = vec![injection.clone()];
                model.graph.edge(&from, role, "injection", "injects SQL", needs, because.clone());
            }
        }
    }
    // Where no service is seen that does, some program of this host does.
    let has_way = model.graph.edges().any(|it| it.to == *role);
    if !has_way {
        let variable: VariableId = model.graph.variable(
            format!("sender:{}", account.id()),
            format!("an attacker on this host gets at what `{}` logs in with", account.account),
            Estimate::judgement(0.1, 0.4, 0.8, "which program uses the account is not seen"),
        );
        let because = evidence(account, "which program uses it is not seen");
        model.graph.edge(&scene.estate.local, role, "login", "logs in", vec![variable], because);
    }
}

pub(super) fn treat(finding: &Finding, scene: &Scene<'_>) -> Option<Treatment> {
    let rows = &scene.facts.database_accounts.rows;
    let account = rows.iter().find(|it| it.id() == finding.subject)?;
    let title = format!("Give `{}` the least rights in `{}`", account.account, account.database);
    let after = account.least.as_ref().map(words).unwrap_or_default();
    Some(
        Treatment::new(format!("least-rights:{}", account.id()), title, [0.1, 0.5, 2.0])
            .decide(format!(
                "Were all of its jobs seen, yearly ones too? What was not is refused once. Then {} {after}",
                whoever(account)
            ))
            .run(command(account, "prove"))
            .run(command(account, "apply"))
            .run(format!("{}   # gives back what was missed", command(account, "watch")))
            .undo("polder undo")
            .verify(format!("`{}` finds nothing that is not needed", command(account, "audit")))
            .may_break("low", "a statement that was never seen is refused once; the watch gives its right back unless it is on something sensitive")
            .removing(&finding.opens),
    )
}
