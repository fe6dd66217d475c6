//! Whether the order of treatments survives when what was guessed is wrong by a factor of three.

use crate::compile::Compiled;
use crate::effect::Edit;
use crate::figures::Worth;
use crate::fleet::price_network;
use crate::sample::Options;
use polder_model::{Basis, Graph, Restore, Treatment, TreatmentId};
use serde::Serialize;
use std::collections::BTreeMap;

/// How wrong a guess may be.
const FACTOR: f64 = 3.0;

/// The ranking when a guess is wrong.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shifted {
    /// Where the guess comes from; none for all guesses at once.
    pub guess: Option<String>,
    /// Three, or a third.
    pub factor: f64,
    /// Rank correlation with the ranking as it is (Spearman), over treatments that are worth
    /// anything; one where fewer than two are.
    pub correlation: f64,
    /// What comes first then.
    pub first: Option<TreatmentId>,
    /// Whether that is another one, by more than the error.
    pub first_changes: bool,
}

/// Every guess multiplied and divided by three, one at a time or all at once.
pub fn stability(
    graph: &Graph,
    restore: Restore,
    treatments: &[&Treatment],
    options: Options,
    one_by_one: bool,
) -> Vec<Shifted> {
    let compiled = Compiled::new(graph);
    let edits: Vec<Edit> = treatments.iter().map(|it| Edit::of(&compiled, it)).collect();
    let as_is = price_network(&compiled.network, &edits, restore, options).treatments;
    // Guesses by their source: those that share one are wrong together.
    let mut guesses: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, it) in graph.variables().enumerate() {
        if it.probability.basis == Basis::Judgement {
            guesses.entry(&it.probability.source).or_default().push(at);
        }
    }
    let all: Vec<usize> = guesses.values().flatten().copied().collect();
    let each = guesses.iter().map(|(source, them)| (Some((*source).to_string()), them.clone()));
    let groups: Vec<(Option<String>, Vec<usize>)> = match one_by_one {
        true => each.collect(),
        false => vec![(None, all)],
    };
    let mut shifted = Vec::new();
    for (guess, members) in groups {
        for factor in [FACTOR, 1.0 / FACTOR] {
            let network = compiled.network.scaled(&members, factor);
            let then = price_network(&network, &edits, restore, options).treatments;
            let first = best(&then);
            let first_changes = first.zip(best(&as_is)).is_some_and(|(first, known)| {
                first != known && !is_tie(&then, first, known) && !is_tie(&as_is, first, known)
            });
            shifted.push(Shifted {
                guess: guess.clone(),
                factor,
                correlation: spearman(&as_is, &then),
                first: first.and_then(|at| treatments.get(at)).map(|it| it.id.clone()),
                first_changes,
            });
        }
    }
    shifted
}

fn best(values: &[Worth]) -> Option<usize> {
    let told = (0..values.len()).filter(|at| values.get(*at).is_some_and(|it| it.is_told()));
    let avoided = |at: &usize| values.get(*at).map_or(0.0, |it| it.avoided);
    told.max_by(|a, b| avoided(a).total_cmp(&avoided(b)).then(b.cmp(a)))
}

/// Whether two treatments cannot be told apart.
fn is_tie(values: &[Worth], a: usize, b: usize) -> bool {
    let pair = values.get(a).zip(values.get(b));
    pair.is_some_and(|(a, b)| {
        (a.avoided - b.avoided).abs() < 1.96 * a.standard_error.hypot(b.standard_error)
    })
}

/// Rank correlation over what is worth anything in either ranking; equal values share a rank.
fn spearman(a: &[Worth], b: &[Worth]) -> f64 {
    let pairs: Vec<(f64, f64)> = a
        .iter()
        .zip(b)
        .filter(|(a, b)| a.is_told() || b.is_told())
        .map(|(a, b)| (a.avoided, b.avoided))
        .collect();
    if pairs.len() < 2 {
        return 1.0;
    }
    let ranks = |values: Vec<f64>| -> Vec<f64> {
        let below = |it: f64| values.iter().filter(|other| **other < it).count() as f64;
        let equal = |it: f64| values.iter().filter(|other| **other == it).count() as f64;
        values.iter().map(|it| below(*it) + (equal(*it) - 1.0) / 2.0).collect()
    };
    let (first, second) = (
        ranks(pairs.iter().map(|it| it.0).collect()),
        ranks(pairs.iter().map(|it| it.1).collect()),
    );
    let mean = (pairs.len() - 1) as f64 / 2.0;
    let sum = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
        first.iter().zip(&second).map(|(a, b)| f(a - mean, b - mean)).sum()
    };
    let spread = (sum(&|a, _| a * a) * sum(&|_, b| b * b)).sqrt();
    if spread > 0.0 { sum(&|a, b| a * b) / spread } else { 1.0 }
}
