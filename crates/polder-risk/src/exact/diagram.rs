//! A binary decision diagram of the question whether the target follows.
//!
//! Variables are decided one after another in an order that keeps the frontier narrow (Hardy, Lucet
//! and Limnios 2007 for undirected networks; here for Horn clauses with shared variables, joins and
//! cycles). Two partial assignments that leave the same theory on the frontier share all that
//! follows, so a grid of any length costs no more than its width demands.
#![expect(clippy::indexing_slicing, reason = "levels, places and nodes are numbered here")]

use super::rules::{Clause, Rules};
use super::theory::{Places, Theory, TooLarge};
use crate::draw::mix;
use crate::network::{NONE, number};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// The target does not follow, or does.
const SAFE: u32 = u32::MAX - 1;
const LOST: u32 = u32::MAX - 2;

/// Nodes by level; each has a child for "false" and one for "true".
pub(crate) struct Diagram {
    /// The term decided at each level.
    terms: Vec<u32>,
    /// Children, in the next level or final.
    levels: Vec<Vec<(u32, u32)>>,
}

impl Diagram {
    /// Builds the diagram, unless it would have more than `most` nodes.
    pub(crate) fn build(rules: &Rules, most: usize) -> Option<Self> {
        if rules.answer.is_some() {
            return None;
        }
        let rules = &split_joins(rules);
        let plan = Plan::best(rules)?;
        let mut builder = Builder { rules, plan: &plan, theory: Theory::new(64), key: Vec::new() };
        let mut start = vec![0_u64];
        Theory::new(64).write(0, &mut start);
        let mut states: Vec<Box<[u64]>> = vec![start.into_boxed_slice()];
        let mut levels = Vec::new();
        let mut count = 0;
        for level in 0..plan.terms.len() {
            let mut known: HashMap<Box<[u64]>, u32, BuildHasherDefault<Mixer>> = HashMap::default();
            let mut next = Vec::new();
            let mut nodes = Vec::with_capacity(states.len());
            for state in &states {
                let mut child = |value: bool| -> Result<u32, TooLarge> {
                    let end = builder.step(level, state, value)?;
                    if end != NONE {
                        return Ok(end);
                    }
                    if let Some(at) = known.get(builder.key.as_slice()) {
                        return Ok(*at);
                    }
                    let at = number(next.len());
                    let key: Box<[u64]> = builder.key.as_slice().into();
                    next.push(key.clone());
                    known.insert(key, at);
                    Ok(at)
                };
                nodes.push((child(false).ok()?, child(true).ok()?));
            }
            count += nodes.len();
            if count > most {
                return None;
            }
            levels.push(nodes);
            states = next;
        }
        Some(Self { terms: plan.terms, levels })
    }

    /// The probability that the target follows, for these probabilities of the terms.
    pub(crate) fn evaluate(&self, values: &[f64]) -> f64 {
        let mut below: Vec<f64> = Vec::new();
        for (level, nodes) in self.levels.iter().enumerate().rev() {
            let p = values.get(self.terms[level] as usize).copied().unwrap_or(0.0);
            let of = |child: u32| match child {
                SAFE => 0.0,
                LOST => 1.0,
                at => below[at as usize],
            };
            below = nodes.iter().map(|(no, yes)| (1.0 - p) * of(*no) + p * of(*yes)).collect();
        }
        below.first().copied().unwrap_or(0.0)
    }
}

/// In which order variables are decided, and what happens at each level.
struct Plan {
    terms: Vec<u32>,
    /// Clauses whose last variable is decided at each level.
    added: Vec<Vec<usize>>,
    /// Places taken off the frontier after each level.
    forgotten: Vec<Vec<u8>>,
    /// Places on the frontier after each level.
    active: Vec<Places>,
    /// Places that undecided clauses need, or give, after each level.
    bodies: Vec<Places>,
    heads: Vec<Places>,
    /// Whether an undecided clause needs nothing.
    has_starts: Vec<bool>,
    /// Place of each capability while it is on the frontier.
    place: Vec<u8>,
    target: u8,
    /// Values of decided variables that are still needed: bit of each term.
    bit: HashMap<u32, u8>,
    /// Bits no longer needed after each level.
    dropped: Vec<u64>,
    /// How wide the frontier gets, and the sum over all levels.
    width: (u32, u64),
}

