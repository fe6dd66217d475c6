//! Published values of network reliability, and values won by other means.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may panic")]

use polder_risk::{Band, EdgeForm, GraphForm, Method, Number, Options, Request, price};

/// An undirected network whose links hold with probability `p`; node 0 is the source.
fn network(links: &[(usize, usize)], p: f64) -> GraphForm {
    let edge = |(from, to): &(usize, usize)| EdgeForm {
        from: name(*from),
        to: name(*to),
        id: String::new(),
        label: String::new(),
        needs: Vec::new(),
        probability: Some(Number::Exactly(p)),
        both_ways: true,
        delay: None,
        because: String::new(),
    };
    let edges = links.iter().map(edge).collect();
    GraphForm { schema: polder_risk::SCHEMA.into(), edges, ..GraphForm::default() }
}

fn name(node: usize) -> String {
    if node == 0 { "internet".into() } else { node.to_string() }
}

fn any(form: &GraphForm) -> Band {
    let it = form.build().unwrap();
    let options = Options { blocks: 4, worlds_per_block: 16, ..Options::default() };
    price(&it.graph, it.restore, &[], &Request::first(0), options).any
}

/// The probability that `target` is connected with node 0.
#[track_caller]
fn two_terminal(links: &[(usize, usize)], target: usize, p: f64) -> f64 {
    let mut form = network(links, p);
    form.goals = vec![name(target)];
    let any = any(&form);
    assert_eq!(any.method, Method::Exact);
    any.mean
}

/// The probability that all nodes up to `count` are connected.
#[track_caller]
fn all_terminal(links: &[(usize, usize)], count: usize, p: f64) -> f64 {
    let mut form = network(links, p);
    let joined: serde_json::Value = serde_json::json!({ "id": "all", "join": "all" });
    form.nodes = vec![
        serde_json::from_value(joined).unwrap(),
        serde_json::from_value(serde_json::json!({ "id": "internet", "kind": "internet" }))
            .unwrap(),
    ];
    for node in 0..count {
        let mut edge = network(&[(node, 0)], p).edges.remove(0);
        edge.to = "all".into();
        edge.both_ways = false;
        edge.probability = None;
        form.edges.push(edge);
    }
    form.goals = vec!["all".into()];
    let any = any(&form);
    assert_eq!(any.method, Method::Exact);
    any.mean
}

fn complete(count: usize) -> Vec<(usize, usize)> {
    (0..count).flat_map(|a| (a + 1..count).map(move |b| (a, b))).collect()
}

fn grid(width: usize, height: usize) -> Vec<(usize, usize)> {
    let mut links = Vec::new();
    for row in 0..height {
        for column in 0..width {
            let at = row * width + column;
            if column + 1 < width {
                links.push((at, at + 1));
            }
            if row + 1 < height {
                links.push((at, at + width));
            }
        }
    }
    links
}

fn binomial(n: usize, k: usize) -> f64 {
    (1..=k).map(|at| (n - k + at) as f64 / at as f64).product()
}

/// Connectedness of a random graph on `count` nodes (Gilbert 1959): all, and two given nodes.
fn gilbert(count: usize, p: f64) -> (f64, f64) {
    let q = 1.0 - p;
    let power = |k: usize, n: usize| q.powf((k * (n - k)) as f64);
    let mut all = vec![1.0, 1.0];
    for n in 2..=count {
        let apart = (1..n).map(|k| binomial(n - 1, k - 1) * all[k] * power(k, n)).sum::<f64>();
        all.push(1.0 - apart);
    }
    // The two are together when the component of the first holds the second.
    let together = (2..=count).map(|k| binomial(count - 2, k - 2) * all[k] * power(k, count)).sum();
    (all[count], together)
}

