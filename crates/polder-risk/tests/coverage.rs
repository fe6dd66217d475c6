//! The 95 % interval of a sampled figure holds the exact value in about 95 of 100 runs.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test may panic and print")]

use polder_risk::{Band, GraphForm, Method, Options, Request, price};

fn any(text: &str, seed: u64, worlds_per_block: u64, exact: bool) -> Band {
    let it = GraphForm::parse(text).unwrap().build().unwrap();
    let options = Options { seed, blocks: 32, worlds_per_block, exact, ..Options::default() };
    price(&it.graph, it.restore, &[], &Request::first(0), options).any
}

/// An attack graph: a shared flaw, a login that needs key and port, a cycle; `p` scales all.
fn attack(p: &str, shared: &str) -> String {
    format!(
        r#"{{"schema": "polder-graph/1",
        "nodes": [{{"id": "login", "join": "all"}}],
        "variables": [{{"id": "flaw", "probability": {shared}}}],
        "edges": [
          {{"from": "internet", "to": "web1", "needs": ["flaw"], "probability": {p}}},
          {{"from": "internet", "to": "web2", "needs": ["flaw"], "probability": {p}}},
          {{"from": "internet", "to": "mail", "probability": {p}}},
          {{"from": "mail", "to": "key", "probability": 0.3}},
          {{"from": "web1", "to": "key", "probability": 0.2}},
          {{"from": "web2", "to": "web1", "probability": 0.5}},
          {{"from": "web1", "to": "web2", "probability": 0.5}},
          {{"from": "key", "to": "login"}},
          {{"from": "web1", "to": "login"}},
          {{"from": "login", "to": "database", "probability": 0.9}},
          {{"from": "mail", "to": "database", "needs": ["flaw"]}}
        ], "goals": ["database"]}}"#
    )
}

const BRIDGE: &str = r#"{"schema": "polder-graph/1", "edges": [
    {"from": "internet", "to": "1", "probability": 0.9, "both_ways": true},
    {"from": "internet", "to": "2", "probability": 0.9, "both_ways": true},
    {"from": "1", "to": "2", "probability": 0.9, "both_ways": true},
    {"from": "1", "to": "3", "probability": 0.9, "both_ways": true},
    {"from": "2", "to": "3", "probability": 0.9, "both_ways": true}], "goals": ["3"]}"#;

#[test]
fn intervals_hold_the_exact_value_as_often_as_they_say() {
    const RUNS: u64 = 1000;
    let cases = [
        ("bridge", BRIDGE.to_string(), 32),
        ("likely", attack("0.4", "0.6"), 32),
        ("unlikely", attack("0.05", "0.1"), 64),
        ("rare", attack("0.002", "0.01"), 128),
        ("with ranges", attack("[0.05, 0.2, 0.5]", "[0.2, 0.4, 0.6]"), 64),
    ];
    for (name, text, worlds) in cases {
        // With ranges the exact mean needs many draws of what is not known.
        let blocks = if name == "with ranges" { 200 } else { 1 };
        let exact: f64 = (0..blocks)
            .map(|seed| {
                let any = any(&text, 10_000 + seed, 4, true);
                assert_eq!(any.method, Method::Exact);
                any.mean / blocks as f64
            })
            .sum();
        let holds = (0..RUNS)
            .filter(|seed| {
                let any = any(&text, *seed, worlds, false);
                assert_eq!(any.method, Method::Sampled);
                any.at_least <= exact && exact <= any.at_most
            })
            .count();
        let share = holds as f64 / RUNS as f64;
        println!("{name}: exact {exact:.6}, {:.1} % of {RUNS} intervals hold it", 100.0 * share);
        assert!((0.92..=0.98).contains(&share), "{name}: {share}");
    }
}