impl Plan {
    /// The best of several orders.
    fn best(rules: &Rules) -> Option<Self> {
        let orders = [
            sweep(rules, true),
            sweep(rules, false),
            narrow(rules),
            (0..rules.nodes).collect::<Vec<u32>>(),
        ];
        orders.iter().filter_map(|order| Self::of(rules, order)).min_by_key(|it| it.width)
    }

    /// The plan for an order of the capabilities, unless its frontier is too wide.
    fn of(rules: &Rules, order: &[u32]) -> Option<Self> {
        let terms = term_order(rules, order);
        let level_of: HashMap<u32, usize> =
            terms.iter().enumerate().map(|(at, it)| (*it, at)).collect();
        let decided = clause_levels(rules, &level_of);
        let levels = terms.len();
        let nodes = rules.nodes as usize;
        let mut first = vec![usize::MAX; nodes];
        let mut last = vec![0; nodes];
        let mut added = vec![Vec::new(); levels];
        for (at, clause) in rules.clauses.iter().enumerate() {
            added.get_mut(decided[at])?.push(at);
            for node in clause.body.iter().chain([&clause.head]) {
                let node = *node as usize;
                first[node] = first[node].min(decided[at]);
                last[node] = last[node].max(decided[at]);
            }
        }
        first[rules.target as usize] = 0;
        last[rules.target as usize] = levels;
        let (place, forgotten, active) = places(&first, &last, levels)?;
        let mut plan = Self {
            added,
            forgotten,
            active,
            bodies: vec![0; levels],
            heads: vec![0; levels],
            has_starts: vec![false; levels],
            target: place[rules.target as usize],
            place,
            bit: HashMap::new(),
            dropped: vec![0; levels],
            width: (0, 0),
            terms,
        };
        plan.note_undecided(rules, &decided);
        plan.give_bits(rules, &decided, &level_of)?;
        for (level, active) in plan.active.iter().enumerate() {
            let kept =
                plan.bit.values().filter(|bit| plan.dropped[level] >> **bit & 1 == 0).count();
            let width = active.count_ones() + u32::from(kept > 0);
            plan.width.0 = plan.width.0.max(width);
            plan.width.1 += 1 << width.min(40);
        }
        Some(plan)
    }

    fn note_undecided(&mut self, rules: &Rules, decided: &[usize]) {
        for (at, clause) in rules.clauses.iter().enumerate() {
            for level in 0..decided[at] {
                self.heads[level] |= 1 << self.place[clause.head as usize];
                self.has_starts[level] |= clause.body.is_empty();
                for node in &clause.body {
                    self.bodies[level] |= 1 << self.place[*node as usize];
                }
            }
        }
        for level in 0..self.active.len() {
            self.heads[level] &= self.active[level];
            self.bodies[level] &= self.active[level];
        }
    }

    /// Gives a bit to every variable whose value is needed after its own level.
    fn give_bits(
        &mut self,
        rules: &Rules,
        decided: &[usize],
        level_of: &HashMap<u32, usize>,
    ) -> Option<()> {
        let mut until: HashMap<u32, usize> = HashMap::new();
        for (at, clause) in rules.clauses.iter().enumerate() {
            for term in &clause.needs {
                let last = until.entry(*term).or_default();
                *last = (*last).max(decided[at]);
            }
        }
        let mut busy: Vec<usize> = Vec::new();
        for term in self.terms.clone() {
            let (from, to) = (level_of[&term], until.get(&term).copied().unwrap_or(0));
            if to <= from {
                continue;
            }
            let free = busy.iter().position(|end| *end < from);
            let bit = free.unwrap_or_else(|| {
                busy.push(0);
                busy.len() - 1
            });
            busy[bit] = to;
            self.bit.insert(term, u8::try_from(bit).ok().filter(|it| *it < 64)?);
            self.dropped[to] |= 1 << bit;
        }
        Some(())
    }
}

/// One step from a state to the next.
struct Builder<'a> {
    rules: &'a Rules,
    plan: &'a Plan,
    theory: Theory,
    key: Vec<u64>,
}

