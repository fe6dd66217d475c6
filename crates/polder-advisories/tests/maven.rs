//! The order of Maven's versions, against Maven's own.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test may panic; it runs the incumbent"
)]

use polder_advisories::Order;
use std::cmp::Ordering;
use std::process::Command;

/// Versions made of the parts that real ones have, the same at each run.
fn versions(count: usize) -> Vec<String> {
    const PARTS: [&str; 24] = [
        "0",
        "1",
        "2",
        "10",
        "007",
        "20230101",
        "alpha",
        "beta",
        "m",
        "a",
        "b",
        "rc",
        "cr",
        "snapshot",
        "ga",
        "final",
        "sp",
        "jre",
        "android",
        "release",
        "x",
        "incubating",
        "",
        "3",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    let one = |next: &mut dyn FnMut(usize) -> usize| {
        let mut version = String::from(PARTS[next(6)]);
        for _ in 0..next(6) {
            version.push_str([".", "-", ""][next(3)]);
            version.push_str(PARTS[next(PARTS.len())]);
        }
        version
    };
    (0..count).map(|_| one(&mut next)).collect()
}

#[test]
fn the_same_order_as_maven_itself() {
    let program = |class_path: &str, versions: &[String]| {
        let class = "org.apache.maven.artifact.versioning.ComparableVersion";
        let output = Command::new("java").args(["-cp", class_path, class]).args(versions).output();
        output.ok().filter(|it| it.status.success())
    };
    let versions = versions(4_000);
    let Some(output) = program("/usr/share/maven/lib/*", &versions) else {
        eprintln!("SKIPPED: Maven is not installed (package `maven`)");
        return;
    };
    let text = String::from_utf8(output.stdout).unwrap();
    let mut compared = 0;
    for line in text.lines().filter_map(|it| it.strip_prefix("   ")) {
        let [left, sign, right] = line.split(' ').collect::<Vec<_>>()[..] else { continue };
        let wanted = match sign {
            "<" => Ordering::Less,
            ">" => Ordering::Greater,
            _ => Ordering::Equal,
        };
        assert_eq!(Order::Maven.compare(left, right), Some(wanted), "{line}");
        compared += 1;
    }
    assert!(compared > 3_900, "{compared} of {}", versions.len());
}
