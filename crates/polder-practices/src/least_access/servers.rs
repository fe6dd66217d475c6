//! Judges database and broker servers that let somebody in without a secret.

use crate::practice::Scene;
use polder_model::facts::{Access, Engine, Server, ServerAccount};
use polder_model::{EdgeId, Estimate, Evidence, Finding, Model, NodeId};

pub(super) fn assess(scene: &Scene<'_>, model: &mut Model) {
    for server in &scene.facts.servers.rows {
        match &server.access {
            Access::Anyone { because, account, admin } => {
                let who = account.as_ref().map_or(String::new(), |it| format!(" as `{it}`"));
                let says = format!(
                    "{} ({}) lets anyone on this host in{who} without a password",
                    server.engine.title(),
                    server.instance
                );
                let edges = let_in(scene, server, because, *admin, model);
                let finding = Finding::new("least-access/open-server", server.id(), says);
                push(finding, server, because, edges, model);
            }
            Access::WellKnown { because, account } => {
                let says = format!(
                    "{} ({}) accepts the login `{account}` it is delivered with",
                    server.engine.title(),
                    server.instance
                );
                let edges = let_in(scene, server, because, true, model);
                let finding = Finding::new("least-access/well-known-login", server.id(), says);
                push(finding, server, because, edges, model);
            }
            Access::Asks { .. } | Access::Unknown { .. } => {}
        }
        accounts(scene, server, model);
    }
}

fn push(finding: Finding, server: &Server, because: &str, edges: Vec<EdgeId>, model: &mut Model) {
    let mut finding = finding.because(Evidence::answer(because, spoken_at(server)));
    for rule in server
        .accounts
        .iter()
        .filter(|it| it.method == "trust" && it.from != "local socket")
        .take(3)
    {
        finding = finding.because(Evidence::file(
            format!("`{}` from {} by trust", rule.name, rule.from),
            rule.known_from.clone(),
            rule.line,
        ));
    }
    model.findings.push(finding.opening(edges));
}

/// Whether a rule is for an account that may do everything, or for all accounts.
fn is_administrator(name: &str) -> bool {
    let user = name.split(" on ").next().unwrap_or(name);
    matches!(user, "all" | "postgres" | "root" | "admin")
}

/// From this host, and where the answer holds for strangers too from its sockets, to its commands.
fn let_in(
    scene: &Scene<'_>,
    server: &Server,
    because: &str,
    is_admin: bool,
    model: &mut Model,
) -> Vec<EdgeId> {
    let evidence = Evidence::answer(because, spoken_at(server));
    let to = match is_admin {
        true => scene.estate.admin(&server.id()),
        false => NodeId(format!("store:{}", server.id())),
    };
    let mut from = vec![scene.estate.local.clone()];
    if answer_holds_outside(server) {
        from = listeners(server, model);
    }
    let how = format!("no secret for {}", server.id());
    let mut edges = Vec::new();
    for from in from {
        let label = "is let in without a secret";
        edges.push(model.graph.edge(&from, &to, &how, label, Vec::new(), evidence.clone()));
    }
    if is_admin {
        runs_programs(scene, server, &scene.estate.admin(&server.id()), &evidence, model);
    }
    edges
}

/// Addresses at which the server speaks its own protocol.
fn spoken_at(server: &Server) -> String {
    let port = |it: &str| it.rsplit_once(':').map_or(String::new(), |(_, port)| port.to_string());
    let mine = server.addresses.iter().filter(|it| is_main_port(server, &port(it)));
    mine.cloned().collect::<Vec<_>>().join(", ")
}

/// Nodes of the sockets on which the server speaks its own protocol.
fn listeners(server: &Server, model: &Model) -> Vec<NodeId> {
    let mut nodes: Vec<NodeId> = server
        .addresses
        .iter()
        .filter_map(|it| it.strip_prefix("tcp/")?.rsplit_once(':'))
        .filter(|(_, port)| is_main_port(server, port))
        .map(|(_, port)| NodeId(format!("listener:tcp/{port}")))
        .filter(|it| model.graph.find_node(it).is_some())
        .collect();
    nodes.sort();
    nodes.dedup();
    nodes
}

/// Whether what the server answers this host it answers strangers as well.
///
/// PostgreSQL and MariaDB know accounts by address; Redis in protected mode and RabbitMQ's `guest`
/// are for loopback alone (redis.conf, rabbitmq.conf).
fn answer_holds_outside(server: &Server) -> bool {
    let setting = |name: &str| {
        server.settings.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    };
    match server.engine {
        Engine::Postgresql | Engine::Mariadb => false,
        Engine::Redis => setting("protected-mode") == Some("no"),
        Engine::Rabbitmq => {
            setting("loopback_users") == Some("none")
                || setting("loopback_users.guest") == Some("false")
        }
        _ => true,
    }
}

