//! Counter-based randomness: every draw is a hash of what it is for.

use polder_model::Range;

/// Mixes one word into a state (the finaliser of SplitMix64, Steele et al. 2014).
fn mix(state: u64) -> u64 {
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
    let bits = mix(mix(seed ^ name).wrapping_add(counter)) >> 11;
    bits as f64 * (1.0 / (1_u64 << 53) as f64)
}

/// A value of a range for a name and a counter.
///
/// PERT with gamma 4 (a Beta scaled to the range), on a logarithmic scale where the range spans
/// more than a factor of ten: low and high are then meant as factors.
pub(crate) fn range(range: Range, seed: u64, name: u64, counter: u64) -> f64 {
    if range.high <= range.low {
        return range.likely;
    }
    let is_wide = range.low > 0.0 && range.high / range.low > 10.0;
    let scale = |value: f64| if is_wide { value.ln() } else { value };
    let (low, likely, high) = (scale(range.low), scale(range.likely), scale(range.high));
    let width = high - low;
    let alpha = 1.0 + 4.0 * (likely - low) / width;
    let beta = 1.0 + 4.0 * (high - likely) / width;
    let mut stream = Stream { seed, name, counter: counter << 16 };
    let first = stream.gamma(alpha);
    let second = stream.gamma(beta);
    let value = low + width * first / (first + second);
    if is_wide { value.exp() } else { value }
}

/// The value at quantile `at` of a triangular distribution on a logarithmic scale.
///
/// Monotone in `at`, so that a base world and a treated one can share the quantile.
pub(crate) fn quantile(range: Range, at: f64) -> f64 {
    if range.high <= range.low || range.low <= 0.0 {
        return range.likely;
    }
    let (low, likely, high) = (range.low.ln(), range.likely.ln(), range.high.ln());
    let turn = (likely - low) / (high - low);
    let value = if at < turn {
        low + (at * (high - low) * (likely - low)).sqrt()
    } else {
        high - ((1.0 - at) * (high - low) * (high - likely)).sqrt()
    };
    value.exp()
}

/// A sequence of draws for one name and counter.
struct Stream {
    seed: u64,
    name: u64,
    counter: u64,
}

impl Stream {
    fn uniform(&mut self) -> f64 {
        self.counter += 1;
        uniform(self.seed, self.name, self.counter)
    }

    fn normal(&mut self) -> f64 {
        // Box and Muller 1958; the first number must not be zero.
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Gamma with this shape of at least one, and scale one (Marsaglia and Tsang 2000).
    fn gamma(&mut self, shape: f64) -> f64 {
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        // Fewer than one in twenty tries fails; the bound only keeps the loop finite.
        for _ in 0..64 {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && (1.0 - self.uniform()).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
        d
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_of_a_range_have_its_mean() {
        let wanted = Range::new(0.1, 0.2, 0.6);
        let count = 20_000;
        let mean: f64 =
            (0..count).map(|at| range(wanted, 1, name("x"), at)).sum::<f64>() / count as f64;
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