impl Builder<'_> {
    /// Decides the variable of a level; the key of the state after it is left in `key`.
    fn step(&mut self, level: usize, state: &[u64], value: bool) -> Result<u32, TooLarge> {
        let plan = self.plan;
        let before = level.checked_sub(1).map_or(0, |it| plan.active[it]);
        let mut values = state[0];
        self.theory.read(&state[1..], before);
        let term = plan.terms[level];
        if let (true, Some(bit)) = (value, plan.bit.get(&term)) {
            values |= 1 << bit;
        }
        for at in &plan.added[level] {
            let clause = &self.rules.clauses[*at];
            let is_true = |it: &u32| match *it == term {
                true => value,
                false => plan.bit.get(it).is_some_and(|bit| values >> bit & 1 == 1),
            };
            if clause.needs.iter().all(is_true) {
                let body =
                    clause.body.iter().fold(0, |all, it| all | 1 << plan.place[*it as usize]);
                self.theory.add(body, plan.place[clause.head as usize])?;
            }
        }
        if self.theory.holds(plan.target) {
            return Ok(LOST);
        }
        plan.forgotten[level].iter().for_each(|place| self.theory.forget(*place));
        values &= !plan.dropped[level];
        // Nothing can follow any more, or nothing that follows leads to the target.
        let can_start = plan.has_starts[level] || self.theory.held() & plan.bodies[level] != 0;
        let can_end = self.theory.leading_to(plan.target) & plan.heads[level] != 0;
        if !can_start || !can_end {
            return Ok(SAFE);
        }
        self.theory.tidy(plan.target);
        self.key.clear();
        self.key.push(values);
        self.theory.write(plan.active[level], &mut self.key);
        Ok(NONE)
    }
}

/// Splits joins of many capabilities into chains of two, in the order in which they are settled.
fn split_joins(rules: &Rules) -> Rules {
    let mut rules = rules.clone();
    let order = sweep(&rules, true);
    let mut rank = vec![usize::MAX; rules.nodes as usize];
    order.iter().enumerate().for_each(|(at, node)| rank[*node as usize] = at);
    let mut split = Vec::new();
    for clause in std::mem::take(&mut rules.clauses) {
        if clause.body.len() <= 2 {
            split.push(clause);
            continue;
        }
        let mut body = clause.body.clone();
        body.sort_by_key(|node| rank[*node as usize]);
        let mut held = body[0];
        let (last, middle) = body[1..].split_last().map_or((body[0], &[][..]), |it| (*it.0, it.1));
        for node in middle {
            let both = rules.nodes;
            rules.nodes += 1;
            split.push(Clause::new(both, vec![held, *node], Vec::new()));
            held = both;
        }
        split.push(Clause::new(clause.head, vec![held, last], clause.needs));
    }
    rules.clauses = split;
    rules
}

/// Capabilities in the order in which a search meets them, from the start or from the target.
fn sweep(rules: &Rules, from_start: bool) -> Vec<u32> {
    let near = neighbors(rules);
    let mut seen = vec![false; rules.nodes as usize];
    let mut order: Vec<u32> = match from_start {
        true => rules.clauses.iter().filter(|it| it.body.is_empty()).map(|it| it.head).collect(),
        false => vec![rules.target],
    };
    order.sort_unstable();
    order.dedup();
    order.iter().for_each(|node| seen[*node as usize] = true);
    let mut next = 0;
    while let Some(node) = order.get(next).copied() {
        next += 1;
        for other in &near[node as usize] {
            if !std::mem::replace(&mut seen[*other as usize], true) {
                order.push(*other);
            }
        }
    }
    order
}

/// Capabilities one after another, each time the one that opens the fewest new neighbors.
fn narrow(rules: &Rules) -> Vec<u32> {
    let near = neighbors(rules);
    let mut seen = vec![false; rules.nodes as usize];
    let mut done = vec![false; rules.nodes as usize];
    let start = rules.clauses.iter().find(|it| it.body.is_empty()).map(|it| it.head);
    let mut edge: Vec<u32> = start.into_iter().collect();
    let mut order = Vec::new();
    while !edge.is_empty() {
        let fresh =
            |node: u32| near[node as usize].iter().filter(|it| !seen[**it as usize]).count();
        let best = (0..edge.len()).min_by_key(|at| (fresh(edge[*at]), *at)).unwrap_or(0);
        let node = edge.remove(best);
        if std::mem::replace(&mut done[node as usize], true) {
            continue;
        }
        seen[node as usize] = true;
        order.push(node);
        for other in &near[node as usize] {
            if !std::mem::replace(&mut seen[*other as usize], true) {
                edge.push(*other);
            }
        }
    }
    order
}

