//! What one host takes from facts to plan: judged, priced, planned, and tried with wrong guesses.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench may panic and print"
)]

use polder_host::read_archive;
use polder_model::{InternetFacing, Settings, Treatment};
use polder_risk::{Options, Request, price, stability};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

const RUNS: usize = 10;

/// Hosts of the repository, from one in which little is lost to one in which nearly all is.
const HOSTS: [&str; 3] = ["shop-kept", "database", "shop-neglected"];

/// Treatments whose order `polder assess` tries with guesses that are wrong.
const STABLE: usize = 12;

fn main() {
    for name in HOSTS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/hosts");
        let host = read_archive(&folder.join(format!("{name}.polder"))).unwrap();
        let facts = polder_facts::look(&host, &|_| {});
        let settings = Settings { internet_facing: InternetFacing::Yes, ..Settings::default() };
        let mut all: Vec<f64> = Vec::new();
        for _ in 0..RUNS {
            let start = Instant::now();
            let model = polder_practices::judge(&facts, &settings);
            let mut seen = BTreeSet::new();
            let treatments: Vec<&Treatment> = model
                .findings
                .iter()
                .flat_map(|it| &it.treatments)
                .filter(|it| seen.insert(it.id.clone()))
                .collect();
            let (request, options) = (Request::first(5), Options::default());
            let pricing = price(&model.graph, model.restore, &treatments, &request, options);
            let best = pricing.treatments.iter().take(STABLE);
            let is_best = |it: &&&Treatment| best.clone().any(|value| value.id == it.id);
            let first: Vec<&Treatment> = treatments.iter().filter(is_best).copied().collect();
            let few = Options { worlds_per_block: 8, ..options };
            let shifted = stability(&model.graph, model.restore, &first, few, false);
            assert_eq!(shifted.len(), 2);
            all.push(start.elapsed().as_secs_f64() * 1e3);
        }
        all.sort_by(f64::total_cmp);
        println!("{name:<16} {:>6.1} ms, fastest of {RUNS} {:.1}", all[RUNS / 2], all[0]);
    }
}
