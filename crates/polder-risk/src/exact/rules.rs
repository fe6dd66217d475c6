//! The graph as Horn clauses, and the probabilities of what they need.

use crate::network::Network;
use std::collections::BTreeSet;

/// One clause: all of `body` held and all of `needs` true give `head`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Clause {
    pub(crate) head: u32,
    /// Capabilities, sorted; what every attacker holds is left out.
    pub(crate) body: Vec<u32>,
    /// Terms that must be true, sorted.
    pub(crate) needs: Vec<u32>,
}

/// What a clause may need: a variable of the network, or a combination of earlier terms.
#[derive(Clone, Debug)]
pub(crate) enum Term {
    Variable(u32),
    All(u32, u32),
    Any(u32, u32),
}

/// Clauses, terms and what is asked.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) clauses: Vec<Clause>,
    pub(crate) terms: Vec<Term>,
    /// Numbers of capabilities lie below this.
    pub(crate) nodes: u32,
    pub(crate) target: u32,
    /// The answer, where it is certain.
    pub(crate) answer: Option<bool>,
}

impl Rules {
    /// Whether any of `targets` is reached.
    pub(crate) fn of(network: &Network, targets: &[u32]) -> Self {
        let count = crate::network::number(network.node_count());
        let mut terms = Vec::new();
        let mut term_of = std::collections::HashMap::new();
        let mut term = |variable: u32| {
            *term_of.entry(variable).or_insert_with(|| {
                terms.push(Term::Variable(variable));
                crate::network::number(terms.len() - 1)
            })
        };
        let mut clauses = Vec::new();
        for head in 0..count {
            let mut parts = Vec::new();
            for edge in network.edges_into(head) {
                let from = network.from.get(*edge as usize).copied().unwrap_or_default();
                let needs: Vec<u32> = network.needs(*edge).iter().map(|it| term(*it)).collect();
                parts.push((from, needs));
            }
            let needs_all = network.needs_all.get(head as usize).copied().unwrap_or(0);
            if needs_all > 0 {
                // A node that needs all of nothing is never reached.
                if parts.is_empty() {
                    continue;
                }
                let body = parts.iter().map(|(from, _)| *from).collect();
                let needs = parts.into_iter().flat_map(|(_, needs)| needs).collect();
                clauses.push(Clause::new(head, body, needs));
            } else {
                let clause = |(from, needs)| Clause::new(head, vec![from], needs);
                clauses.extend(parts.into_iter().map(clause));
            }
        }
        for source in &network.sources {
            clauses.push(Clause::new(*source, Vec::new(), Vec::new()));
        }
        for target in targets {
            clauses.push(Clause::new(count, vec![*target], Vec::new()));
        }
        Self { clauses, terms, nodes: count + 1, target: count, answer: None }
    }

    /// Probability of every term for these probabilities of the variables.
    pub(crate) fn probabilities(&self, variables: &[f64]) -> Vec<f64> {
        let mut values: Vec<f64> = Vec::with_capacity(self.terms.len());
        for term in &self.terms {
            let of = |at: &u32| values.get(*at as usize).copied().unwrap_or(0.0);
            let value = match term {
                Term::Variable(at) => variables.get(*at as usize).copied().unwrap_or(0.0),
                Term::All(a, b) => of(a) * of(b),
                Term::Any(a, b) => 1.0 - (1.0 - of(a)) * (1.0 - of(b)),
            };
            values.push(value);
        }
        values
    }

    /// Terms that some clause needs, sorted.
    pub(crate) fn used(&self) -> Vec<u32> {
        let used: BTreeSet<u32> = self.clauses.iter().flat_map(|it| &it.needs).copied().collect();
        used.into_iter().collect()
    }
}

impl Clause {
    pub(crate) fn new(head: u32, mut body: Vec<u32>, mut needs: Vec<u32>) -> Self {
        body.sort_unstable();
        body.dedup();
        needs.sort_unstable();
        needs.dedup();
        Self { head, body, needs }
    }
}
