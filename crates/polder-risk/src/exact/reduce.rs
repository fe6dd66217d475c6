//! Makes rules smaller without changing the answer: what cannot be reached or does not lead to the
//! target goes, certain and single steps are joined, steps in series and side by side become one.
#![expect(clippy::indexing_slicing, reason = "every capability lies below `Rules::nodes`")]

use super::rules::{Clause, Rules, Term};
use crate::network::number;
use std::collections::HashMap;

/// Reduces until nothing changes.
pub(crate) fn reduce(mut rules: Rules) -> Rules {
    loop {
        let before = (rules.clauses.len(), rules.terms.len());
        relevant(&mut rules);
        if rules.answer.is_some() {
            return rules;
        }
        combine(&mut rules);
        join(&mut rules);
        if before == (rules.clauses.len(), rules.terms.len()) {
            return rules;
        }
    }
}

/// Keeps clauses that can fire and lead to the target; takes what is certain out of bodies.
fn relevant(rules: &mut Rules) {
    let nodes = rules.nodes as usize;
    let certain = closure(rules, nodes, |clause| clause.needs.is_empty());
    let possible = closure(rules, nodes, |_| true);
    let target = rules.target as usize;
    if certain[target] || !possible[target] {
        rules.answer = Some(certain[target]);
        rules.clauses.clear();
        return;
    }
    rules.clauses.retain_mut(|clause| {
        clause.body.retain(|node| !certain[*node as usize]);
        !certain[clause.head as usize]
            && clause.body.iter().all(|node| possible[*node as usize] && *node != clause.head)
            // Who holds the target has won; what else that gives does not matter.
            && !clause.body.contains(&rules.target)
    });
    let mut by_head: Vec<Vec<usize>> = vec![Vec::new(); nodes];
    for (at, clause) in rules.clauses.iter().enumerate() {
        by_head[clause.head as usize].push(at);
    }
    let mut leads = vec![false; nodes];
    leads[target] = true;
    let mut stack = vec![target];
    while let Some(node) = stack.pop() {
        for at in &by_head[node] {
            for part in &rules.clauses[*at].body {
                if !std::mem::replace(&mut leads[*part as usize], true) {
                    stack.push(*part as usize);
                }
            }
        }
    }
    rules.clauses.retain(|clause| leads[clause.head as usize]);
}

/// What follows by the clauses that `counts`.
fn closure(rules: &Rules, nodes: usize, counts: impl Fn(&Clause) -> bool) -> Vec<bool> {
    let mut uses: Vec<Vec<usize>> = vec![Vec::new(); nodes];
    let mut missing: Vec<usize> = Vec::with_capacity(rules.clauses.len());
    let mut held = vec![false; nodes];
    let mut stack = Vec::new();
    for (at, clause) in rules.clauses.iter().enumerate() {
        missing.push(clause.body.len());
        clause.body.iter().for_each(|node| uses[*node as usize].push(at));
        if clause.body.is_empty() && counts(clause) {
            stack.push(clause.head as usize);
        }
    }
    while let Some(node) = stack.pop() {
        if std::mem::replace(&mut held[node], true) {
            continue;
        }
        for at in &uses[node] {
            missing[*at] -= 1;
            let clause = &rules.clauses[*at];
            if missing[*at] == 0 && counts(clause) {
                stack.push(clause.head as usize);
            }
        }
    }
    held
}

