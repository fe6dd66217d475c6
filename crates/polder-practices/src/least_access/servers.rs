//! Judges database and broker servers that let somebody in without a secret.

use crate::practice::Scene;
use polder_model::facts::{Access, Engine, Server};
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
    let mut finding = finding.because(Evidence::answer(because, server.addresses.join(", ")));
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

/// From the server's sockets to its commands, and from its commands to its user.
fn let_in(
    scene: &Scene<'_>,
    server: &Server,
    because: &str,
    is_admin: bool,
    model: &mut Model,
) -> Vec<EdgeId> {
    let admin = scene.estate.admin(&server.id());
    let store = NodeId(format!("store:{}", server.id()));
    let evidence = Evidence::answer(because, server.addresses.join(", "));
    let mut edges = Vec::new();
    for address in &server.addresses {
        let Some(port) =
            address.strip_prefix("tcp/").and_then(|it| it.rsplit_once(':')).map(|(_, port)| port)
        else {
            continue;
        };
        let listener = NodeId(format!("listener:tcp/{port}"));
        if model.graph.find_node(&listener).is_none() || !is_main_port(server, port) {
            continue;
        }
        let (to, needs) = match is_admin {
            true => (admin.clone(), Vec::new()),
            false => (store.clone(), vec![scene.estate.unnoticed.clone()]),
        };
        edges.push(model.graph.edge(
            &listener,
            &to,
            "no secret",
            "is let in without a secret",
            needs,
            evidence.clone(),
        ));
    }
    if is_admin {
        runs_programs(scene, server, &admin, &evidence, model);
    }
    edges
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
    let reachable = server
        .addresses
        .iter()
        .any(|it| it.starts_with("tcp/") && !it.contains("127.0.0.1") && !it.contains("[::1]"));
    let is_system = |name: &str| {
        matches!(name, "mariadb.sys" | "mysql.sys" | "mysql.session" | "mysql.infoschema")
    };
    let bare: Vec<_> = server
        .accounts
        .iter()
        .filter(|it| matches!(it.method.as_str(), "none" | "trust") && !is_system(&it.name))
        .filter(|it| match server.engine {
            // Rules for this host alone are told by the answer above.
            Engine::Postgresql => {
                it.from != "local socket"
                    && !it.from.starts_with("127.")
                    && !it.from.starts_with("::1")
            }
            _ => it.from != "localhost" && it.from != "127.0.0.1" && it.from != "::1",
        })
        .collect();
    if bare.is_empty() {
        return;
    }
    let reach = if reachable { "" } else { "; the server listens on loopback only for now" };
    let names: Vec<String> =
        bare.iter().map(|it| format!("`{}` from {}", it.name, it.from)).collect();
    let says = format!(
        "{} ({}) needs no password for {}{reach}",
        server.engine.title(),
        server.instance,
        names.join(", ")
    );
    let mut finding = Finding::new("least-access/account-without-password", server.id(), says);
    for it in bare.iter().take(6) {
        finding = finding.because(Evidence::file(
            format!("`{}` from {}: {}", it.name, it.from, it.method),
            it.known_from.clone(),
            it.line,
        ));
    }
    let store = NodeId(format!("store:{}", server.id()));
    let mut edges = Vec::new();
    if reachable && model.graph.find_node(&store).is_some() {
        for address in
            server.addresses.iter().filter_map(|it| it.strip_prefix("tcp/")?.rsplit_once(':'))
        {
            let listener = NodeId(format!("listener:tcp/{}", address.1));
            if model.graph.find_node(&listener).is_some() {
                let evidence = Evidence::file(
                    "an account without a password",
                    finding.evidence.first().map_or(String::new(), |it| it.origin.to_string()),
                    None,
                );
                edges.push(model.graph.edge(
                    &listener,
                    &store,
                    "account without password",
                    "logs in without a password",
                    vec![scene.estate.unnoticed.clone()],
                    evidence,
                ));
            }
        }
    }
    model.findings.push(finding.opening(edges));
}
