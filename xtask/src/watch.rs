//! What the watch costs, whom it names, and what a flood hides, beside inotifywait.

use crate::run;
use std::fs;
use std::process::Command;

const FOLDER: &str = "target/bench-watch";

/// Unmounts and removes everything at the end.
struct Memory;

impl Memory {
    const IMAGE: &str = "/dev/shm/polder-bench-watch.ext4";
}

impl Drop for Memory {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(format!("{FOLDER}/root")).status();
        let _ = fs::remove_file(Self::IMAGE);
        let _ = fs::remove_dir_all(FOLDER);
    }
}

/// Prints what was measured; says so where nothing can be mounted.
pub(crate) fn run(polder: &str) -> Result<(), String> {
    println!("\n`polder watch` on an ext4 in memory\n");
    let _ = fs::remove_dir_all(FOLDER);
    let root = format!("{FOLDER}/root");
    fs::create_dir_all(&root).map_err(|error| error.to_string())?;
    // In memory: a disk would be slow enough to hide what a watch costs.
    let image = Memory::IMAGE;
    let made = fs::File::create(image).and_then(|file| file.set_len(2 << 30));
    made.map_err(|error| format!("{image}: {error}"))?;
    run::program("mkfs.ext4", &["-q", "-F", "-N", "200000", image])?;
    let memory = Memory;
    if run::output("mount", &["-o", "loop", image, &root]).is_none() {
        println!("not measured: nothing can be mounted here");
        return Ok(());
    }
    let polder = fs::canonicalize(polder).map_err(|error| error.to_string())?;
    let done = run::program(
        "python3",
        &["xtask/src/peers/watch.py", &polder.display().to_string(), FOLDER],
    );
    drop(memory);
    done
}
