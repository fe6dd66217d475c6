//! Proposes to bind elsewhere, to filter, to take keys only.

use crate::practice::Scene;
use polder_model::facts::{Engine, Server};
use polder_model::{
    Change, Check, Finding, Model, Op, PackageManager, Range, SetLine, Treatment, VariableId,
};

pub(super) fn treat(finding: &Finding, scene: &Scene<'_>, model: &Model) -> Vec<Treatment> {
    match finding.kind.as_str() {
        "expose/listener" | "expose/unauthenticated" => {
            let mut all = vec![filter(finding, scene)];
            all.extend(bind(finding, scene));
            all
        }
        "expose/ssh-password" => vec![keys_only(model, scene)],
        "expose/no-filter" => vec![default_drop(scene)],
        _ => Vec::new(),
    }
}

fn port_of(finding: &Finding) -> Option<(&str, &str)> {
    finding.subject.strip_prefix("listener:")?.split_once('/')
}

/// A rule that drops what comes to one port from outside.
fn filter(finding: &Finding, scene: &Scene<'_>) -> Treatment {
    let (protocol, port) = port_of(finding).unwrap_or(("tcp", "0"));
    let name = format!("polder_{protocol}_{port}");
    let treatment = Treatment::new(
        format!("close:{protocol}/{port}"),
        format!("Close {protocol}/{port} to strangers"),
        [0.1, 0.3, 1.0],
    )
    .decide(format!(
        "Who needs {protocol}/{port}? Add their addresses to the rule before it is loaded"
    ))
    .verify(format!("`polder look listeners` shows {protocol}/{port} as closed"))
    .may_break("some", "clients on other hosts that use the port lose it");
    let rules = format!(
        "table inet {name} {{\n  chain input {{\n    type filter hook input priority -10; policy accept;\n    ct state established,related accept\n    iifname != \"lo\" {protocol} dport {port} drop\n  }}\n}}\n"
    );
    // What cannot be seen, or lets people in, may be the way its maker came.
    let is_way_in = scene.facts.listeners.rows.iter().any(|it| {
        it.short() == format!("{protocol}/{port}")
            && it.process.as_deref().is_none_or(|it| it.contains("ssh") || it == "systemd")
    });
    let treatment = if is_way_in { treatment.may_lock_out() } else { treatment };
    load(treatment, scene, &name, &rules).removing(&finding.opens)
}

/// Loads one table of rules now and, where systemd runs, at each boot.
fn load(treatment: Treatment, scene: &Scene<'_>, name: &str, rules: &str) -> Treatment {
    let path = format!("/etc/nftables.d/{name}.nft");
    let unit = format!("{}.service", name.replace('_', "-"));
    let unit_path = format!("/etc/systemd/system/{unit}");
    let unit_text = format!(
        "[Unit]\nDescription=Rules of Polder: {name}\nDefaultDependencies=no\nBefore=network-pre.target\nWants=network-pre.target\nAfter=nftables.service\n\n[Service]\nType=oneshot\nExecStart=/usr/sbin/nft -f {path}\n\n[Install]\nWantedBy=sysinit.target\n"
    );
    let packages = PackageManager::of(scene.facts);
    let mut treatment = treatment
        .run(format!("{}; mkdir -p /etc/nftables.d", packages.install("nftables")))
        .write(path.clone(), rules)
        .run(format!("nft -c -f {path} && nft -f {path}"))
        .changing([
            Change::InstallPackages { names: vec!["nftables".into()] },
            Change::WriteFile { path: path.clone(), content: rules.into() },
            Change::Check { check: Check::Rules { path: path.clone() } },
            Change::LoadRules { table: format!("inet {name}"), path: path.clone() },
        ]);
    let mut undo = format!("nft delete table inet {name}; rm {path}");
    if scene.has_systemd() {
        treatment = treatment
            .write(unit_path.clone(), unit_text.clone())
            .run(format!("systemctl enable {unit}"))
            .changing([
                Change::WriteFile { path: unit_path.clone(), content: unit_text },
                Change::EnableUnit { unit: unit.clone(), enabled: true },
            ]);
        undo = format!("systemctl disable {unit}; rm {unit_path}; {undo}");
    } else {
        treatment = treatment.decide(format!(
            "Load `{path}` at each boot: systemd, which would do it, does not run here"
        ));
    }
    treatment.undo(undo)
}

/// A server on this host that only local programs need listens on loopback.
fn bind(finding: &Finding, scene: &Scene<'_>) -> Option<Treatment> {
    let (protocol, port) = port_of(finding)?;
    let suffix = format!(":{port}");
    let server = scene
        .facts
        .servers
        .rows
        .iter()
        .find(|it| it.addresses.iter().any(|it| it.ends_with(&suffix)))?;
    let (file, change, restart) = bind_change(server)?;
    let service =
        server.pid.and_then(|pid| scene.estate.services.values().find(|it| it.pids.contains(&pid)));
    let unit = service.and_then(|it| it.unit.clone()).filter(|_| scene.has_systemd());
    let line = |key: &str| SetLine { key: key.into(), line: change.clone() };
    let lines = match server.engine {
        Engine::Redis => vec![line("bind")],
        Engine::Postgresql => vec![line("listen_addresses")],
        Engine::Memcached => vec![line("-l")],
        _ => Vec::new(),
    };
    let changes = match unit {
        Some(unit) if !lines.is_empty() => {
            vec![Change::SetLines { path: file.clone(), lines }, Change::RestartUnit { unit }]
        }
        _ => Vec::new(),
    };
    Some(
        Treatment::new(
            format!("bind:{protocol}/{port}"),
            format!("Let {} listen on loopback only", server.engine.title()),
            [0.1, 0.3, 1.0],
        )
        .edit(file.clone(), change)
        .run(restart)
        .changing(changes)
        .undo_by(format!("take the line out of `{file}` again and restart"))
        .verify(format!("`ss -tln` shows port {port} on 127.0.0.1 only"))
        .may_break("some", "clients on other hosts lose it")
        .removing(&finding.opens),
    )
}

