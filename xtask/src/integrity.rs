//! The baseline beside AIDE, Tripwire and Samhain: the same files on a file system of their own, cold and warm, and digests
//! beside those of b3sum.

use crate::run;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Where everything is put; it is removed at the end.
const FOLDER: &str = "target/bench-integrity";

/// Bytes of the image, most of which stay holes.
const IMAGE_BYTES: u64 = 24 << 30;

/// Small files beside a copy of `/usr`: folders, and files in each.
const SMALL: (usize, usize) = (400, 500);

/// Files of which digests are compared.
const DIGESTS: usize = 200;

/// A disk that is mounted for as long as this runs.
struct Disk {
    root: String,
    image: String,
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.root).status();
        let _ = fs::remove_dir_all(FOLDER);
    }
}

/// What one command took.
struct Took {
    seconds: f64,
    /// Processor time of user and system.
    processor: f64,
    megabytes: f64,
}

/// Prints the table; says so where images cannot be mounted.
pub(crate) fn run(polder: &str) -> Result<(), String> {
    println!(
        "\na baseline of /usr and 200,000 small files on an ext4 of their own, beside AIDE with SHA-256\n"
    );
    let Some(disk) = disk()? else {
        println!("not measured: no image can be mounted here");
        return Ok(());
    };
    let root = fs::canonicalize(&disk.root).map_err(|error| error.to_string())?;
    let root = root.display().to_string();
    let config = format!("{FOLDER}/polder.toml");
    write(&config, &format!("[baseline]\ndefaults = false\nwatch = [\"{root}\"]\n"))?;
    write(&format!("{FOLDER}/passphrase"), "correct horse battery\n")?;
    let (config, state) = (format!("--config={config}"), format!("--state={FOLDER}/state"));
    let passphrase = format!("--passphrase-file={FOLDER}/passphrase");
    let ours = |arguments: &[&str]| {
        took(polder, &[&["baseline"], arguments, &["--quiet", &config, &state]].concat())
    };
    println!("{:<38} {:>9} {:>9} {:>9}", "command", "seconds", "CPU s", "MB");
    show("polder baseline init, warm", &ours(&["init", &passphrase])?);
    disk.chill()?;
    let cold = ours(&["check"])?;
    show("polder baseline check, cold", &cold);
    let warm = best(5, || ours(&["check"]))?;
    show("polder baseline check, warm", &warm);
    let read = best(2, || ours(&["check", "--content"]))?;
    show("polder baseline check --content, warm", &read);
    disk.chill()?;
    let read_cold = ours(&["check", "--content"])?;
    show("polder baseline check --content, cold", &read_cold);
    digests(polder, &root, &[&config, &state])?;
    older(&root)?;
    if !run::is_there("aide") {
        println!("not compared: aide is not installed");
        return Ok(());
    }
    let settings = format!(
        "database_in=file:{FOLDER}/aide.db\ndatabase_out=file:{FOLDER}/aide.db\ngzip_dbout=no\n{root} p+i+n+u+g+s+m+c+acl+xattrs+sha256\n"
    );
    write(&format!("{FOLDER}/aide.conf"), &settings)?;
    let aide = |what: &str| took("aide", &[what, &format!("--config={FOLDER}/aide.conf")]);
    show("aide --init, warm", &aide("--init")?);
    let beside = aide("--check")?;
    show("aide --check, warm", &beside);
    disk.chill()?;
    let beside_cold = aide("--check")?;
    show("aide --check, cold", &beside_cold);
    println!(
        "unchanged, cold: 1/{:.0} of the time of AIDE, warm 1/{:.0}; reading everything, warm: 1/{:.1} of the time and 1/{:.1} of the processor, cold 1/{:.1} (bound by the disk)",
        beside_cold.seconds / cold.seconds,
        beside.seconds / warm.seconds,
        beside.seconds / read.seconds,
        beside.processor / read.processor,
        beside_cold.seconds / read_cold.seconds
    );
    Ok(())
}

/// Tripwire with the strongest digest it has (SHA-1), and Samhain with SHA-256: both read everything.
fn older(root: &str) -> Result<(), String> {
    let folder = fs::canonicalize(FOLDER).map_err(|error| error.to_string())?;
    let folder = folder.display().to_string();
    let sbin = |name: &str| std::path::Path::new("/usr/sbin").join(name).is_file();
    if sbin("tripwire") {
        let script = "xtask/src/peers/tripwire.sh";
        run::output("bash", &[script, &folder, root]).ok_or("Tripwire cannot be set up")?;
        let cfg = format!("{folder}/tw.cfg");
        let init = ["--init", "-s", "-c", &cfg, "-P", "benchmark"];
        show("tripwire --init, warm", &took("/usr/sbin/tripwire", &init)?);
        show(
            "tripwire --check, warm",
            &took("/usr/sbin/tripwire", &["--check", "-s", "-c", &cfg])?,
        );
    }
    if sbin("samhain") {
        let samhain = |what: &str| {
            let script = "xtask/src/peers/samhain.sh";
            took("unshare", &["--mount", "bash", script, &folder, root, what])
        };
        show("samhain -t init, warm", &samhain("init")?);
        show("samhain -t check, warm", &samhain("check")?);
    }
    Ok(())
}

