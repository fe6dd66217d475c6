//! Judges what can be reached from outside.

use crate::estate::{Service, shown_address};
use crate::least_access::servers::lets_strangers_in;
use crate::practice::Scene;
use polder_model::facts::{Access, Listener, PortVerdict, Protocol};
use polder_model::{Coverage, EdgeId, Estimate, Evidence, Finding, Model, NodeId};

/// Ports that strangers are meant to reach (IANA service names), by what serves them.
const PUBLIC: [(&str, u16); 18] = [
    ("tcp", 22),
    ("tcp", 25),
    ("tcp", 53),
    ("udp", 53),
    ("tcp", 80),
    ("tcp", 443),
    ("udp", 443),
    ("tcp", 465),
    ("tcp", 587),
    ("tcp", 993),
    ("tcp", 995),
    ("tcp", 143),
    ("tcp", 853),
    ("udp", 51820),
    ("udp", 1194),
    ("udp", 500),
    ("udp", 4500),
    ("tcp", 5222),
];

/// Clients of protocols that need an open UDP port and answer no strangers.
const CLIENT_PORTS: [u16; 3] = [68, 546, 5353];

pub(super) fn assess(scene: &Scene<'_>, model: &mut Model) {
    unknowns(scene, model);
    for service in scene.estate.services.values() {
        for listener in service.listeners.iter().filter(|it| it.protocol != Protocol::Unix) {
            let is_outside =
                !matches!(listener.verdict, PortVerdict::Loopback | PortVerdict::Closed { .. });
            if is_outside {
                outside(scene, service, listener, model);
            }
        }
    }
    ssh(scene, model);
    no_filter(scene, model);
}

fn unknowns(scene: &Scene<'_>, model: &mut Model) {
    let facts = scene.facts;
    if let Coverage::NotLooked { because, root_adds } = &facts.listeners.coverage {
        let remedy = root_adds.clone().map_or("mount /proc".to_string(), |_| "run as root".into());
        model.unknown_essential("expose", "what listens here", because.clone(), remedy);
    }
    if let Some(because) = facts.firewall.coverage.because()
        && !facts.firewall.coverage.empty_means_none()
    {
        let remedy = if facts.looker_uid == 0 {
            "install `nftables`, so that the rules can be listed"
        } else {
            "run as root"
        };
        model.unknown("expose", "which ports the packet filter closes", because, remedy);
    }
    if let Coverage::NotLooked { because, .. } = &facts.sshd.coverage {
        let what = "whether SSH takes passwords from strangers";
        model.unknown("expose", what, because.clone(), "run as root, or ask `sshd -T`");
    }
    if let Some(because) =
        facts.servers.coverage.because().filter(|_| !facts.servers.coverage.empty_means_none())
    {
        model.unknown(
            "expose",
            "which servers let anyone in",
            because,
            "run as root on the running host",
        );
    }
    for server in &facts.servers.rows {
        if let Access::Unknown { because } = &server.access {
            let what =
                format!("whether {} {} asks who is there", server.engine.title(), server.instance);
            model.unknown("expose", what, because.clone(), "look at its configuration by hand");
        }
    }
}

fn is_public(scene: &Scene<'_>, listener: &Listener) -> bool {
    let short = listener.short();
    scene.settings.public_ports.contains(&short)
        || PUBLIC.contains(&(listener.protocol.family_free(), listener.port))
        || (listener.protocol.family_free() == "udp" && CLIENT_PORTS.contains(&listener.port))
}

fn outside(scene: &Scene<'_>, service: &Service, listener: &Listener, model: &mut Model) {
    let short = listener.short();
    let node = NodeId(format!("listener:{short}"));
    let edges: Vec<EdgeId> = model.graph.edges_between(&scene.estate.public, &node).collect();
    let (reach, because) = match &listener.verdict {
        PortVerdict::Open { because } => ("can be reached from outside", because.clone()),
        PortVerdict::Limited { because } => {
            ("can be reached from some addresses outside", because.clone())
        }
        PortVerdict::Unknown { because } => ("may be reached from outside", because.clone()),
        PortVerdict::Loopback | PortVerdict::Closed { .. } => return,
    };
    let server = scene
        .facts
        .servers
        .rows
        .iter()
        .find(|it| it.pid.is_some_and(|pid| service.pids.contains(&pid)));
    let open = server.and_then(|it| Some((it, lets_strangers_in(it)?)));
    let bound = Evidence::command(
        format!("`{}` listens on {}", service.name, shown_address(listener)),
        "ss -tulnp",
    );
    let filter = Evidence::command(because, "nft list ruleset; iptables-save");
    let (kind, says) = match open {
        Some((server, _)) => (
            "expose/unauthenticated",
            format!("{} on {short} {reach} and lets anyone in", server.engine.title()),
        ),
        None if is_public(scene, listener) => return,
        None => ("expose/listener", format!("`{}` on {short} {reach}", service.name)),
    };
    let mut finding =
        Finding::new(kind, format!("listener:{short}"), says).because(bound).because(filter);
    if let Some((server, because)) = open {
        finding = finding.because(Evidence::answer(because, server.id()));
    }
    if listener.pids.is_empty() {
        finding = finding.because(Evidence::command(
            format!("the process that holds socket {} cannot be seen", listener.inode),
            "ss -tulnp",
        ));
    }
    // The same port over IPv4 and IPv6 is one finding.
    let finding = finding.opening(edges);
    match model.findings.iter_mut().find(|it| it.id == finding.id) {
        Some(known) => known.evidence.extend(finding.evidence.into_iter().take(1)),
        None => model.findings.push(finding),
    }
}

