//! How long hosts stay down: how long a restore takes, and whether it works.
#![expect(clippy::indexing_slicing, reason = "every block has a place for each restore")]

use crate::draw;
use crate::effect::Edit;
use crate::ledger;
use crate::sample::{Options, Sample};
use polder_model::{REBUILD_HOURS, Range, Restore};

/// How long a host stays down, in one block.
#[derive(Clone, Copy)]
pub(crate) struct Outage {
    hours: Range,
    /// Probability that the restore fails and all is built anew.
    fails: f64,
}

/// Every restore in every block, drawn once.
pub(crate) struct Outages {
    /// Block by block, the restores in the order of [`ledger::restores`].
    drawn: Vec<Outage>,
    /// Mean hours of each restore.
    pub(crate) mean: Vec<f64>,
    /// The restore of each edit that gives one.
    pub(crate) of_edit: Vec<Option<usize>>,
}

impl Outages {
    pub(crate) fn new(sample: &Sample<'_>) -> Self {
        let restores = ledger::restores(sample);
        let Options { seed, blocks, .. } = sample.options;
        // Whether restores work is as uncertain for all of them.
        let luck = |block| draw::uniform(seed ^ 0x5eed, draw::name("restore fails"), block);
        let draw = |it: &Restore, at| Outage { hours: it.hours, fails: it.fails(at) };
        let in_block = |block| restores.iter().map(move |it| draw(it, luck(block)));
        let mut count = 0;
        let mut place = |edit: &Edit| {
            count += usize::from(edit.restore.is_some());
            edit.restore.map(|_| count)
        };
        Self {
            drawn: (0..blocks).flat_map(in_block).collect(),
            mean: restores.iter().map(|it| it.mean()).collect(),
            of_edit: sample.edits.iter().map(&mut place).collect(),
        }
    }

    pub(crate) fn in_block(&self, block: u64) -> &[Outage] {
        let count = self.mean.len();
        let first = usize::try_from(block).unwrap_or(0) * count;
        &self.drawn[first..first + count]
    }
}

/// The luck of one world with restores: two uniform numbers.
#[derive(Clone, Copy)]
pub(crate) struct Luck {
    pub(crate) hours: f64,
    pub(crate) fails: f64,
}

impl Outage {
    /// Hours in one world. A restore that fails less often or takes less is longer in none.
    pub(crate) fn hours(self, luck: Luck) -> f64 {
        let is_rebuilt = luck.fails < self.fails;
        let range = if is_rebuilt { self.hours.at_least(REBUILD_HOURS) } else { self.hours };
        draw::quantile(range, luck.hours)
    }
}
