//! All assignments of few variables, 64 at once.
#![expect(clippy::indexing_slicing, reason = "places are made from the rules themselves")]

use super::rules::Rules;
use std::collections::HashMap;

/// Lanes of a word in which each of the first six variables is true.
const LANES: [u64; 6] = [
    0xaaaa_aaaa_aaaa_aaaa,
    0xcccc_cccc_cccc_cccc,
    0xf0f0_f0f0_f0f0_f0f0,
    0xff00_ff00_ff00_ff00,
    0xffff_0000_ffff_0000,
    0xffff_ffff_0000_0000,
];

/// The probability that the target follows, for these probabilities of the terms.
///
/// Time doubles with every term used; the caller bounds their number.
pub(crate) fn enumerate(rules: &Rules, values: &[f64]) -> f64 {
    if let Some(answer) = rules.answer {
        return f64::from(u8::from(answer));
    }
    let used = rules.used();
    let place: HashMap<u32, usize> = used.iter().enumerate().map(|(at, it)| (*it, at)).collect();
    let probability = |at: usize| used.get(at).map_or(0.0, |it| values[*it as usize]);
    let mut lane_weight = [1.0; 64];
    for (lane, weight) in lane_weight.iter_mut().enumerate() {
        for (at, lanes) in LANES.iter().enumerate().take(used.len()) {
            let p = probability(at);
            *weight *= if lanes >> lane & 1 == 1 { p } else { 1.0 - p };
        }
        // With fewer than six variables the upper lanes repeat the lower ones.
        if lane >> used.len().min(6) > 0 {
            *weight = 0.0;
        }
    }
    let mut truth = vec![0_u64; used.len()];
    let mut held = vec![0_u64; rules.nodes as usize];
    let high = used.len().saturating_sub(6);
    let mut sum = 0.0;
    for word in 0..(1_u64 << high) {
        let mut weight = 1.0;
        for (at, lanes) in truth.iter_mut().enumerate() {
            *lanes = match at.checked_sub(6) {
                None => LANES[at],
                Some(bit) if word >> bit & 1 == 1 => {
                    weight *= probability(at);
                    u64::MAX
                }
                Some(_) => {
                    weight *= 1.0 - probability(at);
                    0
                }
            };
        }
        held.fill(0);
        loop {
            let mut changed = false;
            for clause in &rules.clauses {
                let body = clause.body.iter().fold(u64::MAX, |all, it| all & held[*it as usize]);
                let open = clause.needs.iter().fold(body, |all, it| all & truth[place[it]]);
                changed |= open & !held[clause.head as usize] != 0;
                held[clause.head as usize] |= open;
            }
            if !changed {
                break;
            }
        }
        let reached = held[rules.target as usize];
        let lanes = (0..64).filter(|lane| reached >> lane & 1 == 1);
        sum += weight * lanes.map(|lane| lane_weight[lane]).sum::<f64>();
    }
    sum
}
