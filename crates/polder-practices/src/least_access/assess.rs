//! Judges rights of users and services on the host itself.

use crate::estate::Service;
use crate::practice::Scene;
use polder_model::facts::{Credential, CredentialClass, Influence, Password};
use polder_model::{
    Coverage, Estimate, Evidence, Finding, Model, NodeId, NodeKind, PackageManager,
};
use std::collections::BTreeMap;

/// Services that need root because they make other users' sessions, or are the system itself.
const ROOT_BY_NATURE: [&str; 16] = [
    "ssh",
    "sshd",
    "systemd",
    "init",
    "cron",
    "getty",
    "login",
    "dhclient",
    "dhcpcd",
    "rpcbind",
    "systemd-resolved",
    "systemd-networkd",
    "NetworkManager",
    "dockerd",
    "containerd",
    "master",
];

/// Most findings of one kind; a host with more has one problem that repeats.
const KIND_MAX: usize = 50;

pub(super) fn assess(scene: &Scene<'_>, model: &mut Model) {
    unknowns(scene, model);
    powers(scene, model);
    for service in scene.estate.services.values() {
        runs_as_root(scene, service, model);
    }
    foreign_privilege(scene, model);
    influences(scene, model);
    credentials(scene, model);
    empty_passwords(scene, model);
}

fn unknowns(scene: &Scene<'_>, model: &mut Model) {
    let facts = scene.facts;
    let looks: [(&str, &Coverage); 5] = [
        ("who can become root", &facts.powers.coverage),
        ("which files give their caller rights", &facts.privileged.coverage),
        ("which files let one user act as another", &facts.influences.coverage),
        ("which credentials lie in files", &facts.credentials.coverage),
        ("which accounts have no password", &facts.users.coverage),
    ];
    for (what, coverage) in looks {
        if coverage.empty_means_none() {
            continue;
        }
        let because = coverage.because().unwrap_or_default();
        let remedy =
            if coverage.root_adds().is_some() { "run as root" } else { "see `polder look`" };
        model.unknown("least-access", what, because, remedy);
    }
}

fn powers(scene: &Scene<'_>, model: &mut Model) {
    let mut by_user: BTreeMap<(&str, &str), Vec<&polder_model::facts::UserPower>> = BTreeMap::new();
    for power in &scene.facts.powers.rows {
        by_user.entry((&power.user, &power.becomes)).or_default().push(power);
    }
    for ((user, becomes), powers) in by_user {
        // A way that asks for no password counts most, then one that is certain.
        let Some(best) = powers.iter().min_by_key(|it| (!it.certain, it.needs_password)) else {
            continue;
        };
        let from = scene.estate.user(model, user);
        let to = scene.estate.user(model, becomes);
        let estimate = match (best.certain, best.needs_password) {
            (true, false) => None,
            (true, true) => Some(Estimate::judgement(
                0.3,
                0.6,
                0.9,
                "the user's own password must be caught first, which whoever runs code as the user can do",
            )),
            (false, _) => Some(Estimate::judgement(
                0.02,
                0.1,
                0.4,
                "the command that is allowed is no shell; whether it can be made one depends on it",
            )),
        };
        let needs: Vec<_> = estimate
            .map(|it| {
                model.graph.variable(
                    format!("power:{user}>{becomes}"),
                    format!("`{user}` is used to become `{becomes}`"),
                    it,
                )
            })
            .into_iter()
            .collect();
        let evidence: Vec<Evidence> = powers
            .iter()
            .take(6)
            .map(|it| {
                let asks = if it.needs_password { "" } else { ", no password asked" };
                let line = (it.line > 0).then_some(it.line);
                Evidence::file(format!("{} {}{asks}", it.through, it.detail), it.file.clone(), line)
            })
            .collect();
        let Some(first) = evidence.first().cloned() else { continue };
        let edge = model.graph.edge(
            &from,
            &to,
            &best.through,
            format!("becomes `{becomes}` by {}", best.through),
            needs,
            first,
        );
        if becomes != "root" {
            continue;
        }
        let password =
            if best.needs_password { "with their own password" } else { "without a password" };
        let sure = if best.certain { "can become" } else { "may be able to become" };
        let says = format!("`{user}` {sure} root {password}, by {}", best.through);
        let mut finding = Finding::new("least-access/becomes-root", user, says).opening([edge]);
        finding.evidence = evidence;
        model.findings.push(finding);
    }
}

