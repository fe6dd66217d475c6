//! How long steps take, and who may notice an attacker while they take it.

use polder_model::facts::Facts;
use polder_model::{Delay, EdgeId, Estimate, Model, NodeId, NodeKind, Range, Sensor, SensorId};

/// Somebody notices who was not set to watch: a customer, a provider, an odd bill.
const BYSTANDER: &str = "sensor:bystander";
/// A check of files.
const INTEGRITY: &str = "sensor:integrity";
/// Logs and alerts that somebody else reads.
const LOGS: &str = "sensor:logs";

/// Says how long each step takes, by what it leads to.
///
/// Finding data worth taking and carrying it off takes hours to days; so does finding the backups.
/// The way from an account to root, and to a credential in a file, takes an hour or so. The rest is
/// done by programs.
pub(crate) fn take_time(model: &mut Model) {
    let kind = |id: &NodeId| model.graph.find_node(id).map(|it| it.kind);
    let delays: Vec<(EdgeId, Delay)> = model
        .graph
        .edges()
        .filter_map(|edge| {
            let delay = match (kind(&edge.from)?, kind(&edge.to)?) {
                (_, NodeKind::Store | NodeKind::Backup) => Delay::Day,
                (_, NodeKind::Credential) | (NodeKind::User, NodeKind::Root) => Delay::Hour,
                _ => return None,
            };
            Some((edge.id.clone(), delay))
        })
        .collect();
    for (edge, delay) in delays {
        model.graph.takes(&edge, delay);
    }
}

/// Adds what may notice: bystanders always, the host's own watchers where it has them.
pub(crate) fn watch(facts: &Facts, model: &mut Model) {
    let kinds = [NodeKind::Process, NodeKind::User, NodeKind::Root, NodeKind::DatabaseRole];
    let held: Vec<NodeId> = model
        .graph
        .nodes()
        .filter(|node| kinds.contains(&node.kind))
        .map(|node| node.id.clone())
        .collect();
    let dwell = "M-Trends 2025 and 2026: median dwell time 11 to 14 days, at most 7 days in 45 %";
    model.graph.sensor(Sensor {
        id: SensorId(BYSTANDER.into()),
        title: "somebody who was not set to watch".into(),
        watches: held.clone(),
        notices: Estimate::judgement(0.8, 0.9, 1.0, "most intrusions come out within a year"),
        hours: Estimate::published(Range::new(24.0, 288.0, 2160.0), dwell, "2026"),
    });
    let is_root_only = |node: &&NodeId| node.0 == "root";
    let looks_for = |what: &str| facts.watchers.rows.iter().any(|it| it.watches == what);
    let runs = |name: &str| facts.watchers.rows.iter().any(|it| it.name == name);
    let leaves = facts.watchers.rows.iter().any(|it| it.leaves_host);
    // Changed programs and settings need root, or the account that owns them.
    let changed: Vec<NodeId> = held.iter().filter(is_root_only).cloned().collect();
    for (id, title, watches, is_there, (notices, hours)) in [
        (
            INTEGRITY,
            "a check of the integrity of files",
            changed,
            looks_for("integrity"),
            if runs("polder-watch") { watching() } else { integrity() },
        ),
        (LOGS, "logs and alerts that leave the host", held, leaves, logs()),
    ] {
        let notices = if is_there { notices } else { Range::exactly(0.0) };
        let estimate = |range: Range, source: &str| {
            Estimate::judgement(range.low, range.likely, range.high, source)
        };
        model.graph.sensor(Sensor {
            id: SensorId(id.into()),
            title: title.into(),
            watches,
            notices: estimate(notices, "share of intrusions that leave traces where it looks"),
            hours: estimate(hours, "from the trace to somebody who has acted on the message"),
        });
    }
}

/// A nightly check of files: how often it notices, and after how many hours somebody has acted.
pub(crate) fn integrity() -> (Range, Range) {
    (Range::new(0.3, 0.6, 0.85), Range::new(4.0, 20.0, 96.0))
}

/// A watch that tells of changed files within seconds, of whatever writes a file: what is left is the time until
/// somebody reads it.
pub(crate) fn watching() -> (Range, Range) {
    (Range::new(0.35, 0.65, 0.9), Range::new(0.2, 4.0, 72.0))
}

/// Logs on another machine, with alerts: the same.
pub(crate) fn logs() -> (Range, Range) {
    (Range::new(0.2, 0.45, 0.7), Range::new(1.0, 12.0, 96.0))
}

/// Identity of the sensor of file checks.
pub(crate) fn integrity_sensor() -> SensorId {
    SensorId(INTEGRITY.into())
}

/// Identity of the sensor of logs.
pub(crate) fn logs_sensor() -> SensorId {
    SensorId(LOGS.into())
}