fn neighbors(rules: &Rules) -> Vec<Vec<u32>> {
    let mut near: Vec<Vec<u32>> = vec![Vec::new(); rules.nodes as usize];
    for clause in &rules.clauses {
        let all: Vec<u32> = clause.body.iter().chain([&clause.head]).copied().collect();
        for a in &all {
            near[*a as usize].extend(all.iter().filter(|b| *b != a));
        }
    }
    near.iter_mut().for_each(|list| {
        list.sort_unstable();
        list.dedup();
    });
    near
}

/// Variables in the order in which the capabilities of their clauses are complete.
fn term_order(rules: &Rules, order: &[u32]) -> Vec<u32> {
    let mut rank = vec![usize::MAX; rules.nodes as usize];
    order.iter().enumerate().for_each(|(at, node)| rank[*node as usize] = at);
    let mut key: HashMap<u32, (usize, usize)> = HashMap::new();
    for clause in &rules.clauses {
        let ranks = || clause.body.iter().chain([&clause.head]).map(|node| rank[*node as usize]);
        let most = ranks().max().unwrap_or(0);
        let least = ranks().min().unwrap_or(0);
        for term in &clause.needs {
            let known = key.entry(*term).or_insert((most, least));
            *known = (*known).min((most, least));
        }
    }
    let mut terms: Vec<u32> = key.keys().copied().collect();
    terms.sort_by_key(|term| (key[term], *term));
    terms
}

/// The level at which each clause is decided; one that needs no variable waits until one of its
/// capabilities would leave the frontier.
fn clause_levels(rules: &Rules, level_of: &HashMap<u32, usize>) -> Vec<usize> {
    let mut last: Vec<Option<usize>> = vec![None; rules.nodes as usize];
    let mut levels = vec![0; rules.clauses.len()];
    for (at, clause) in rules.clauses.iter().enumerate() {
        let Some(level) = clause.needs.iter().map(|it| level_of[it]).max() else { continue };
        levels[at] = level;
        for node in clause.body.iter().chain([&clause.head]) {
            let slot = &mut last[*node as usize];
            *slot = Some(slot.map_or(level, |known| known.max(level)));
        }
    }
    for (at, clause) in rules.clauses.iter().enumerate().filter(|(_, it)| it.needs.is_empty()) {
        let ends = clause.body.iter().filter_map(|node| last[*node as usize]);
        levels[at] = ends.min().unwrap_or(0);
    }
    levels
}

/// A place for each capability while it is on the frontier, places that become free after each
/// level, and those in use after it.
type PlacePlan = (Vec<u8>, Vec<Vec<u8>>, Vec<Places>);

fn places(first: &[usize], last: &[usize], levels: usize) -> Option<PlacePlan> {
    let mut by_first: Vec<usize> = (0..first.len()).filter(|at| first[*at] != usize::MAX).collect();
    by_first.sort_by_key(|at| (first[*at], *at));
    let mut place = vec![0; first.len()];
    let mut free: Vec<u8> = (0..64).rev().collect();
    let mut forgotten = vec![Vec::new(); levels];
    let mut active = vec![0; levels];
    let mut members: Places = 0;
    let mut next = by_first.into_iter().peekable();
    for level in 0..levels {
        while let Some(node) = next.next_if(|node| first[*node] == level) {
            place[node] = free.pop()?;
            members |= 1 << place[node];
            if let Some(list) = forgotten.get_mut(last[node]) {
                list.push(place[node]);
            }
        }
        for it in &forgotten[level] {
            members &= !(1 << *it);
            free.push(*it);
        }
        active[level] = members;
    }
    Some((place, forgotten, active))
}

/// A hash for keys of whole words.
#[derive(Default)]
struct Mixer(u64);

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 = mix(self.0 ^ u64::from_le_bytes(word));
        }
    }
}
