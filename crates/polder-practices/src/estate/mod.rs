//! The graph of what a host is, before anything is wrong with it: zones, services, users, data.

mod confinement;
mod products;
mod service;
mod time;

pub use confinement::{Feature, confinement, escape, features};
pub use products::future_flaw;
pub use service::{Service, product_of, services};
pub(crate) use time::{integrity, integrity_sensor, logs, logs_sensor, take_time, watch, watching};

use polder_model::facts::{Facts, PortVerdict, Protocol};
use polder_model::{
    EdgeId, Estimate, Evidence, InternetFacing, Model, NodeId, NodeKind, Range, Settings,
    VariableId,
};
use std::collections::BTreeMap;

/// Where things stand on the graph.
pub struct Estate {
    /// Services that listen, by name.
    pub services: BTreeMap<String, Service>,
    /// Anybody on the Internet.
    pub internet: NodeId,
    /// Can send packets to the host.
    pub public: NodeId,
    /// Runs code on the host, so can talk to what listens on loopback.
    pub local: NodeId,
    /// Controls the host.
    pub root: NodeId,
}

impl Estate {
    /// Builds the graph from facts.
    pub fn build(facts: &Facts, settings: &Settings, model: &mut Model) -> Self {
        let graph = &mut model.graph;
        let host = facts.host_name().to_string();
        let internet = graph.node(NodeKind::Internet, "internet", "anybody on the Internet");
        let public = graph.node(NodeKind::Zone, "zone:public", format!("sends packets to {host}"));
        let local =
            graph.node(NodeKind::Zone, "zone:local", format!("talks to services on {host} itself"));
        let root = graph.node(NodeKind::Root, "root", format!("controls {host} as root"));
        graph.goal(&root, format!("control of {host}"));
        let services = services(facts);
        let estate = Self { services, internet, public, local, root };
        estate.zones(facts, settings, model);
        estate.users(facts, model);
        estate.listeners(facts, model);
        estate.stores(facts, model);
        estate
    }

    /// Runs code as a user of the host.
    pub fn user(&self, model: &mut Model, name: &str) -> NodeId {
        if name == "root" {
            return self.root.clone();
        }
        let id = format!("user:{name}");
        let is_new = model.graph.find_node(&NodeId(id.clone())).is_none();
        let node = model.graph.node(NodeKind::User, id, format!("runs code as `{name}`"));
        if is_new {
            let evidence = Evidence::command("every user can open local connections", "ss -tln");
            model.graph.edge(
                &node,
                &self.local,
                "loopback",
                "connects to local services",
                Vec::new(),
                evidence,
            );
        }
        node
    }

    /// Runs code in a service.
    pub fn process(&self, name: &str) -> NodeId {
        NodeId(format!("proc:{name}"))
    }

    /// Does everything a database or broker allows.
    pub fn admin(&self, server: &str) -> NodeId {
        NodeId(format!("dbrole:{server}:admin"))
    }

    fn zones(&self, facts: &Facts, settings: &Settings, model: &mut Model) {
        let public_address = facts.addresses.rows.iter().find(|it| it.public);
        let evidence = match public_address {
            _ if settings.internet_facing == InternetFacing::Yes => {
                Evidence::file("`host.internet_facing` is yes", "polder.toml", None)
            }
            Some(it) => Evidence::file(
                format!("{} is a public address", it.address),
                "/proc/net/fib_trie",
                None,
            ),
            None => Evidence::file("all addresses are private", "/proc/net/fib_trie", None),
        };
        let graph = &mut model.graph;
        let needs = match (settings.internet_facing, public_address) {
            (InternetFacing::No, _) => return,
            (InternetFacing::Yes, _) | (InternetFacing::Auto, Some(_)) => Vec::new(),
            (InternetFacing::Auto, None) => vec![graph.variable(
                "forwarded",
                "a router outside forwards the Internet to this host",
                Estimate::judgement(
                    0.1,
                    0.4,
                    0.9,
                    "the host has private addresses only; whether a router forwards to it cannot be seen from here (setting `host.internet_facing`)",
                ),
            )],
        };
        graph.edge(&self.internet, &self.public, "route", "sends packets", needs, evidence);
    }