fn runs_as_root(scene: &Scene<'_>, service: &Service, model: &mut Model) {
    let by_nature = ROOT_BY_NATURE
        .iter()
        .any(|it| service.name == *it || service.name.starts_with(&format!("{it}@")));
    if service.uid != 0 || service.pid.is_none() || by_nature {
        return;
    }
    let Some(process) = service.pid.and_then(|pid| scene.facts.process(pid)) else { return };
    let from = scene.estate.process(&service.name);
    let edges: Vec<_> = model
        .graph
        .edges()
        .filter(|it| it.from == from && it.to == scene.estate.root)
        .map(|it| it.id.clone())
        .collect();
    let says = format!(
        "`{}`, which listens on {}, runs as root",
        service.name,
        service.ports().join(", ")
    );
    model.findings.push(
        Finding::new("least-access/runs-as-root", &service.name, says)
            .because(Evidence::file(
                format!("effective user id 0, capabilities {:016x}", process.capabilities),
                format!("/proc/{}/status", process.pid),
                None,
            ))
            .opening(edges),
    );
}

fn foreign_privilege(scene: &Scene<'_>, model: &mut Model) {
    let facts = scene.facts;
    let users: Vec<NodeId> = model.graph.nodes_of(NodeKind::User).map(|it| it.id.clone()).collect();
    let foreign =
        facts.privileged.rows.iter().filter(|it| it.package_known && it.package.is_none());
    for file in foreign.take(KIND_MAX) {
        let mode = file.security.mode;
        let is_root = mode & 0o4000 != 0 && file.security.uid == 0 || file.capabilities.is_some();
        let runnable = mode & 0o001 != 0;
        let what = match &file.capabilities {
            Some(it) => format!("has the capabilities {it}"),
            None if mode & 0o4000 != 0 => {
                format!("runs as `{}`", facts.user_name(file.security.uid))
            }
            None => format!("runs with group {}", file.security.gid),
        };
        let evidence = Evidence::command(
            format!("mode {mode:04o}, owner {}", facts.user_name(file.security.uid)),
            format!("stat {}", file.path),
        );
        let mut edges = Vec::new();
        if is_root && runnable {
            let variable = model.graph.variable(
                format!("privileged:{}", file.path),
                format!("`{}` can be made to run something else", file.path),
                Estimate::judgement(
                    0.05,
                    0.3,
                    0.9,
                    "a file with root's rights that no vendor looks after; some are plain shells",
                ),
            );
            for user in &users {
                edges.push(model.graph.edge(
                    user,
                    &scene.estate.root,
                    &format!("file {}", file.path),
                    format!("misuses `{}`", file.path),
                    vec![variable.clone()],
                    evidence.clone(),
                ));
            }
        }
        let says = format!("`{}` {what}, and no package brought it", file.path);
        model.findings.push(
            Finding::new("least-access/foreign-privilege", &file.path, says)
                .because(evidence)
                .because(Evidence::command(
                    "no package lists it",
                    PackageManager::of(scene.facts).owner(&file.path),
                ))
                .opening(edges),
        );
    }
}

fn influences(scene: &Scene<'_>, model: &mut Model) {
    let mut by_place: BTreeMap<(&str, &str), Vec<&Influence>> = BTreeMap::new();
    for row in &scene.facts.influences.rows {
        by_place.entry((&row.path, &row.writer)).or_default().push(row);
    }
    for ((path, writer), rows) in by_place.into_iter().take(KIND_MAX) {
        let Some(first) = rows.first() else { continue };
        let writers: Vec<String> = match writer.strip_prefix('%') {
            Some(group) => scene
                .facts
                .groups
                .rows
                .iter()
                .find(|it| it.name == group)
                .map(|it| scene.facts.group_members(it))
                .unwrap_or_default(),
            None if writer == "everyone" => known_users(model),
            None => vec![writer.to_string()],
        };
        let to = scene.estate.user(model, &first.obeyed_by);
        let evidence = Evidence::command(first.how.clone(), format!("stat {path}"));
        let mut edges = Vec::new();
        for user in writers.iter().filter(|user| **user != first.obeyed_by && *user != "root") {
            let from = scene.estate.user(model, user);
            edges.push(model.graph.edge(
                &from,
                &to,
                &format!("writes {path}"),
                format!("changes `{path}`, which {}", first.how),
                Vec::new(),
                evidence.clone(),
            ));
        }
        let who = if writer == "everyone" { "everyone".to_string() } else { format!("`{writer}`") };
        let says = format!("{who} can write `{path}`, which `{}` obeys", first.obeyed_by);
        let mut finding =
            Finding::new("least-access/writable-by-another", path, says).opening(edges);
        finding.evidence = rows
            .iter()
            .take(4)
            .map(|it| Evidence::command(it.how.clone(), format!("stat {path}")))
            .collect();
        model.findings.push(finding);
    }
}

