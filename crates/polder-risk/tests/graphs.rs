//! Properties of the price: hand-solved graphs, monotony, determinism.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may panic")]

use polder_model::{
    Basis, EdgeId, Estimate, Evidence, Model, NodeKind, Op, REBUILD_HOURS, Range, Restore,
    Treatment, VariableId,
};
use polder_risk::{Method, Options, Pricing, Request, price};
use proptest::prelude::*;

fn exactly(value: f64) -> Estimate {
    Estimate {
        range: Range::exactly(value),
        basis: Basis::Measured,
        source: "test".into(),
        date: "2026".into(),
    }
}

fn seen() -> Evidence {
    Evidence::command("test", "true")
}

fn options(worlds_per_block: u64) -> Options {
    Options { blocks: 64, worlds_per_block, ..Options::default() }
}

fn run(model: &Model, treatments: &[&Treatment], worlds_per_block: u64) -> Pricing {
    let request = Request::first(5);
    price(&model.graph, model.restore, treatments, &request, options(worlds_per_block))
}

/// Two ways to the goal that share one variable: the answer is 0.6 * (1 - 0.5 * 0.5) = 0.45.
fn shared_flaw() -> Model {
    let mut model = Model::new("test");
    let graph = &mut model.graph;
    let internet = graph.node(NodeKind::Internet, "internet", "");
    let goal = graph.node(NodeKind::Root, "root", "");
    graph.goal(&goal, "control");
    let shared = graph.variable("shared", "", exactly(0.6));
    for name in ["a", "b"] {
        let middle = graph.node(NodeKind::Process, name, "");
        let own = graph.variable(format!("own-{name}"), "", exactly(0.5));
        graph.edge(&internet, &middle, "x", "", vec![shared.clone()], seen());
        graph.edge(&middle, &goal, "x", "", vec![own], seen());
    }
    model
}

#[test]
fn a_shared_flaw_is_drawn_once() {
    let pricing = run(&shared_flaw(), &[], 4096);
    let goal = &pricing.goals[0].yearly;
    assert_eq!(goal.method, Method::Exact);
    assert!((goal.mean - 0.45).abs() < 1e-12, "{goal:?}");
    assert!((pricing.paths.iter().map(|it| it.share).sum::<f64>() - 1.0).abs() < 1e-9);
}

#[test]
fn a_node_that_needs_all_is_reached_by_all() {
    let mut model = Model::new("test");
    let graph = &mut model.graph;
    let internet = graph.node(NodeKind::Internet, "internet", "");
    let goal = graph.node(NodeKind::Root, "root", "");
    graph.goal(&goal, "control");
    graph.needs_all(&goal);
    for name in ["key", "port"] {
        let middle = graph.node(NodeKind::Credential, name, "");
        let variable = graph.variable(name, "", exactly(0.5));
        graph.edge(&internet, &middle, "x", "", vec![variable], seen());
        graph.edge(&middle, &goal, "x", "", Vec::new(), seen());
    }
    let pricing = run(&model, &[], 1024);
    assert!((pricing.goals[0].yearly.mean - 0.25).abs() < 1e-12);
}

#[test]
fn a_treatment_avoids_what_it_closes_and_thinning_twice_is_two_chances() {
    let model = shared_flaw();
    let close = |id: &str| Op::Close { variable: VariableId(id.into()) };
    let half = Op::Thin { variable: VariableId("shared".into()), factor: Range::exactly(0.5) };
    let all = Treatment::new("all", "", [1.0; 3]).effect(close("shared"));
    let none = Treatment::new("none", "", [1.0; 3]).effect(close("nothing"));
    let first = Treatment::new("half-1", "", [1.0; 3]).effect(half.clone());
    let second = Treatment::new("half-2", "", [1.0; 3]).effect(half);
    let pricing = run(&model, &[&all, &none, &first, &second], 2048);
    let value = |id: &str| pricing.treatments.iter().find(|it| it.id.0 == id).unwrap();
    assert_eq!(value("all").any_after, 0.0);
    assert_eq!(value("none").worth.avoided, 0.0);
    assert!((value("half-1").any_after - 0.225).abs() < 0.01);

    let pricing = run(&model, &[&first, &second], 2048);
    assert!((pricing.any_after.mean - 0.1125).abs() < 1e-12, "{:?}", pricing.any_after);
}

#[test]
fn one_thread_gives_what_many_give() {
    let model = shared_flaw();
    let many = run(&model, &[], 256);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(pool.install(|| run(&model, &[], 256)), many);
}