    /// People with a shell, and those whose code runs as root because a package source is trusted.
    fn users(&self, facts: &Facts, model: &mut Model) {
        let root_evidence = Evidence::command("root can do everything", "id -u root");
        for user in facts.users.rows.iter().filter(|user| user.is_person()) {
            let node = self.user(model, &user.name);
            let graph = &mut model.graph;
            let insider = graph.node(NodeKind::Insider, "insider", "somebody with an account here");
            let variable = graph.variable(
                format!("insider:{}", user.name),
                format!("the account `{}` is misused or stolen", user.name),
                Estimate::judgement(
                    0.0005,
                    0.003,
                    0.02,
                    "an account of a person is lost by phishing, malware or a grudge",
                ),
            );
            let says = format!("`{}` has the shell {}", user.name, user.shell);
            let evidence = Evidence::file(says, "/etc/passwd", Some(user.line));
            graph.edge(&insider, &node, "account", "misuses the account", vec![variable], evidence);
        }
        for origin in foreign_origins(facts) {
            let graph = &mut model.graph;
            let supplier = graph.node(
                NodeKind::Supplier,
                "supplier",
                "somebody whose packages this host installs",
            );
            let variable = graph.variable(
                format!("supplier:{origin}"),
                format!("packages of {origin} are tampered with"),
                Estimate::judgement(
                    0.0002,
                    0.001,
                    0.006,
                    "one source of packages outside the distribution, run as root when installed",
                ),
            );
            let evidence =
                Evidence::command(format!("packages come from {origin}"), "apt-cache policy");
            graph.edge(
                &supplier,
                &self.root,
                &format!("packages of {origin}"),
                "ships tampered packages",
                vec![variable],
                evidence,
            );
        }
        let kernel = model.graph.variable(
            "future:local",
            "a flaw not known today lets a local user become root",
            Estimate::published(
                Range::new(0.01, 0.06, 0.25),
                "CISA KEV 2025-08-25: 31 entries for the Linux kernel, 3 for sudo and polkit in five years; share that works here is judgement",
                "2025-08-25",
            ),
        );
        let users: Vec<NodeId> =
            model.graph.nodes_of(NodeKind::User).map(|node| node.id.clone()).collect();
        for user in users {
            self.local_flaw(model, &user, &kernel, &root_evidence);
        }
    }

    fn local_flaw(
        &self,
        model: &mut Model,
        user: &NodeId,
        variable: &VariableId,
        evidence: &Evidence,
    ) {
        let evidence_too = evidence.clone();
        let root = self.root.clone();
        targeted(&mut model.graph, user, &root, "local flaw", [0.05, 0.2, 0.5], evidence_too);
        model.graph.edge(
            user,
            &self.root,
            "unknown local flaw",
            "uses a local flaw that nobody knows today",
            vec![variable.clone()],
            evidence.clone(),
        );
    }

    fn listeners(&self, facts: &Facts, model: &mut Model) {
        for service in self.services.values() {
            let process = model.graph.node(
                NodeKind::Process,
                format!("proc:{}", service.name),
                format!("runs code in `{}`", service.name),
            );
            for listener in &service.listeners {
                self.listener(facts, service, listener, &process, model);
            }
            self.runs_as(facts, service, &process, model);
        }
    }