/// Joins terms that only one clause needs, and clauses that differ in such a term only.
fn combine(rules: &mut Rules) {
    let mut count: HashMap<u32, usize> = HashMap::new();
    for need in rules.clauses.iter().flat_map(|it| &it.needs) {
        *count.entry(*need).or_default() += 1;
    }
    let mut terms = std::mem::take(&mut rules.terms);
    let mut private: Vec<bool> = Vec::with_capacity(rules.clauses.len());
    for clause in &mut rules.clauses {
        let own = |it: &u32| count.get(it) == Some(&1);
        let (mine, mut shared): (Vec<u32>, Vec<u32>) = clause.needs.iter().partition(|it| own(it));
        let mut all = mine.into_iter();
        let first = all.next();
        let joined = first.map(|first| {
            all.fold(first, |a, b| {
                terms.push(Term::All(a, b));
                number(terms.len() - 1)
            })
        });
        private.push(joined.is_some() && shared.is_empty());
        shared.extend(joined);
        shared.sort_unstable();
        clause.needs = shared;
    }
    // Side by side: equal head and body, each with one term of its own.
    let mut first_of: HashMap<(u32, Vec<u32>), usize> = HashMap::new();
    let mut gone = vec![false; rules.clauses.len()];
    for at in 0..rules.clauses.len() {
        if !private[at] {
            continue;
        }
        let key = (rules.clauses[at].head, rules.clauses[at].body.clone());
        match first_of.get(&key) {
            None => {
                first_of.insert(key, at);
            }
            Some(first) => {
                let (a, b) = (rules.clauses[*first].needs[0], rules.clauses[at].needs[0]);
                terms.push(Term::Any(a, b));
                rules.clauses[*first].needs = vec![number(terms.len() - 1)];
                gone[at] = true;
            }
        }
    }
    rules.terms = terms;
    let mut gone = gone.into_iter();
    rules.clauses.retain(|_| !gone.next().unwrap_or(false));
    drop_implied(&mut rules.clauses);
}

/// Drops clauses that ask for more than another one with the same head.
fn drop_implied(clauses: &mut Vec<Clause>) {
    clauses.sort();
    clauses.dedup();
    let contains = |all: &[u32], part: &[u32]| part.iter().all(|it| all.binary_search(it).is_ok());
    let mut gone = vec![false; clauses.len()];
    let mut start = 0;
    while start < clauses.len() {
        let head = clauses[start].head;
        let end = start + clauses[start..].iter().take_while(|it| it.head == head).count();
        // Groups of hundreds are fleets, where the pairs would cost more than they save.
        for a in (start..end).take(256) {
            for b in (start..end).take(256) {
                let (less, more) = (&clauses[a], &clauses[b]);
                let implied =
                    contains(&more.body, &less.body) && contains(&more.needs, &less.needs);
                if a != b && !gone[a] && implied {
                    gone[b] = true;
                }
            }
        }
        start = end;
    }
    let mut gone = gone.into_iter();
    clauses.retain(|_| !gone.next().unwrap_or(false));
}

/// Puts the only way to a capability in place of it, and its only certain use in its place.
fn join(rules: &mut Rules) {
    let nodes = rules.nodes as usize;
    let mut defined: Vec<Vec<usize>> = vec![Vec::new(); nodes];
    let mut used: Vec<Vec<usize>> = vec![Vec::new(); nodes];
    for (at, clause) in rules.clauses.iter().enumerate() {
        defined[clause.head as usize].push(at);
        clause.body.iter().for_each(|node| used[*node as usize].push(at));
    }
    let mut touched = vec![false; rules.clauses.len()];
    let mut gone = vec![false; rules.clauses.len()];
    for node in 0..rules.nodes {
        let (defining, using) = (&defined[node as usize], &used[node as usize]);
        let is_free = defining.iter().chain(using).all(|at| !touched[*at]);
        if node == rules.target || !is_free || defining.is_empty() || using.is_empty() {
            continue;
        }
        if let [only] = defining[..]
            && (using.len() == 1 || rules.clauses[only].needs.is_empty())
        {
            let way = rules.clauses[only].clone();
            for at in using {
                let clause = &rules.clauses[*at];
                let body = clause.body.iter().filter(|it| **it != node).chain(&way.body);
                let needs = clause.needs.iter().chain(&way.needs);
                rules.clauses[*at] =
                    Clause::new(clause.head, body.copied().collect(), needs.copied().collect());
                touched[*at] = true;
            }
            touched[only] = true;
            gone[only] = true;
        } else if let [only] = using[..]
            && rules.clauses[only].needs.is_empty()
            && rules.clauses[only].body.len() == 1
        {
            let head = rules.clauses[only].head;
            for at in defining {
                rules.clauses[*at].head = head;
                touched[*at] = true;
            }
            touched[only] = true;
            gone[only] = true;
        }
    }
    let mut gone = gone.into_iter();
    rules.clauses.retain(|_| !gone.next().unwrap_or(false));
}
