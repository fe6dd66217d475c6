//! What a service's sandbox holds: what its unit asks for, and what its process really has.

use super::service::Service;
use polder_model::facts::{Facts, Namespace, Process, Unit};
use polder_model::{Estimate, Evidence};

/// One property of a sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feature {
    /// Its name, as systemd calls it.
    pub name: &'static str,
    /// What an attacker cannot do because of it.
    pub prevents: &'static str,
    /// Whether it holds.
    pub holds: bool,
    /// How that is known.
    pub evidence: Evidence,
}

/// Capabilities with which root on the host is near: everything but binding low ports and the like.
const HARMLESS_CAPABILITIES: u64 = 1 << 10 | 1 << 11 | 1 << 23;

/// Properties of a service's process, the most telling first.
pub fn features(facts: &Facts, service: &Service) -> Vec<Feature> {
    let Some(process) = service.pid.and_then(|pid| facts.process(pid)) else { return Vec::new() };
    let unit = unit_of(facts, service);
    let status = format!("/proc/{}/status", process.pid);
    let feature = |name, prevents, holds, says: String, path: &str| Feature {
        name,
        prevents,
        holds,
        evidence: Evidence::file(says, path, None),
    };
    let capabilities = process.capabilities & !HARMLESS_CAPABILITIES;
    let own_mounts = process.own_namespaces.contains(&Namespace::Mount);
    let (read_only, protects) = protect_system(unit, own_mounts);
    let mounts = format!("/proc/{}/ns/mnt", process.pid);
    vec![
        feature(
            "User",
            "acting as root at once",
            process.uid_effective != 0,
            format!("Uid {}", process.uid_effective),
            &status,
        ),
        feature(
            "CapabilityBoundingSet",
            "using root's powers",
            capabilities == 0,
            format!("CapEff {:016x}", process.capabilities),
            &status,
        ),
        feature(
            "NoNewPrivileges",
            "gaining rights through SUID programs",
            process.no_new_privs,
            format!("NoNewPrivs {}", u8::from(process.no_new_privs)),
            &status,
        ),
        feature(
            "SystemCallFilter",
            "reaching most of the kernel",
            process.seccomp == 2,
            format!("Seccomp {}", process.seccomp),
            &status,
        ),
        feature("ProtectSystem", "changing programs and settings", read_only, protects, &mounts),
        feature(
            "PrivateMounts",
            "seeing the whole file system",
            own_mounts || process.own_root,
            match (process.own_root, own_mounts) {
                (true, _) => "a root folder of its own".into(),
                (false, true) => "a mount namespace of its own".into(),
                (false, false) => "the mount namespace of the host".into(),
            },
            &mounts,
        ),
        feature(
            "PrivateNetwork",
            "reaching other hosts and local services",
            process.own_namespaces.contains(&Namespace::Network),
            "network namespace".into(),
            &format!("/proc/{}/ns/net", process.pid),
        ),
    ]
}

/// Whether its unit makes programs and settings read-only, and what it says.
fn protect_system(unit: Option<&Unit>, own_mounts: bool) -> (bool, String) {
    let Some(unit) = unit else { return (false, "no unit of systemd starts it".into()) };
    let value = unit.get("Service", "ProtectSystem").map_or("no", |it| it.value.as_str());
    (own_mounts && matches!(value, "full" | "strict"), format!("ProtectSystem={value}"))
}

fn unit_of<'a>(facts: &'a Facts, service: &Service) -> Option<&'a Unit> {
    let name = service.unit.as_ref()?;
    facts.units.rows.iter().find(|unit| unit.name == *name)
}

/// Process of the service, for rooms.
pub fn confinement<'a>(facts: &'a Facts, service: &Service) -> Option<&'a Process> {
    service.pid.and_then(|pid| facts.process(pid))
}

/// Probability that whoever runs code in the service gets out of its sandbox.
///
/// Certain without any property that confines; each one that holds takes a share [judgement].
pub fn escape(features: &[Feature]) -> Estimate {
    let share = |name: &str| match name {
        "SystemCallFilter" => (0.3, 0.5, 0.8),
        "NoNewPrivileges" => (0.6, 0.8, 0.95),
        "ProtectSystem" => (0.6, 0.8, 0.95),
        "PrivateMounts" => (0.6, 0.8, 0.95),
        "PrivateNetwork" => (0.3, 0.6, 0.9),
        _ => (1.0, 1.0, 1.0),
    };
    let mut range = (1.0, 1.0, 1.0);
    let mut held = Vec::new();
    // As root with all capabilities a mount namespace alone holds nobody.
    let is_bounded =
        features.iter().any(|it| matches!(it.name, "User" | "CapabilityBoundingSet") && it.holds);
    for feature in features.iter().filter(|it| it.holds && is_bounded) {
        let (low, likely, high) = share(feature.name);
        if likely < 1.0 {
            range = (range.0 * low, range.1 * likely, range.2 * high);
            held.push(feature.name);
        }
    }
    let source = match held.is_empty() {
        true => "nothing confines it".to_string(),
        false => format!("what holds: {}; the share each one takes is judgement", held.join(", ")),
    };
    Estimate::judgement(range.0, range.1, range.2, source)
}