    fn listener(
        &self,
        facts: &Facts,
        service: &Service,
        listener: &polder_model::facts::Listener,
        process: &NodeId,
        model: &mut Model,
    ) {
        let graph = &mut model.graph;
        let short = listener.short();
        let node = graph.node(
            NodeKind::Listener,
            format!("listener:{short}"),
            format!("talks to `{}` on {short}", service.name),
        );
        let seen = Evidence::command(
            format!("`{}` listens on {}", service.name, shown_address(listener)),
            if listener.protocol == Protocol::Unix { "ss -xlp" } else { "ss -tulnp" },
        );
        if listener.protocol != Protocol::Unix {
            graph.edge(&self.local, &node, "loopback", "connects", Vec::new(), seen.clone());
        }
        if let Some((needs, because)) = outside(graph, listener, &short) {
            let evidence = Evidence::command(because, "nft list ruleset; iptables-save");
            graph.edge(&self.public, &node, "open port", "connects", needs, evidence);
        }
        let product = product_of(service, facts);
        let (title, estimate) = future_flaw(&product, service.package.is_some());
        let future = graph.variable(format!("future:{product}"), title, estimate);
        graph.edge(
            &node,
            process,
            "unknown flaw",
            format!("uses a flaw in `{product}` that nobody knows today"),
            vec![future],
            seen.clone(),
        );
        let what = format!("flaw in {product}");
        targeted(graph, &node, process, &what, [0.01, 0.05, 0.2], seen.clone());
        if service.runs_own_code {
            let what = "flaw in own code";
            targeted(graph, &node, process, what, [0.1, 0.3, 0.6], seen.clone());
            let own = graph.variable(
                format!("own-code:{}", service.name),
                format!("own code in `{}` has a flaw that is found and used", service.name),
                Estimate::judgement(
                    0.005,
                    0.03,
                    0.2,
                    "own code without a gate before it goes live",
                ),
            );
            graph.edge(&node, process, "own code", "uses a flaw in own code", vec![own], seen);
        }
    }

    /// From code in a service to its user, through whatever confines it.
    fn runs_as(&self, facts: &Facts, service: &Service, process: &NodeId, model: &mut Model) {
        let user = facts.user_name(service.uid);
        let evidence = Evidence::file(
            format!("`{}` runs as `{user}`", service.name),
            format!("/proc/{}/status", service.pid.unwrap_or(0)),
            None,
        );
        let node = self.user(model, &user);
        let features = features(facts, service);
        let escape = escape(&features);
        let kernel = VariableId("future:local".into());
        if escape.range.likely >= 1.0 {
            model.graph.edge(
                process,
                &node,
                "runs as",
                format!("acts as `{user}`"),
                Vec::new(),
                evidence.clone(),
            );
        } else {
            let graph = &mut model.graph;
            let sandbox = graph.node(
                NodeKind::Sandbox,
                format!("sandbox:{}", service.name),
                format!("runs code inside the sandbox of `{}`", service.name),
            );
            graph.edge(
                process,
                &sandbox,
                "confined",
                "is held in a sandbox",
                Vec::new(),
                evidence.clone(),
            );
            let variable = graph.variable(
                format!("escape:{}", service.name),
                format!("the sandbox of `{}` does not hold", service.name),
                escape,
            );
            graph.edge(
                &sandbox,
                &node,
                "escape",
                "breaks out of the sandbox",
                vec![variable],
                evidence.clone(),
            );
        }
        if node != self.root {
            self.local_flaw(model, &node, &kernel, &evidence);
        }
    }

    /// Data of database and broker servers: reached by whoever runs code in them, or as root.
    fn stores(&self, facts: &Facts, model: &mut Model) {
        for server in &facts.servers.rows {
            let id = server.id();
            let graph = &mut model.graph;
            let store = graph.node(
                NodeKind::Store,
                format!("store:{id}"),
                format!(
                    "reads and changes the data of {} {}",
                    server.engine.title(),
                    server.instance
                ),
            );
            graph.goal(&store, format!("data of {} ({})", server.engine.title(), server.instance));
            let folder = server.data_folder.clone().unwrap_or_else(|| "its data folder".into());
            let evidence = Evidence::file("data on this host", folder, None);
            graph.edge(
                &self.root,
                &store,
                "files",
                "reads the files",
                Vec::new(),
                evidence.clone(),
            );
            let admin = graph.node(
                NodeKind::DatabaseRole,
                format!("dbrole:{id}:admin"),
                format!("commands {} {} without limits", server.engine.title(), server.instance),
            );
            graph.edge(&admin, &store, "commands", "reads all data", Vec::new(), evidence.clone());
            let service =
                server.pid.and_then(|pid| self.services.values().find(|it| it.pids.contains(&pid)));
            if let Some(service) = service {
                let process = self.process(&service.name);
                model.graph.edge(
                    &process,
                    &admin,
                    "inside",
                    "acts as the server itself",
                    Vec::new(),
                    evidence,
                );
            }
        }
    }
}

