//! The reader of inode tables against `debugfs`, on images with different features.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test may panic, and makes files"
)]

use polder_integrity::ext4::sweep;
use polder_integrity::inodes::{changed, pack};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

/// Runs a program of e2fsprogs; none where it is not installed.
fn tool(program: &str, arguments: &[&str]) -> Option<String> {
    let path = ["/usr/sbin", "/sbin"].iter().map(|it| format!("{it}/{program}"));
    let path = path.into_iter().find(|it| Path::new(it).is_file())?;
    let output = Command::new(path).args(arguments).env("LC_ALL", "C").output().unwrap();
    let says = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {says}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A folder with files of many kinds, hard links and long links.
fn furnish(folder: &Path) {
    for number in 0..300 {
        let inside = folder.join(format!("d{}", number % 17));
        fs::create_dir_all(&inside).unwrap();
        fs::write(inside.join(format!("f{number}")), vec![7; number * 13]).unwrap();
    }
    fs::hard_link(folder.join("d0/f0"), folder.join("second")).unwrap();
    std::os::unix::fs::symlink("d0/f0", folder.join("short")).unwrap();
    std::os::unix::fs::symlink("x".repeat(300), folder.join("long")).unwrap();
}

/// Inodes in use by `debugfs`: all names of all folders.
fn by_debugfs(image: &str) -> Vec<u32> {
    let mut all = BTreeSet::from([2]);
    let mut folders = vec![2];
    while let Some(folder) = folders.pop() {
        let says = tool("debugfs", &["-R", &format!("ls -p <{folder}>"), image]).unwrap();
        for line in says.lines().filter(|it| it.starts_with('/')) {
            let parts: Vec<&str> = line.split('/').collect();
            let (inode, mode, name) = (parts[1].parse::<u32>().unwrap(), parts[2], parts[5]);
            let is_own = inode == 0 || name == "." || name == "..";
            if !is_own && all.insert(inode) && mode.starts_with("04") {
                folders.push(inode);
            }
        }
    }
    all.into_iter().collect()
}

/// What a file system is made with, beside its name.
const FEATURES: [(&str, &[&str]); 17] = [
    ("ext4", &["-t", "ext4"]),
    ("ext3", &["-t", "ext3"]),
    ("ext2 with inodes of 128 bytes", &["-t", "ext2", "-I", "128"]),
    ("blocks of 1 KiB", &["-t", "ext4", "-b", "1024"]),
    ("blocks of 2 KiB, inodes of 512 bytes", &["-t", "ext4", "-b", "2048", "-I", "512"]),
    ("no flexible groups", &["-t", "ext4", "-O", "^flex_bg"]),
    ("meta groups", &["-t", "ext4", "-b", "1024", "-O", "meta_bg,^resize_inode"]),
    ("meta groups of 64 bits", &["-t", "ext4", "-O", "64bit,meta_bg,^resize_inode"]),
    ("32 bits", &["-t", "ext4", "-O", "^64bit"]),
    ("no checksums", &["-t", "ext4", "-O", "^metadata_csum,^uninit_bg"]),
    ("old checksums", &["-t", "ext4", "-O", "^metadata_csum,uninit_bg"]),
    ("large clusters", &["-t", "ext4", "-O", "bigalloc"]),
    ("data in inodes", &["-t", "ext4", "-O", "inline_data"]),
    ("encryption and folded names", &["-t", "ext4", "-O", "encrypt,casefold"]),
    ("seed, large folders, verity", &["-t", "ext4", "-O", "metadata_csum_seed,large_dir,verity"]),
    ("two copies of the super block", &["-t", "ext4", "-O", "sparse_super2,^resize_inode"]),
    ("few inodes", &["-t", "ext4", "-g", "8192", "-N", "4096"]),
];

#[test]
fn inodes_in_use_are_those_of_debugfs_whatever_the_features() {
    if tool("debugfs", &["-V"]).is_none() {
        eprintln!("SKIPPED: e2fsprogs is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    furnish(&tree);
    let mut swept = 0;
    for (name, arguments) in FEATURES {
        let image = folder.path().join("image");
        let shown = image.to_str().unwrap();
        File::create(&image).unwrap().set_len(96 << 20).unwrap();
        let made = [&["-q", "-F"], arguments, &["-d", tree.to_str().unwrap(), shown]].concat();
        let made = Command::new("/usr/sbin/mkfs.ext4").args(&made).output();
        if !made.is_ok_and(|it| it.status.success()) {
            eprintln!("SKIPPED: mkfs.ext4 here makes no image with {name}");
            continue;
        }
        let look = || {
            sweep(&File::open(&image).unwrap()).unwrap_or_else(|error| panic!("{name}: {error}"))
        };
        let found = look();
        let numbers: Vec<u32> = found.all.iter().map(|it| it.0).collect();
        assert_eq!(numbers, by_debugfs(shown), "{name}");
        // One inode that is changed is the one that is told.
        let target = numbers[numbers.len() / 2];
        let set = |what: &str| {
            tool("debugfs", &["-w", "-R", &format!("set_inode_field <{target}> {what}"), shown])
        };
        set("mode 0104755");
        let now = look();
        assert_eq!(changed(&pack(&found.all), &now.all), [target], "{name}");
        // The time of access tells nothing.
        set("atime 20010203");
        assert_eq!(changed(&pack(&now.all), &look().all), [0; 0], "{name}");
        swept += 1;
    }
    assert!(swept >= 14, "only {swept} images could be made");
}

#[test]
fn a_feature_that_is_not_known_is_refused_and_damage_never_panics() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image");
    File::create(&image).unwrap().set_len(8 << 20).unwrap();
    if tool("mkfs.ext4", &["-q", "-F", image.to_str().unwrap()]).is_none() {
        eprintln!("SKIPPED: e2fsprogs is not installed");
        return;
    }
    let whole = fs::read(&image).unwrap();
    assert_eq!(sweep(&whole[..]).unwrap().all.len(), 2, "the root and lost+found");
    let mut unknown = whole.clone();
    unknown[1024 + 98] |= 0x80;
    assert!(sweep(&unknown[..]).unwrap_err().to_string().contains("not known"));
    let mut state = 1_u64;
    for _ in 0..4000 {
        let mut bytes = whole[..64 << 10].to_vec();
        for _ in 0..3 {
            state = state * 48_271 % 0x7fff_ffff;
            let at = 1024 + usize::try_from(state % 8192).unwrap();
            bytes[at] = u8::try_from(state >> 8 & 0xff).unwrap();
        }
        let _ = sweep(&bytes[..]);
    }
}
