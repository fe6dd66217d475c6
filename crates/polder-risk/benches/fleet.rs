//! Fleets made up for the benchmark: hosts in zones behind shared flaws.

#![allow(
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark prints, numbers its own parts and asks what it used"
)]

use polder_model::{Basis, Delay, Range};
use polder_risk::{Edit, Goal, Network, NetworkBuilder, Options, price_network, sensitivity};
use std::time::Instant;

/// Hosts in one zone.
const ZONE: u64 = 50;

/// Hosts that one pipeline deploys to: all fall with it.
const PIPELINE: u64 = 5_000;

/// A fleet: `hosts` in zones of fifty, one in five exposed, each with services of shared products.
///
/// Star zones: a host reaches its zone, the zone reaches its listeners; no pairs of hosts.
fn star(hosts: u64) -> (Network, Vec<Edit>) {
    let mut it = NetworkBuilder::default();
    let mut next = 0_u64;
    let mut name = || {
        next += 1;
        next.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    };
    let internet = it.node(name());
    it.source(internet);
    let public = it.node(name());
    it.edge(internet, public, &[], Delay::Minutes);
    // Flaws of forty products: one draw for the whole fleet.
    let wild: Vec<u32> = (0..40)
        .map(|_| it.variable_of(name(), name(), Range::new(0.01, 0.03, 0.1), Basis::Feed))
        .collect();
    let kernel = it.variable(name(), Range::new(0.01, 0.06, 0.25));
    let (hit_of, local_of) = (name(), name());
    let (mut zone, mut deploy, mut stolen) = (0, 0, 0);
    let mut edges_of_product: Vec<Vec<u32>> = vec![Vec::new(); 40];
    for host in 0..hosts {
        if host % ZONE == 0 {
            zone = it.node(name());
        }
        if host % PIPELINE == 0 {
            deploy = it.node(name());
            stolen = it.variable(name(), Range::new(0.05, 0.2, 0.5));
        }
        let root = it.node(name());
        it.goal(root, Goal::server());
        let users: Vec<u32> = (0..4).map(|_| it.node(name())).collect();
        for (at, user) in users.iter().enumerate() {
            let product = (host * 7 + at as u64 * 11) % 40;
            let (listener, process) = (it.node(name()), it.node(name()));
            it.edge(zone, listener, &[], Delay::Minutes);
            if host % 5 == 0 && at == 0 {
                it.edge(public, listener, &[], Delay::Minutes);
            }
            let hit = it.variable_of(name(), hit_of, Range::new(0.01, 0.05, 0.2), Basis::Judgement);
            let flaw = wild[product as usize];
            let edge = it.edge(listener, process, &[flaw, hit], Delay::Minutes);
            edges_of_product[product as usize].push(edge);
            let escape =
                it.variable_of(name(), local_of, Range::new(0.05, 0.2, 0.6), Basis::Judgement);
            it.edge(process, *user, &[escape], Delay::Minutes);
            it.edge(*user, root, &[kernel], Delay::Minutes);
            it.edge(*user, zone, &[], Delay::Minutes);
        }
        it.edge(root, zone, &[], Delay::Minutes);
        if host % 500 == 0 {
            it.edge(root, deploy, &[stolen], Delay::Minutes);
        }
        it.edge(deploy, root, &[stolen], Delay::Minutes);
    }
    let network = it.build();
    let mut edits = Vec::new();
    for at in 0..500_u64 {
        let mut edit = Edit { name: 1_000_000 + at, ..Edit::default() };
        match at % 5 {
            0 => edit.thinned = vec![(wild[(at / 5 % 40) as usize], Range::new(0.1, 0.3, 0.6))],
            1 => edit.thinned = vec![(kernel, Range::new(0.3, 0.5, 0.9))],
            _ => {
                let list = &edges_of_product[(at % 40) as usize];
                let start = (at as usize * 13) % list.len().max(1);
                let place = |edge: &u32| network.place(*edge);
                edit.removed = list.iter().skip(start).take(20).map(place).collect();
            }
        }
        edits.push(edit);
    }
    (network, edits)
}

/// Times the engine on fleets.
fn main() {
    println!(
        "fleets of zones of {ZONE} hosts, a pipeline for {PIPELINE}; CPU seconds beside those of the clock"
    );
    let options = Options { blocks: 256, worlds_per_block: 256, ..Options::default() };
    for hosts in [1_000, 10_000, 100_000] {
        let start = Instant::now();
        let (network, edits) = star(hosts);
        let built = start.elapsed();
        let restore = Range::new(4.0, 48.0, 336.0).into();
        let price = |edits: &[Edit]| {
            let (start, busy) = (Instant::now(), cpu_seconds());
            let price = price_network(&network, edits, restore, options);
            (price, start.elapsed().as_secs_f64(), cpu_seconds() - busy)
        };
        let (base, clock, busy) = price(&[]);
        let (all, clock_all, busy_all) = price(&edits);
        println!(
            "{hosts:>7} hosts {:>9} steps: build {:.2} s; 65536 worlds {clock:.2} s, CPU {busy:.2} (any {:.4} +- {:.4}, harm {:.3}); with 500 treatments {clock_all:.2} s, CPU {busy_all:.2}",
            network.edge_count(),
            built.as_secs_f64(),
            base.any.mean,
            base.any.standard_error,
            base.harm,
        );
        // A new flaw of one product on one host: 4,096 pairs of worlds tell what it changes.
        let few = Options { blocks: 64, worlds_per_block: 64, ..options };
        let start = Instant::now();
        let changed = sensitivity(&network, 41, restore, few);
        let again = start.elapsed();
        println!(
            "        one changed fact: {:.3} s (harm {:+.4} +- {:.4} a year where it is true)",
            again.as_secs_f64(),
            changed.avoided,
            changed.standard_error,
        );
        let told = all.treatments.iter().filter(|it| it.is_told()).count();
        println!(
            "        {told} treatments told from nothing; at most {} MB of memory",
            peak_megabytes()
        );
    }
}

/// The most memory this process has held, as the kernel tells it (`VmHWM`, proc_pid_status(5)).
fn peak_megabytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|it| it.parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// CPU time of this process in all threads (`utime` and `stime`, proc_pid_stat(5), in hundredths).
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|it| it.parse::<f64>().ok()).sum::<f64>() / 100.0
}