/// A step that somebody takes who means this host and not just any: whether there is such a person
/// is one question for all of these steps, which therefore come together.
fn targeted(
    graph: &mut polder_model::Graph,
    from: &NodeId,
    to: &NodeId,
    what: &str,
    [low, likely, high]: [f64; 3],
    evidence: Evidence,
) {
    let class = graph.variable(
        "attacker:targeted",
        "somebody means this host in particular",
        Estimate::judgement(
            0.005,
            0.02,
            0.1,
            "share of hosts a year that an attacker picks on purpose; most are met by chance",
        ),
    );
    let finds = graph.variable(
        format!("targeted:{what}"),
        format!("who means this host finds a {what}"),
        Estimate::judgement(low, likely, high, "somebody who looks longer finds more"),
    );
    let (how, label) = (format!("targeted, {what}"), format!("searches for a {what}"));
    graph.edge(from, to, &how, label, vec![class, finds], evidence);
}

/// What decides whether a stranger reaches a listener; none when nobody does.
fn outside(
    graph: &mut polder_model::Graph,
    listener: &polder_model::facts::Listener,
    short: &str,
) -> Option<(Vec<VariableId>, String)> {
    match &listener.verdict {
        PortVerdict::Loopback | PortVerdict::Closed { .. } => None,
        PortVerdict::Open { because } => Some((Vec::new(), because.clone())),
        PortVerdict::Limited { because } => {
            let estimate = Estimate::judgement(
                0.005,
                0.03,
                0.15,
                "rules let some addresses in; an attacker must hold one of them",
            );
            let variable = graph.variable(
                format!("limited:{short}"),
                format!("an attacker holds an address that may reach {short}"),
                estimate,
            );
            Some((vec![variable], because.clone()))
        }
        PortVerdict::Unknown { because } => {
            let estimate =
                Estimate::judgement(0.3, 0.7, 1.0, "the packet filter could not be read");
            let variable = graph.variable(
                format!("unfiltered:{short}"),
                format!("the packet filter lets strangers reach {short}"),
                estimate,
            );
            Some((vec![variable], format!("whether it is filtered is not known ({because})")))
        }
    }
}

/// `127.0.0.1:5432` or a path.
pub fn shown_address(listener: &polder_model::facts::Listener) -> String {
    match listener.protocol {
        Protocol::Unix => listener.address.clone(),
        _ if listener.address.contains(':') => format!("[{}]:{}", listener.address, listener.port),
        _ => format!("{}:{}", listener.address, listener.port),
    }
}

/// Origins of packages other than the distribution's own.
fn foreign_origins(facts: &Facts) -> Vec<String> {
    let own = facts.system_row().map(|it| it.os_id.to_ascii_lowercase()).unwrap_or_default();
    let mut origins: Vec<String> = facts
        .indices
        .rows
        .iter()
        .map(|index| index.origin.clone())
        .filter(|origin| !origin.is_empty() && !origin.to_ascii_lowercase().contains(&own))
        .collect();
    origins.sort();
    origins.dedup();
    origins
}

/// Every edge into a node.
pub fn edges_into(model: &Model, node: &NodeId) -> Vec<EdgeId> {
    model.graph.edges().filter(|edge| edge.to == *node).map(|edge| edge.id.clone()).collect()
}
