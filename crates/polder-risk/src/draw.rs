//! Counter-based randomness: every draw is a hash of what it is for.

use polder_model::Range;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// Mixes one word into a state (the finaliser of SplitMix64, Steele et al. 2014).
pub(crate) fn mix(state: u64) -> u64 {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

/// A number for a name that stays the same for ever (FNV-1a, then mixed).
pub(crate) fn name(text: &str) -> u64 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    mix(hash)
}

/// A uniform number in `[0, 1)` for a seed, a name and a counter.
pub(crate) fn uniform(seed: u64, name: u64, counter: u64) -> f64 {
    uniform_of(mix(seed ^ name), counter)
}

/// The same for a seed and a name that are mixed already.
pub(crate) fn uniform_of(mixed: u64, counter: u64) -> f64 {
    let bits = mix(mixed.wrapping_add(counter)) >> 11;
    bits as f64 * (1.0 / (1_u64 << 53) as f64)
}

/// The inverse distribution of a range, as a table: PERT with gamma 4 (a Beta scaled to the range),
/// on a logarithmic scale where the range spans more than a factor of ten, since low and high are
/// then meant as factors.
#[derive(Clone, Debug)]
pub(crate) struct Quantiles {
    values: Vec<f64>,
}

/// Logarithms of the points at which densities are summed: the middles of as many equal parts of
/// `0..1`. Read backwards they are those of one less the point.
static LOGARITHMS: LazyLock<Vec<f64>> = LazyLock::new(|| {
    let point = |at: usize| (at as f64 + 0.5) / Quantiles::POINTS as f64;
    (0..Quantiles::POINTS).map(|at| point(at).ln()).collect()
});

/// Quantiles of Betas in `0..1` by their first shape; most ranges of an estate share a few.
static BETAS: LazyLock<Mutex<HashMap<u64, Arc<Vec<f64>>>>> = LazyLock::new(Mutex::default);

/// Betas that are kept: a kilobyte each.
const BETAS_MAX: usize = 4096;

impl Quantiles {
    /// Steps of the table; between them values are interpolated.
    const STEPS: usize = 128;
    /// Points at which the density is summed.
    const POINTS: usize = 1024;

    pub(crate) fn new(range: Range) -> Self {
        if range.high <= range.low {
            return Self { values: vec![range.likely] };
        }
        let is_wide = range.low > 0.0 && range.high / range.low > 10.0;
        let scale = |value: f64| if is_wide { value.ln() } else { value };
        let (low, likely, high) = (scale(range.low), scale(range.likely), scale(range.high));
        let width = high - low;
        let scaled = |value: &f64| {
            let scaled = low + width * value;
            if is_wide { scaled.exp() } else { scaled }
        };
        Self { values: Self::beta(4.0 * (likely - low) / width).iter().map(scaled).collect() }
    }

    /// Quantiles of the Beta whose shapes, less one, are `alpha` and the rest of four.
    fn beta(alpha: f64) -> Arc<Vec<f64>> {
        let mut known = BETAS.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= BETAS_MAX {
            known.clear();
        }
        known.entry(alpha.to_bits()).or_insert_with(|| Arc::new(Self::beta_of(alpha))).clone()
    }

    fn beta_of(alpha: f64) -> Vec<f64> {
        let beta = 4.0 - alpha;
        let logarithms = LOGARITHMS.iter().zip(LOGARITHMS.iter().rev());
        let densities: Vec<f64> =
            logarithms.map(|(x, rest)| (alpha * x + beta * rest).exp()).collect();
        let total: f64 = densities.iter().sum();
        let mut values = Vec::with_capacity(Self::STEPS + 1);
        values.push(0.0);
        let mut sum = 0.0;
        for (at, density) in densities.into_iter().enumerate() {
            let mass = density / total;
            while values.len() < Self::STEPS
                && values.len() as f64 / Self::STEPS as f64 <= sum + mass
            {
                let wanted = values.len() as f64 / Self::STEPS as f64;
                values.push((at as f64 + (wanted - sum) / mass) / Self::POINTS as f64);
            }
            sum += mass;
        }
        values.resize(Self::STEPS + 1, 1.0);
        values
    }

    /// The value below which the share `at` of all draws lies; rises with `at`.
    pub(crate) fn at(&self, at: f64) -> f64 {
        let place = at.clamp(0.0, 1.0) * (self.values.len() - 1) as f64;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0..=STEPS")]
        let index = place as usize;
        let below = self.values.get(index).copied().unwrap_or_default();
        let above = self.values.get(index + 1).copied().unwrap_or(below);
        below + (above - below) * (place - index as f64)
    }
}

/// The value at quantile `at` of a triangular distribution on a logarithmic scale.
///
/// Monotone in `at`, so that a base world and a treated one can share the quantile.
pub(crate) fn quantile(range: Range, at: f64) -> f64 {
    if range.high <= range.low {
        return range.likely;
    }
    // From no time at all is from a minute on: a logarithm has no zero.
    let least = 1.0 / 60.0;
    let range = Range::new(range.low.max(least), range.likely.max(least), range.high.max(least));
    let (low, likely, high) = (range.low.ln(), range.likely.ln(), range.high.ln());
    let turn = (likely - low) / (high - low);
    let value = if at < turn {
        low + (at * (high - low) * (likely - low)).sqrt()
    } else {
        high - ((1.0 - at) * (high - low) * (high - likely)).sqrt()
    };
    value.exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_of_a_range_have_its_mean() {
        let wanted = Range::new(0.1, 0.2, 0.6);
        let count = 20_000;
        let table = Quantiles::new(wanted);
        let draw = |at| table.at(uniform(1, name("x"), at));
        let mean: f64 = (0..count).map(draw).sum::<f64>() / count as f64;
        assert!((mean - wanted.mean()).abs() < 0.003, "{mean}");
    }

    #[test]
    fn quantiles_rise_within_the_range() {
        let hours = Range::new(4.0, 48.0, 336.0);
        let values: Vec<f64> = (0..=10).map(|at| quantile(hours, f64::from(at) / 10.0)).collect();
        assert!(values.windows(2).all(|pair| pair[0] < pair[1]));
        assert!((values[0] - 4.0).abs() < 1e-9 && (values[10] - 336.0).abs() < 1e-6);
    }
}
