//! Services: processes grouped by what they listen on together.

use polder_model::facts::{Facts, Listener, PortVerdict, Process, Protocol};
use std::collections::{BTreeMap, BTreeSet};

/// One service with all its processes and listeners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Unit name, or the name of the program.
    pub name: String,
    /// The unit that starts it, where systemd does.
    pub unit: Option<String>,
    /// Process that is judged: the one that serves, not its supervisor.
    pub pid: Option<u32>,
    /// All processes.
    pub pids: BTreeSet<u32>,
    /// User id of the one that is judged.
    pub uid: u32,
    /// Executable of the one that is judged.
    pub executable: Option<String>,
    /// Package of the executable.
    pub package: Option<String>,
    /// Sockets.
    pub listeners: Vec<Listener>,
    /// Whether it runs code of the owner: an application server or interpreter.
    pub runs_own_code: bool,
}

impl Service {
    /// Whether a stranger may reach it, as far as the packet filter tells.
    pub fn is_exposed(&self) -> bool {
        self.listeners.iter().any(|it| {
            matches!(
                it.verdict,
                PortVerdict::Open { .. }
                    | PortVerdict::Limited { .. }
                    | PortVerdict::Unknown { .. }
            )
        })
    }

    /// Names of its sockets, each once.
    pub fn ports(&self) -> Vec<String> {
        let mut ports: Vec<String> = self.listeners.iter().map(Listener::short).collect();
        ports.sort();
        ports.dedup();
        ports
    }
}

/// Programs that run the owner's code.
const INTERPRETERS: [&str; 12] = [
    "php-fpm", "php-cgi", "node", "python", "ruby", "puma", "unicorn", "gunicorn", "uwsgi", "java",
    "perl", "deno",
];

/// Everything that listens on TCP, UDP, or a Unix socket of an application server.
pub fn services(facts: &Facts) -> BTreeMap<String, Service> {
    let mut services: BTreeMap<String, Service> = BTreeMap::new();
    for listener in &facts.listeners.rows {
        let holders: Vec<&Process> =
            listener.pids.iter().filter_map(|pid| facts.process(*pid)).collect();
        let is_application = holders.iter().any(|it| is_interpreter(it));
        if listener.protocol == Protocol::Unix && !is_application {
            continue;
        }
        let name = name_of(listener, &holders);
        let service = services.entry(name.clone()).or_insert_with(|| Service {
            name,
            unit: None,
            pid: None,
            pids: BTreeSet::new(),
            uid: listener.uid,
            executable: None,
            package: listener.package.clone(),
            listeners: Vec::new(),
            runs_own_code: is_application,
        });
        service.listeners.push(listener.clone());
        service.pids.extend(holders.iter().map(|it| it.pid));
        if service.unit.is_none() {
            service.unit =
                holders.iter().find_map(|it| it.unit.clone()).filter(|it| it.ends_with(".service"));
        }
    }
    for service in services.values_mut() {
        judge_process(facts, service);
    }
    services
}

fn name_of(listener: &Listener, holders: &[&Process]) -> String {
    let unit =
        holders.iter().find_map(|it| it.unit.as_deref()).filter(|it| it.ends_with(".service"));
    if let Some(unit) = unit {
        return unit.trim_end_matches(".service").to_string();
    }
    match holders.first() {
        Some(process) => program(process),
        None => format!("unknown ({})", listener.short()),
    }
}

/// Name of the program: that of the process, which tells `redis-server` from `redis-check-rdb`.
fn program(process: &Process) -> String {
    let executable = process.executable.as_deref().and_then(|it| it.rsplit('/').next());
    let first = process.command.split(' ').next().unwrap_or_default();
    let typed = first.rsplit('/').next().unwrap_or_default().trim_end_matches(':');
    match executable {
        // A kernel name is cut at 15 bytes and may be any title.
        Some(name) if name.starts_with(process.name.as_str()) || typed != process.name => {
            name.into()
        }
        Some(_) if !typed.is_empty() => typed.into(),
        _ => process.name.clone(),
    }
}

fn is_interpreter(process: &Process) -> bool {
    let name = process.executable.as_deref().and_then(|it| it.rsplit('/').next());
    let name = name.unwrap_or(&process.name);
    INTERPRETERS.iter().any(|it| {
        name == *it
            || name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.') == *it
            || name.starts_with(&format!("{it}-"))
    })
}

/// Chooses the process that serves strangers: a worker that gave up root rather than its master.
fn judge_process(facts: &Facts, service: &mut Service) {
    let processes: Vec<&Process> =
        service.pids.iter().filter_map(|pid| facts.process(*pid)).collect();
    let children: Vec<&Process> = facts
        .processes
        .rows
        .iter()
        .filter(|it| service.pids.contains(&it.parent))
        .filter(|child| {
            processes.iter().any(|it| it.executable.is_some() && it.executable == child.executable)
        })
        .collect();
    let all = || processes.iter().chain(&children);
    let worker = all().find(|it| it.uid_effective != 0 && hands_over(&service.name));
    if let Some(process) = worker.or_else(|| processes.first()) {
        service.pid = Some(process.pid);
        service.uid = process.uid_effective;
        service.executable.clone_from(&process.executable);
        let owner = process.executable.as_ref().and_then(|it| facts.owners.get(it));
        service.package = owner.cloned().or_else(|| service.package.take());
    }
    service.pids.extend(children.iter().map(|it| it.pid));
}

/// Servers whose master keeps root and whose workers, as another user, do all the talking.
fn hands_over(name: &str) -> bool {
    ["nginx", "apache2", "httpd", "php", "haproxy", "vsftpd", "dovecot"]
        .iter()
        .any(|it| name.starts_with(it))
}

/// The program by which a service's flaws are counted.
pub fn product_of(service: &Service, facts: &Facts) -> String {
    let process = service.pid.and_then(|pid| facts.process(pid));
    process.map_or_else(|| service.name.clone(), program)
}