/// A random graph: edges between a few nodes with random probabilities, cycles included.
fn random_model(edges: &[(u8, u8, u8)]) -> Model {
    let mut model = Model::new("test");
    let graph = &mut model.graph;
    let mut nodes = vec![graph.node(NodeKind::Internet, "internet", "")];
    for at in 1..7 {
        let kind = if at == 6 { NodeKind::Root } else { NodeKind::Process };
        nodes.push(graph.node(kind, format!("n{at}"), ""));
    }
    for at in [4, 6] {
        graph.goal(&nodes[at], format!("goal {at}"));
    }
    for (from, to, weight) in edges {
        let variable = format!("v{}", weight % 8);
        let likely = f64::from(weight % 8 + 1) / 10.0;
        let variable = graph.variable(
            variable,
            "",
            Estimate::judgement(likely / 2.0, likely, (likely * 1.5).min(1.0), "test"),
        );
        let (from, to) = (&nodes[usize::from(from % 7)], &nodes[usize::from(to % 7)]);
        graph.edge(from, to, &format!("{weight}"), "", vec![variable], seen());
    }
    model
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn removing_any_edge_never_raises_a_risk(edges in prop::collection::vec((0_u8..7, 0_u8..7, 0_u8..40), 1..24)) {
        let model = random_model(&edges);
        let before = run(&model, &[], 32);
        let ids: Vec<EdgeId> = model.graph.edges().map(|it| it.id.clone()).collect();
        for id in ids {
            let mut less = model.clone();
            less.graph.remove_edge(&id);
            let after = run(&less, &[], 32);
            // Sums in another order differ in the last digit.
            prop_assert!(after.any.mean <= before.any.mean + 1e-12);
            for goal in &before.goals {
                let same = after.goals.iter().find(|it| it.node == goal.node);
                prop_assert!(same.is_none_or(|it| it.yearly.mean <= goal.yearly.mean + 1e-12));
            }
        }
    }

    #[test]
    fn a_treatment_never_raises_a_risk(edges in prop::collection::vec((0_u8..7, 0_u8..7, 0_u8..40), 1..24), factor in 0.0_f64..1.0) {
        let model = random_model(&edges);
        let variables: Vec<VariableId> = model.graph.variables().map(|it| it.id.clone()).collect();
        let treatments: Vec<Treatment> = variables
            .into_iter()
            .map(|variable| Treatment::new(format!("t-{variable}"), "", [1.0; 3]).effect(Op::Thin { variable, factor: Range::exactly(factor) }))
            .collect();
        let pricing = run(&model, &treatments.iter().collect::<Vec<_>>(), 32);
        for value in &pricing.treatments {
            prop_assert!(value.worth.avoided >= 0.0);
        }
        prop_assert!(pricing.any_after.mean <= pricing.any.mean + 1e-12);
    }
}

/// Hours of outage of a host that is always lost and restored like this, and what a treatment that
/// restores like that avoids.
fn outage(restore: Restore, treated: Restore) -> (f64, Pricing) {
    let mut model = Model::new("test");
    model.restore = restore;
    let graph = &mut model.graph;
    let internet = graph.node(NodeKind::Internet, "internet", "");
    let root = graph.node(NodeKind::Root, "root", "");
    graph.goal(&root, "control");
    graph.edge(&internet, &root, "x", "", Vec::new(), seen());
    let Restore { hours, drills } = treated;
    let treatment = Treatment::new("t", "t", [1.0; 3]).effect(Op::Restore { hours, drills });
    let pricing = run(&model, &[&treatment], 1024);
    (pricing.outage_hours, pricing)
}

#[test]
fn a_restore_fails_once_in_three_times_before_any_drill() {
    let ten = Range::exactly(10.0);
    let (anew, _) = outage(REBUILD_HOURS.into(), Restore::drilled(ten, 0));
    for (drills, share) in [(0, 1.0 / 3.0), (1, 0.25), (7, 0.1)] {
        let (hours, _) = outage(Restore::drilled(ten, drills), Restore::drilled(ten, drills));
        let wanted = (1.0 - share) * 10.0 + share * anew;
        println!("{drills} drills: {hours:.1} hours, {wanted:.1} wanted");
        assert!((hours / wanted - 1.0).abs() < 0.1, "{drills} drills: {hours}, not {wanted}");
    }
}

#[test]
fn one_more_drill_makes_no_world_worse_and_the_search_counts_it_alike() {
    let hours = Range::new(4.0, 48.0, 336.0);
    let (_, pricing) = outage(Restore::drilled(hours, 0), Restore::drilled(hours, 1));
    let value = &pricing.treatments[0];
    assert_eq!(value.worse, 0.0);
    assert!(value.worth.is_told(), "{value:?}");
    let planned = pricing.plan.steps.first().map(|it| it.id.0.as_str());
    assert_eq!(planned, Some("t"));
}

#[test]
fn behind_a_gap_that_gives_everything_away_the_small_ones_are_told_apart() {
    let mut model = Model::new("test");
    let graph = &mut model.graph;
    let internet = graph.node(NodeKind::Internet, "internet", "");
    let root = graph.node(NodeKind::Root, "root", "");
    graph.goal(&root, "control");
    let ways = [("small", 0.004), ("large", 0.03), ("gap", 1.0), ("medium", 0.012)];
    let mut treatments = Vec::new();
    for (name, p) in ways {
        let variable = graph.variable(name, "", exactly(p));
        graph.edge(&internet, &root, name, "", vec![variable.clone()], seen());
        treatments.push(Treatment::new(name, name, [1.0; 3]).effect(Op::Close { variable }));
    }
    let treatments: Vec<&Treatment> = treatments.iter().collect();
    for seed in 1..=8 {
        let options = Options { seed, ..Options::default() };
        let request = Request { share_min: 0.0, ..Request::first(5) };
        let pricing = price(&model.graph, model.restore, &treatments, &request, options);
        let order: Vec<&str> = pricing.plan.steps.iter().map(|it| it.id.0.as_str()).collect();
        assert_eq!(order, ["gap", "large", "medium", "small"], "seed {seed}");
        let rarer: Vec<f64> = pricing.plan.steps.iter().map(|it| it.any_after).collect();
        assert!((rarer[0] / 0.0455 - 1.0).abs() < 0.15, "{rarer:?}");
        assert!((rarer[1] / 0.016 - 1.0).abs() < 0.15, "{rarer:?}");
    }
}