/// A ladder of `length` rungs by its transfer matrix, from one corner to the opposite one.
fn ladder(length: usize, p: f64) -> f64 {
    // Both nodes of the last rung reached, or one of them. A way that runs back to an earlier rung
    // gains nothing: what it reaches there leads on by the same rails.
    let q = 1.0 - p;
    let (mut both, mut upper, mut lower) = (p, q, 0.0);
    for _ in 1..length {
        let rung = |both_: f64, upper_: f64, lower_: f64| {
            (both_ + p * (upper_ + lower_), q * upper_, q * lower_)
        };
        let from_both = (both * p * p, both * p * q, both * q * p);
        let up = (0.0, upper * p, 0.0);
        let low = (0.0, 0.0, lower * p);
        (both, upper, lower) = rung(
            from_both.0 + up.0 + low.0,
            from_both.1 + up.1 + low.1,
            from_both.2 + up.2 + low.2,
        );
    }
    both + lower
}

#[track_caller]
fn near(found: f64, wanted: f64, within: f64) {
    assert!((found - wanted).abs() < within, "{found}, wanted {wanted}");
}

#[test]
fn the_bridge_and_small_complete_networks_have_their_published_values() {
    let bridge = [(0, 1), (0, 2), (1, 2), (1, 3), (2, 3)];
    // Figures of textbooks: 2p^2 + 2p^3 - 5p^4 + 2p^5 at 0.9.
    near(two_terminal(&bridge, 3, 0.9), 0.97848, 1e-12);
    near(two_terminal(&complete(3), 2, 0.9), 0.981, 1e-12);
    near(all_terminal(&complete(3), 3, 0.9), 0.972, 1e-12);
    near(two_terminal(&complete(4), 3, 0.9), 0.997_848, 1e-12);
}

#[test]
fn complete_networks_agree_with_gilberts_recursion() {
    for count in [4, 6, 8, 10] {
        for p in [0.1, 0.5, 0.9] {
            let (all, two) = gilbert(count, p);
            near(two_terminal(&complete(count), count - 1, p), two, 1e-9);
            near(all_terminal(&complete(count), count, p), all, 1e-9);
        }
    }
}

#[test]
fn ladders_of_any_length_agree_with_their_transfer_matrix() {
    for length in [2, 10, 100] {
        for p in [0.5, 0.9, 0.99] {
            let links = grid(length, 2);
            near(two_terminal(&links, 2 * length - 1, p), ladder(length, p), 1e-9);
        }
    }
}

#[test]
fn a_grid_and_its_dual_add_up_to_one() {
    // Self-dual: a grid of n by n+1 with its two sides joined is connected from side to side
    // exactly when the dual is not from top to bottom, so at one half it is one half.
    for width in [3, 5, 6] {
        let mut links = Vec::new();
        for row in 0..width {
            let at = |column: usize| 2 + row * (width - 1) + column;
            links.push((0, at(0)));
            links.extend((0..width - 2).map(|column| (at(column), at(column + 1))));
            links.push((at(width - 2), 1));
            if row + 1 < width {
                links.extend((0..width - 1).map(|column| (at(column), at(column) + width - 1)));
            }
        }
        near(two_terminal(&links, 1, 0.5), 0.5, 1e-9);
        let (p, q) = (two_terminal(&links, 1, 0.3), two_terminal(&links, 1, 0.7));
        near(p + q, 1.0, 1e-9);
    }
}

#[test]
fn a_grid_of_six_by_six_and_the_dodecahedron_are_solved() {
    let grid = two_terminal(&grid(6, 6), 35, 0.9);
    assert!((0.97..0.98).contains(&grid), "{grid}");
    let ring = |base: usize, step: usize| (0..5).map(move |at| (base + at, base + (at + step) % 5));
    let spokes = |from: usize, to: usize, shift: usize| {
        (0..5).map(move |at| (from + at, to + (at + shift) % 5))
    };
    let mut links: Vec<(usize, usize)> = ring(0, 1).chain(ring(15, 1)).collect();
    links.extend(spokes(0, 5, 0).chain(spokes(5, 10, 0)).chain(spokes(5, 10, 4)));
    links.extend(spokes(10, 15, 0));
    assert_eq!(links.len(), 30);
    // The dodecahedron has three links at each node: opposite corners at 0.9 fail mostly when all
    // three links of one of them do.
    let found = two_terminal(&links, 17, 0.9);
    assert!((0.9970..0.9980).contains(&found), "{found}");
}
