//! Exact solutions: the graph as rules, made smaller, then solved by a decision diagram, by
//! enumeration, or bracketed by guaranteed bounds.
//!
//! Every step of an attacker is a definite Horn clause: *body* (capabilities held) and *variables*
//! (true in this world) give a *head* (a capability). The probability that the target follows is
//! what is asked. Parameters need not be known: a diagram is built once and evaluated for many
//! vectors of probabilities.

mod bounds;
mod diagram;
mod enumerate;
mod reduce;
mod rules;
mod theory;

use crate::network::Network;
use bounds::bounds;
use diagram::Diagram;
use rules::Rules;

/// Nodes of a diagram: a million take about a second.
const DIAGRAM_NODES_MAX: usize = 1_000_000;

/// Variables up to which all assignments are tried, 64 at once.
const ENUMERATED_MAX: usize = 22;

/// How a probability was won.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Answer {
    /// As exact as the arithmetic: about twelve digits.
    Exact(f64),
    /// It lies between these, whatever happens.
    Between(f64, f64),
}

/// The probability of one target, ready for any vector of probabilities.
pub(crate) struct Solver {
    rules: Rules,
    diagram: Option<Diagram>,
}

impl Solver {
    /// Prepares the question whether any of `targets` is reached.
    pub(crate) fn new(network: &Network, targets: &[u32]) -> Self {
        let rules = reduce::reduce(Rules::of(network, targets));
        let diagram = Diagram::build(&rules, DIAGRAM_NODES_MAX);
        Self { rules, diagram }
    }

    /// Whether [`Self::exact`] will answer.
    pub(crate) fn is_exact(&self) -> bool {
        self.rules.answer.is_some() || self.diagram.is_some()
    }

    /// The probability for these probabilities of the variables, where a diagram was possible.
    pub(crate) fn exact(&self, probability: &[f64]) -> Option<f64> {
        if let Some(answer) = self.rules.answer {
            return Some(f64::from(u8::from(answer)));
        }
        self.diagram.as_ref().map(|it| it.evaluate(&self.rules.probabilities(probability)))
    }

    /// The probability by any means, or bounds that took `effort` looks at a rule to find.
    pub(crate) fn answer(&self, probability: &[f64], effort: usize) -> Answer {
        if let Some(exact) = self.exact(probability) {
            return Answer::Exact(exact);
        }
        let values = self.rules.probabilities(probability);
        if self.rules.used().len() <= ENUMERATED_MAX {
            return Answer::Exact(enumerate::enumerate(&self.rules, &values));
        }
        let (low, high) = bounds(&self.rules, &values, effort);
        Answer::Between(low, high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Goal, NetworkBuilder};
    use polder_model::{Delay, Range};
    use proptest::prelude::*;

    type Spec = (Vec<(u8, u8, u8, u8)>, Vec<bool>);

    /// A graph of seven nodes with up to nine shared variables, nodes that need all, and cycles.
    fn network(spec: &Spec) -> Network {
        let mut builder = NetworkBuilder::default();
        let nodes: Vec<u32> = (0..7).map(|at| builder.node(at)).collect();
        let variables: Vec<u32> =
            (0..9).map(|at| builder.variable(100 + at, Range::exactly(probability(at)))).collect();
        builder.source(nodes[0]);
        for (at, needs_all) in spec.1.iter().enumerate() {
            if *needs_all {
                builder.needs_all(nodes[at + 1]);
            }
        }
        for (from, to, first, second) in &spec.0 {
            let needs: Vec<u32> = [first, second]
                .iter()
                .filter(|it| ***it < 9)
                .map(|it| variables[usize::from(**it)])
                .collect();
            let (from, to) = (nodes[usize::from(*from)], nodes[usize::from(*to)]);
            builder.edge(from, to, &needs, Delay::Minutes);
        }
        builder.goal(nodes[6], Goal::server());
        builder.build()
    }

    fn probability(at: u64) -> f64 {
        0.05 + 0.1 * at as f64
    }

    /// Every assignment, one at a time, by the definition of reach.
    fn brute_force(network: &Network, target: u32) -> f64 {
        let mut sum = 0.0;
        for assignment in 0_u32..512 {
            let weight: f64 = (0..9)
                .map(|at| match assignment >> at & 1 {
                    1 => probability(at),
                    _ => 1.0 - probability(at),
                })
                .product();
            let open = |edge: u32| network.needs(edge).iter().all(|it| assignment >> it & 1 == 1);
            let reached = network.reached_by_definition(&open);
            if reached[target as usize] {
                sum += weight;
            }
        }
        sum
    }

    fn spec() -> impl Strategy<Value = Spec> {
        let edge = (0_u8..7, 0_u8..7, 0_u8..12, 0_u8..16);
        (prop::collection::vec(edge, 1..22), prop::collection::vec(prop::bool::weighted(0.2), 6))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 10_000, ..ProptestConfig::default() })]
        #[test]
        fn every_method_gives_what_all_assignments_give(spec in spec()) {
            let network = network(&spec);
            let wanted = brute_force(&network, 6);
            let values: Vec<f64> = (0..9).map(probability).collect();
            let solver = Solver::new(&network, &[6]);
            let found = solver.exact(&values).unwrap();
            prop_assert!((found - wanted).abs() < 1e-12, "diagram {found}, wanted {wanted}");

            let rules = Rules::of(&network, &[6]);
            let plain = rules.probabilities(&values);
            let found = enumerate::enumerate(&rules, &plain);
            prop_assert!((found - wanted).abs() < 1e-12, "enumeration {found}, wanted {wanted}");
            for effort in [50, 100_000] {
                let (low, high) = bounds(&rules, &plain, effort);
                prop_assert!(low <= wanted + 1e-12 && wanted <= high + 1e-12, "{low} {wanted} {high}");
            }
        }
    }
}