fn show(name: &str, it: &Took) {
    println!("{name:<38} {:>9.2} {:>9.2} {:>9.1}", it.seconds, it.processor, it.megabytes);
}

fn best(runs: usize, mut run: impl FnMut() -> Result<Took, String>) -> Result<Took, String> {
    let mut all = (0..runs).map(|_| run()).collect::<Result<Vec<_>, _>>()?;
    all.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    all.into_iter().next().ok_or_else(|| "nothing was run".into())
}

fn write(path: &str, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{path}: {error}"))
}

/// An image with a copy of `/usr` and small files.
fn disk() -> Result<Option<Disk>, String> {
    let _ = fs::remove_dir_all(FOLDER);
    let (image, root) = (format!("{FOLDER}/image"), format!("{FOLDER}/root"));
    fs::create_dir_all(&root).map_err(|error| error.to_string())?;
    let made = fs::File::create(&image).and_then(|file| file.set_len(IMAGE_BYTES));
    made.map_err(|error| format!("{image}: {error}"))?;
    run::program("mkfs.ext4", &["-q", "-F", "-N", "1500000", &image])?;
    let disk = Disk { root, image };
    if disk.mount().is_err() {
        return Ok(None);
    }
    run::program("cp", &["-a", "--one-file-system", "/usr", &disk.root])?;
    for folder in 0..SMALL.0 {
        let path = format!("{}/small/{folder}", disk.root);
        fs::create_dir_all(&path).map_err(|error| error.to_string())?;
        for file in 0..SMALL.1 {
            write(&format!("{path}/{file}"), &format!("{folder} {file}\n").repeat(300))?;
        }
    }
    Ok(Some(disk))
}

impl Disk {
    fn mount(&self) -> Result<(), String> {
        run::output("mount", &["-o", "loop", &self.image, &self.root])
            .map(drop)
            .ok_or_else(|| "the image cannot be mounted".into())
    }

    /// Leaves nothing of the file system in memory.
    fn chill(&self) -> Result<(), String> {
        run::output("umount", &[&self.root]).ok_or("the image cannot be unmounted")?;
        run::output("sync", &[]).ok_or("sync failed")?;
        let dropped = fs::File::create("/proc/sys/vm/drop_caches")
            .and_then(|mut file| file.write_all(b"3\n"));
        if dropped.is_err() {
            println!("(the caches of the machine could not be dropped: cold is only half cold)");
        }
        self.mount()
    }
}

/// Time, processor time and largest resident set of one run, by the accounting of the shell's `wait4`.
fn took(program: &str, arguments: &[&str]) -> Result<Took, String> {
    let start = Instant::now();
    let output = Command::new("/usr/bin/time")
        .args(["-f", "polder-bench %U %S %M", program])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output()
        .map_err(|error| format!("`time` cannot be run: {error}"))?;
    let seconds = start.elapsed().as_secs_f64();
    let says = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = says.lines().find_map(|line| line.strip_prefix("polder-bench "));
    let numbers: Vec<f64> =
        line.into_iter().flat_map(str::split_whitespace).filter_map(|it| it.parse().ok()).collect();
    let [user, system, kilobytes] = numbers[..] else {
        return Err(format!("`{program} {}` failed: {says}", arguments.join(" ")));
    };
    // AIDE's codes for differences are none here: nothing was changed.
    if !output.status.success() {
        return Err(format!(
            "`{program} {}` ended with {}: {says}",
            arguments.join(" "),
            output.status
        ));
    }
    Ok(Took { seconds, processor: user + system, megabytes: kilobytes / 1e3 })
}

/// Digests of some files beside those of `b3sum`.
fn digests(polder: &str, root: &str, flags: &[&str]) -> Result<(), String> {
    if !run::is_there("b3sum") {
        println!("digests not compared: b3sum is not installed");
        return Ok(());
    }
    let names = run::output("find", &[root, "-type", "f"]).unwrap_or_default();
    let all: Vec<&str> = names.lines().collect();
    let step = (all.len() / DIGESTS).max(1);
    let mut same = 0;
    for path in all.iter().step_by(step) {
        let shown = run::output(polder, &[&["baseline", "show", path, "--json"], flags].concat());
        let theirs = run::output("b3sum", &["--no-names", path]).unwrap_or_default();
        let digest = theirs.trim();
        if digest.is_empty() || !shown.is_some_and(|it| it.contains(digest)) {
            return Err(format!("the digest of `{path}` is not that of b3sum"));
        }
        same += 1;
    }
    println!("digests of {same} files are those of b3sum");
    Ok(())
}