fn bind_change(server: &Server) -> Option<(String, String, String)> {
    let file =
        |fallback: &str| server.config_files.first().cloned().unwrap_or_else(|| fallback.into());
    let change = match server.engine {
        Engine::Postgresql => (
            file("postgresql.conf"),
            "listen_addresses = 'localhost'",
            "systemctl restart postgresql",
        ),
        Engine::Mariadb => (
            file("/etc/mysql/my.cnf"),
            "[mysqld] bind-address = 127.0.0.1",
            "systemctl restart mariadb",
        ),
        Engine::Redis => {
            (file("/etc/redis/redis.conf"), "bind 127.0.0.1 -::1", "systemctl restart redis-server")
        }
        Engine::Mosquitto => (
            file("/etc/mosquitto/mosquitto.conf"),
            "listener 1883 127.0.0.1",
            "systemctl restart mosquitto",
        ),
        Engine::Memcached => {
            (file("/etc/memcached.conf"), "-l 127.0.0.1", "systemctl restart memcached")
        }
        Engine::Nats => (
            file("/etc/nats-server.conf"),
            "listen: 127.0.0.1:4222",
            "systemctl restart nats-server",
        ),
        Engine::Mongodb => {
            (file("/etc/mongod.conf"), "net.bindIp: 127.0.0.1", "systemctl restart mongod")
        }
        Engine::Elasticsearch => (
            file("/etc/elasticsearch/elasticsearch.yml"),
            "network.host: 127.0.0.1",
            "systemctl restart elasticsearch",
        ),
        Engine::Rabbitmq => (
            file("/etc/rabbitmq/rabbitmq.conf"),
            "listeners.tcp.local = 127.0.0.1:5672",
            "systemctl restart rabbitmq-server",
        ),
    };
    Some((change.0, change.1.into(), change.2.into()))
}

fn keys_only(model: &Model, scene: &Scene<'_>) -> Treatment {
    const PATH: &str = "/etc/ssh/sshd_config.d/10-polder-keys-only.conf";
    const TEXT: &str = "PasswordAuthentication no\nKbdInteractiveAuthentication no\n";
    let changes = match scene.has_systemd() {
        true => vec![
            Change::WriteFile { path: PATH.into(), content: TEXT.into() },
            Change::Check { check: Check::Sshd },
            Change::ReloadUnit { unit: "ssh.service".into() },
        ],
        false => Vec::new(),
    };
    let treatment = Treatment::new("ssh-keys-only", "Let SSH take keys only", [0.3, 0.7, 2.0])
        .decide(
            "Log in with a key in a second session before you go on, and keep that session open",
        )
        .write(PATH, TEXT)
        .changing(changes)
        .may_lock_out()
        .run("sshd -t && systemctl reload ssh")
        .undo("rm /etc/ssh/sshd_config.d/10-polder-keys-only.conf && systemctl reload ssh")
        .verify("`sshd -T | grep -E '^(password|kbdinteractive)authentication'` says no twice")
        .may_break("high", "whoever has no key is locked out");
    let variable = VariableId("ssh-login".into());
    match model.graph.find_variable(&variable) {
        // From 0.3 to 8 % a year with passwords to 0.01 to 0.2 % with keys.
        Some(_) => treatment.effect(Op::Thin { variable, factor: Range::new(0.01, 0.03, 0.1) }),
        None => treatment,
    }
}

fn default_drop(scene: &Scene<'_>) -> Treatment {
    let mut ports: Vec<String> = scene
        .estate
        .services
        .values()
        .filter(|it| it.is_exposed())
        .flat_map(|it| it.listeners.iter().filter(|it| !it.is_local()).map(|it| it.short()))
        .collect();
    ports.sort();
    ports.dedup();
    let rules: String = ports
        .iter()
        .filter_map(|it| it.split_once('/'))
        .map(|(protocol, port)| format!("    {protocol} dport {port} accept\n"))
        .collect();
    let table = format!(
        "table inet polder_input {{\n  chain input {{\n    type filter hook input priority 0; policy drop;\n    ct state established,related accept\n    iifname \"lo\" accept\n    meta l4proto {{ icmp, ipv6-icmp }} accept\n{rules}  }}\n}}\n"
    );
    let treatment = Treatment::new(
        "filter:default-drop",
        "Let a packet filter drop what is not meant for strangers",
        [0.5, 1.0, 3.0],
    )
    .decide(format!("Which of {} are meant for strangers? Leave the others out", ports.join(", ")))
    .verify("`nft list ruleset` shows the chain with policy drop, and a new SSH session works")
    .may_break("high", "whatever is left out of the list is cut off, SSH included")
    .may_lock_out();
    load(treatment, scene, "polder_input", &table)
}