fn credentials(scene: &Scene<'_>, model: &mut Model) {
    let mut by_file: BTreeMap<&str, Vec<&Credential>> = BTreeMap::new();
    for row in &scene.facts.credentials.rows {
        by_file.entry(&row.path).or_default().push(row);
    }
    let mut count = 0;
    for (path, rows) in by_file {
        let Some(first) = rows.first() else { continue };
        let everyone = first.readers.iter().any(|it| it == "everyone");
        let owner = scene.facts.user_name(first.security.uid);
        // A service reads its own configuration through its group; a person need not.
        let is_person = |name: &String| {
            scene.facts.users.rows.iter().any(|it| it.name == *name && it.is_person())
        };
        let others: Vec<&String> =
            first.readers.iter().filter(|it| **it != owner && is_person(it)).collect();
        let is_bare_key = rows.iter().any(|it| it.class == CredentialClass::PrivateKeyBare);
        if others.is_empty() && !everyone
            || (everyone && scene.facts.owners.contains_key(path) && !is_configuration(path))
        {
            continue;
        }
        count += 1;
        if count > KIND_MAX {
            break;
        }
        let node = model.graph.node(
            NodeKind::Credential,
            format!("cred:{path}"),
            format!("holds the {} in `{path}`", first.class.says()),
        );
        let evidence =
            Evidence::file(format!("{} ({})", first.name, first.class.says()), path, first.line);
        let readers = if everyone { known_users(model) } else { first.readers.clone() };
        let mut edges = Vec::new();
        for reader in &readers {
            let from = scene.estate.user(model, reader);
            edges.push(model.graph.edge(
                &from,
                &node,
                "reads",
                format!("reads `{path}`"),
                Vec::new(),
                evidence.clone(),
            ));
        }
        opens(scene, model, &node, &rows, &evidence);
        let who = if everyone {
            "everyone on this host".to_string()
        } else {
            others.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ")
        };
        let what =
            if is_bare_key { "a private key without passphrase" } else { first.class.says() };
        let says = format!("{who} can read the {} in `{path}`", what.trim_start_matches("a "));
        model.findings.push(credential_finding(path, &says, &rows, &owner).opening(edges));
    }
}

fn credential_finding(path: &str, says: &str, rows: &[&Credential], owner: &str) -> Finding {
    let mut finding = Finding::new("least-access/readable-credential", path, says);
    for row in rows.iter().take(4) {
        let opens = row.opens.as_ref().map_or(String::new(), |it| format!(", opens {it}"));
        finding = finding.because(Evidence::file(
            format!("{}: {}{opens}", row.name, row.class.says()),
            path,
            row.line,
        ));
    }
    let Some(first) = rows.first() else { return finding };
    let (mode, gid) = (first.security.mode, first.security.gid);
    finding.because(Evidence::command(
        format!("mode {mode:04o}, owner `{owner}`, group {gid}"),
        format!("stat {path}"),
    ))
}

/// Names of the users that stand on the graph.
fn known_users(model: &Model) -> Vec<String> {
    model
        .graph
        .nodes_of(NodeKind::User)
        .filter_map(|it| it.id.0.strip_prefix("user:").map(str::to_string))
        .collect()
}

fn is_configuration(path: &str) -> bool {
    path.starts_with("/etc/") && !path.starts_with("/etc/ssl/")
}

/// A database password opens the servers of this host of its kind.
fn opens(
    scene: &Scene<'_>,
    model: &mut Model,
    node: &NodeId,
    rows: &[&Credential],
    evidence: &Evidence,
) {
    if !rows.iter().any(|it| it.class == CredentialClass::DatabasePassword) {
        return;
    }
    for server in &scene.facts.servers.rows {
        let store = NodeId(format!("store:{}", server.id()));
        if model.graph.find_node(&store).is_none() {
            continue;
        }
        let variable = model.graph.variable(
            format!("opens:{node}>{}", server.id()),
            format!("the password found opens {}", server.engine.title()),
            Estimate::judgement(
                0.2,
                0.5,
                0.9,
                "a database password in a file of this host, and a database on this host",
            ),
        );
        model.graph.edge(
            node,
            &store,
            "password",
            format!("logs in to {} with it", server.engine.title()),
            vec![variable],
            evidence.clone(),
        );
    }
}

fn empty_passwords(scene: &Scene<'_>, model: &mut Model) {
    for user in
        scene.facts.users.rows.iter().filter(|it| it.password == Password::Empty && it.has_shell())
    {
        let to = scene.estate.user(model, &user.name);
        let evidence = Evidence::file("the password field is empty", "/etc/shadow", None);
        let users: Vec<NodeId> = model
            .graph
            .nodes_of(NodeKind::User)
            .filter(|it| it.id != to)
            .map(|it| it.id.clone())
            .collect();
        let edges: Vec<_> = users
            .iter()
            .map(|from| {
                model.graph.edge(
                    from,
                    &to,
                    "no password",
                    format!("becomes `{}` without a password", user.name),
                    Vec::new(),
                    evidence.clone(),
                )
            })
            .collect();
        let says = format!("the account `{}` needs no password", user.name);
        model.findings.push(
            Finding::new("least-access/empty-password", &user.name, says)
                .because(evidence)
                .opening(edges),
        );
    }
}
