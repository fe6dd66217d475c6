//! Proposes a drop-in that confines a service.

use crate::practice::Scene;
use polder_model::{Change, Finding, Model, Op, Range, Treatment, VariableId};

/// Settings that most services bear, in the order of systemd.exec(5).
const COMMON: &str = "NoNewPrivileges=yes\nProtectSystem=strict\nProtectHome=yes\nPrivateTmp=yes\nPrivateDevices=yes\nProtectKernelTunables=yes\nProtectKernelModules=yes\nProtectKernelLogs=yes\nProtectControlGroups=yes\nProtectClock=yes\nProtectHostname=yes\nRestrictSUIDSGID=yes\nRestrictNamespaces=yes\nRestrictRealtime=yes\nLockPersonality=yes\nRestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK\nSystemCallArchitectures=native\nSystemCallFilter=@system-service\nSystemCallErrorNumber=EPERM\n";

pub(super) fn treat(finding: &Finding, scene: &Scene<'_>, model: &Model) -> Vec<Treatment> {
    let name = &finding.subject;
    let Some(service) = scene.estate.services.get(name) else { return Vec::new() };
    let folder = scene
        .facts
        .servers
        .rows
        .iter()
        .find(|it| it.pid.is_some_and(|pid| service.pids.contains(&pid)))
        .and_then(|it| it.data_folder.clone());
    let writable = folder.map_or(String::new(), |it| format!("ReadWritePaths={it}\n"));
    let treatment =
        Treatment::new(format!("confine:{name}"), format!("Confine `{name}`"), [0.5, 1.5, 4.0]);
    let unit = service.unit.clone().or_else(|| unit_for(scene, name));
    let treatment = match unit {
        Some(unit) => {
            let path = format!("/etc/systemd/system/{unit}.d/50-polder-confine.conf");
            let text = format!("[Service]\n{COMMON}{writable}");
            let mut treatment = treatment.write(path.clone(), text.clone());
            if service.unit.is_some() && scene.has_systemd() {
                treatment = treatment.changing([
                    Change::WriteFile { path: path.clone(), content: text },
                    Change::RestartUnit { unit: unit.clone() },
                ]);
            }
            let treatment = match service.unit.is_some() {
                true => treatment,
                false => treatment.decide(format!("Let systemd start it by `{unit}`: what runs now was started without it")),
            };
            treatment
                .run(format!("systemctl daemon-reload && systemctl restart {unit}"))
                .undo(format!("rm {path} && systemctl daemon-reload && systemctl restart {unit}"))
                .verify(format!("`systemd-analyze security {unit}`, and the service still answers"))
        }
        None => treatment
            .decide("No unit of systemd starts it. Start it inside `bwrap --unshare-pid --ro-bind / / --bind ITS_DATA ITS_DATA --proc /proc --dev /dev`, or give it a unit")
            .undo_by("start it the way it was started before")
            .verify(format!("`polder look processes` shows namespaces of its own for `{name}`")),
    };
    let mut treatment = treatment.may_break(
        "some",
        "a folder it writes to may be missing from ReadWritePaths; its log names the path",
    );
    let variable = VariableId(format!("escape:{name}"));
    treatment = match model.graph.find_variable(&variable) {
        Some(_) => treatment.effect(Op::Thin { variable, factor: Range::new(0.1, 0.3, 0.6) }),
        None => treatment,
    };
    // Without any sandbox the step is certain: there the share that still gets out is thinned.
    let certain: Vec<_> = finding
        .opens
        .iter()
        .filter(|edge| model.graph.find_edge(edge).is_some_and(|it| it.needs.is_empty()))
        .collect();
    for edge in certain {
        treatment.ops.push(Op::ThinEdge { edge: edge.clone(), factor: Range::new(0.05, 0.2, 0.5) });
    }
    vec![treatment]
}

/// The unit that would start a program: by its name, or its instance.
fn unit_for(scene: &Scene<'_>, name: &str) -> Option<String> {
    let rows = &scene.facts.units.rows;
    let by_name = |it: &&polder_model::facts::Unit| {
        it.name == format!("{name}.service") && !it.masked && !it.settings.is_empty()
    };
    let by_program = |it: &&polder_model::facts::Unit| {
        it.name.ends_with(".service")
            && !it.name.contains('@')
            && it.list("Service", "ExecStart").iter().any(|command| {
                let program = command.split(' ').next().unwrap_or_default();
                program.rsplit('/').next() == Some(name)
            })
    };
    rows.iter().find(by_name).or_else(|| rows.iter().find(by_program)).map(|it| it.name.clone())
}
