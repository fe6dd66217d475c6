//! Bounds that hold whatever happens, for rules too large to solve.
//!
//! After Dotson and Gobien (1979, "A new analysis technique for probabilistic graphs"): take the
//! likeliest way to the target; the worlds in which it is open are lost, the others fall into
//! disjoint parts by the first of its variables that is false. The likeliest part is split next.
//! What has been decided either way bounds the answer from both sides, and always tighter.
#![expect(clippy::indexing_slicing, reason = "places are made from the rules themselves")]

use super::rules::Rules;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A part of all worlds: some variables fixed.
struct Part {
    fixed: Vec<(u32, bool)>,
    mass: f64,
}

/// Lower and upper bound, after `effort` looks at a rule.
pub(crate) fn bounds(rules: &Rules, values: &[f64], effort: usize) -> (f64, f64) {
    if let Some(answer) = rules.answer {
        let answer = f64::from(u8::from(answer));
        return (answer, answer);
    }
    let mut uses: Vec<Vec<usize>> = vec![Vec::new(); rules.nodes as usize];
    for (at, clause) in rules.clauses.iter().enumerate() {
        clause.body.iter().for_each(|node| uses[*node as usize].push(at));
    }
    let mut parts = vec![Part { fixed: Vec::new(), mass: 1.0 }];
    let mut heap = BinaryHeap::from([(1.0_f64.to_bits(), Reverse(0_usize))]);
    let (mut lost, mut open) = (0.0, 1.0);
    let mut work = 0;
    while work < effort {
        let Some((_, Reverse(at))) = heap.pop() else { break };
        work += rules.clauses.len() + rules.terms.len();
        let part = std::mem::replace(&mut parts[at], Part { fixed: Vec::new(), mass: 0.0 });
        open -= part.mass;
        let mut known: Vec<f64> = values.to_vec();
        for (term, value) in &part.fixed {
            known[*term as usize] = f64::from(u8::from(*value));
        }
        // No way left: the worlds of this part are safe.
        let Some(way) = likeliest(rules, &uses, &known) else { continue };
        let mut mass = part.mass;
        let mut fixed = part.fixed;
        for term in way.into_iter().filter(|it| known[*it as usize] < 1.0) {
            let p = known[term as usize];
            let mut other = fixed.clone();
            other.push((term, false));
            let other = Part { fixed: other, mass: mass * (1.0 - p) };
            open += other.mass;
            heap.push((other.mass.to_bits(), Reverse(parts.len())));
            parts.push(other);
            fixed.push((term, true));
            mass *= p;
        }
        lost += mass;
    }
    let open = if heap.is_empty() { 0.0 } else { open.max(0.0) };
    (lost.min(1.0), (lost + open).min(1.0))
}

/// Terms of the likeliest way to the target (Knuth 1977, Dijkstra's algorithm for grammars), where
/// there is one. A term used twice counts twice in the search, which only costs tightness.
fn likeliest(rules: &Rules, uses: &[Vec<usize>], known: &[f64]) -> Option<Vec<u32>> {
    let cost = |at: usize| -> f64 {
        rules.clauses[at].needs.iter().map(|it| -known[*it as usize].ln()).sum()
    };
    let mut missing: Vec<usize> = rules.clauses.iter().map(|it| it.body.len()).collect();
    let mut spent: Vec<f64> = (0..rules.clauses.len()).map(cost).collect();
    let mut way: Vec<Option<usize>> = vec![None; rules.nodes as usize];
    let mut heap = BinaryHeap::new();
    for (at, clause) in rules.clauses.iter().enumerate() {
        if clause.body.is_empty() && spent[at].is_finite() {
            heap.push(Reverse((spent[at].max(0.0).to_bits(), at)));
        }
    }
    while let Some(Reverse((bits, at))) = heap.pop() {
        let head = rules.clauses[at].head;
        if way[head as usize].is_some() {
            continue;
        }
        way[head as usize] = Some(at);
        if head == rules.target {
            break;
        }
        for next in &uses[head as usize] {
            missing[*next] -= 1;
            spent[*next] += f64::from_bits(bits);
            if missing[*next] == 0 && spent[*next].is_finite() {
                heap.push(Reverse((spent[*next].max(0.0).to_bits(), *next)));
            }
        }
    }
    way[rules.target as usize]?;
    let mut terms = Vec::new();
    let mut stack = vec![rules.target];
    let mut seen = vec![false; rules.nodes as usize];
    while let Some(node) = stack.pop() {
        let Some(at) = way[node as usize] else { continue };
        if !std::mem::replace(&mut seen[node as usize], true) {
            terms.extend(&rules.clauses[at].needs);
            stack.extend(&rules.clauses[at].body);
        }
    }
    terms.sort_unstable();
    terms.dedup();
    Some(terms)
}
