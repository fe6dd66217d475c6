//! Proposes backups out of reach, and practice.

use crate::practice::Scene;
use polder_model::{Finding, Op, PackageManager, Range, Treatment};

pub(super) fn treat(finding: &Finding, scene: &Scene<'_>) -> Vec<Treatment> {
    match finding.kind.as_str() {
        "drill/no-backup" | "drill/destroyable" => vec![
            Treatment::new("backup-out-of-reach", "Keep a backup that this host cannot destroy", [2.0, 4.0, 12.0])
                .decide("Which machine pulls the backup, or takes it append-only? Its keys must not lie on this host")
                .run(PackageManager::of(scene.facts).install("borgbackup"))
                .decide("On the other machine: `borg serve --append-only --restrict-to-path REPO` as the forced command of this host's key")
                .undo_by("take the key out of the other machine's authorized_keys; purge borgbackup here")
                .verify("an attempt to delete an archive from this host is gone after `borg check` on the other machine")
                .may_break("none", "")
                .effect(Op::Restore { hours: Range::new(2.0, 24.0, 168.0), drills: Some(0) })
                .removing(&finding.opens),
        ],
        "drill/never-restored" => vec![
            Treatment::new("practise-restore", "Practise a restore on a spare machine, and note how long it took", [2.0, 4.0, 10.0])
                .decide("Restore the newest backup on an empty machine; start the services; compare a few records")
                .edit("/etc/polder/polder.toml", "[drill] last_restore = \"YYYY-MM-DD\", restores = [HOURS]")
                .undo_by("delete the spare machine, and take the lines out of polder.toml")
                .verify("`polder assess` shows the measured hours")
                .may_break("none", "")
                .effect(Op::Restore { hours: Range::new(2.0, 12.0, 72.0), drills: Some(1) }),
        ],
        _ => Vec::new(),
    }
}