/// Why strangers need no secret, where that is so.
pub(crate) fn lets_strangers_in(server: &Server) -> Option<String> {
    if let Access::Anyone { because, .. } | Access::WellKnown { because, .. } = &server.access
        && answer_holds_outside(server)
    {
        return Some(because.clone());
    }
    let bare = bare_accounts(server);
    let it = bare.iter().find(|it| is_anywhere(&it.from))?;
    Some(format!("`{}` from {} by {} in {}", it.name, it.from, it.method, it.known_from))
}

/// Whether a rule is for every address.
fn is_anywhere(from: &str) -> bool {
    matches!(from, "0.0.0.0/0" | "::/0" | "all" | "%" | "0.0.0.0 0.0.0.0")
}

/// Accounts and rules for other hosts that need no secret.
fn bare_accounts(server: &Server) -> Vec<&ServerAccount> {
    let is_system = |name: &str| {
        matches!(name, "mariadb.sys" | "mysql.sys" | "mysql.session" | "mysql.infoschema")
    };
    let is_local = |from: &str| {
        matches!(from, "local socket" | "localhost")
            || from.starts_with("127.")
            || from.starts_with("::1")
    };
    server
        .accounts
        .iter()
        .filter(|it| matches!(it.method.as_str(), "none" | "trust"))
        .filter(|it| !is_system(&it.name) && !is_local(&it.from))
        .collect()
}

/// Clustering ports speak other protocols.
fn is_main_port(server: &Server, port: &str) -> bool {
    server.engine != Engine::Rabbitmq || !matches!(port, "25672" | "4369" | "15672")
}

/// Servers that run programs or write files for whoever commands them.
fn runs_programs(
    scene: &Scene<'_>,
    server: &Server,
    admin: &NodeId,
    evidence: &Evidence,
    model: &mut Model,
) {
    let (how, estimate) = match server.engine {
        Engine::Postgresql => ("runs programs with COPY ... FROM PROGRAM", None),
        Engine::Redis => (
            "writes files with CONFIG SET dir, or loads a module",
            Some(Estimate::judgement(
                0.2,
                0.6,
                0.95,
                "Redis as root writes any file; newer releases protect some of these settings",
            )),
        ),
        Engine::Mariadb => (
            "writes files with SELECT ... INTO OUTFILE, or loads a function",
            Some(Estimate::judgement(
                0.05,
                0.25,
                0.6,
                "the plugin folder is seldom writable for the server's own user",
            )),
        ),
        _ => return,
    };
    let Some(user) = &server.user else { return };
    let to = scene.estate.user(model, user);
    let needs: Vec<_> = estimate
        .map(|it| {
            model.graph.variable(
                format!("commands:{}", server.id()),
                format!("commands to {} run code on the host", server.engine.title()),
                it,
            )
        })
        .into_iter()
        .collect();
    model.graph.edge(admin, &to, "commands", how, needs, evidence.clone());
}

/// Accounts and rules that need no secret from places other than this host's own sockets.
fn accounts(scene: &Scene<'_>, server: &Server, model: &mut Model) {
    let bare = bare_accounts(server);
    let Some(first) = bare.first() else { return };
    let is_local = |it: &String| it.contains("/127.") || it.contains("[::1]");
    let reachable = server.addresses.iter().any(|it| it.starts_with("tcp/") && !is_local(it));
    let reach = if reachable { "" } else { "; the server listens on loopback only for now" };
    let names: Vec<String> =
        bare.iter().map(|it| format!("`{}` from {}", it.name, it.from)).collect();
    let says = format!(
        "{} ({}) needs no password for {}{reach}",
        server.engine.title(),
        server.instance,
        names.join(", ")
    );
    let mut finding =
        Finding::new("least-access/account-without-password", server.id(), says.clone());
    for it in bare.iter().take(6) {
        finding = finding.because(Evidence::file(
            format!("`{}` from {}: {}", it.name, it.from, it.method),
            it.known_from.clone(),
            it.line,
        ));
    }
    let is_admin = bare.iter().any(|it| is_administrator(&it.name));
    let to = match is_admin {
        true => scene.estate.admin(&server.id()),
        false => NodeId(format!("store:{}", server.id())),
    };
    let mut needs = Vec::new();
    if !bare.iter().any(|it| is_anywhere(&it.from)) {
        needs.push(model.graph.variable(
            format!("address:{}", server.id()),
            format!(
                "an attacker holds an address from which {} asks nothing",
                server.engine.title()
            ),
            Estimate::judgement(0.005, 0.03, 0.15, "the rule is for some addresses only"),
        ));
    }
    let evidence = Evidence::file(says, first.known_from.clone(), first.line);
    let mut edges = Vec::new();
    for listener in listeners(server, model) {
        let label = "logs in without a password";
        let how = "account without password";
        edges.push(model.graph.edge(&listener, &to, how, label, needs.clone(), evidence.clone()));
    }
    if is_admin {
        runs_programs(scene, server, &to, &evidence, model);
    }
    model.findings.push(finding.opening(edges));
}
