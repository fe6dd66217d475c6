//! A tree that somebody made deep and wide does not bring a look down.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test may panic, and makes files"
)]

use polder_host::{Host, LiveHost};

#[test]
fn a_deep_tree_is_walked_to_the_limit_and_the_limit_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut path = folder.path().to_path_buf();
    for _ in 0..200 {
        for name in ["a", "b", "c"] {
            std::fs::create_dir(path.join(name)).unwrap();
        }
        path.push("b");
    }
    let sweep = LiveHost::folder(folder.path()).unwrap().sweep().unwrap();
    assert!(sweep.cut.unwrap().contains("levels"));
    assert!(sweep.files >= 300, "{}", sweep.files);
}