fn ssh(scene: &Scene<'_>, model: &mut Model) {
    let settings = &scene.facts.sshd.rows;
    let get = |name: &str| settings.iter().find(|it| it.name == name);
    let Some(password) = get("passwordauthentication") else { return };
    let service = scene.estate.services.values().find(|it| it.name.starts_with("ssh"));
    let Some(service) = service.filter(|it| it.is_exposed()) else { return };
    let is_on = |name: &str| get(name).is_some_and(|it| it.value == "yes");
    let takes_passwords =
        is_on("passwordauthentication") || is_on("kbdinteractiveauthentication") && is_on("usepam");
    let users = password_users(scene, is_on("permitrootlogin"));
    let estimate = if takes_passwords {
        Estimate::judgement(
            0.003,
            0.015,
            0.08,
            "guessing of passwords goes on around the clock; DBIR 2026: credentials are 13 % of initial access",
        )
    } else {
        Estimate::judgement(0.0001, 0.0004, 0.002, "keys only: a key must be stolen first")
    };
    let variable = model.graph.variable(
        "ssh-login",
        "an attacker logs in over SSH with a guessed or stolen secret",
        estimate,
    );
    let mut edges = Vec::new();
    let with_keys = scene.facts.authorized_keys.rows.iter().map(|it| it.user.clone());
    let mut all: Vec<String> =
        users.iter().filter(|&_| takes_passwords).cloned().chain(with_keys).collect();
    all.sort();
    all.dedup();
    for port in service.ports() {
        let listener = NodeId(format!("listener:{port}"));
        for user in &all {
            let node = scene.estate.user(model, user);
            let evidence = Evidence::command(
                format!("{} {}", password.name, password.value),
                password.known_from.clone(),
            );
            edges.push(model.graph.edge(
                &listener,
                &node,
                "login",
                format!("logs in as `{user}`"),
                vec![variable.clone()],
                evidence,
            ));
        }
    }
    if !takes_passwords || users.is_empty() {
        return;
    }
    let says = format!("SSH takes passwords from strangers for {}", users.join(", "));
    let mut finding = Finding::new("expose/ssh-password", "sshd", says).opening(edges);
    for name in ["passwordauthentication", "kbdinteractiveauthentication", "permitrootlogin"] {
        if let Some(it) = get(name) {
            finding = finding.because(Evidence::command(
                format!("{} {}", it.name, it.value),
                it.known_from.clone(),
            ));
        }
    }
    model.findings.push(finding);
}

/// Accounts that a guessed password would open.
fn password_users(scene: &Scene<'_>, root_may: bool) -> Vec<String> {
    scene
        .facts
        .users
        .rows
        .iter()
        .filter(|user| user.has_shell() && (user.uid != 0 || root_may))
        .filter(|user| user.password != polder_model::facts::Password::Locked)
        .map(|user| user.name.clone())
        .collect()
}

fn no_filter(scene: &Scene<'_>, model: &mut Model) {
    let facts = scene.facts;
    let is_known = facts.firewall.coverage.empty_means_none();
    let filters = facts.firewall.rows.iter().any(|it| {
        it.hook == "input" && it.policy == "drop"
            || matches!(it.verdict.as_str(), "drop" | "reject")
    });
    let exposed = scene.estate.services.values().any(Service::is_exposed);
    if !is_known
        || filters
        || !exposed
        || facts.system_row().is_none_or(|it| it.kernel_release.is_empty())
    {
        return;
    }
    let evidence = Evidence::command("no rule drops anything", "nft list ruleset; iptables-save");
    model.findings.push(
        Finding::new(
            "expose/no-filter",
            "host",
            "no packet filter stands before the host: whatever listens can be reached",
        )
        .because(evidence),
    );
}
