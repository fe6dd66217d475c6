//! Programs of the owner's that run, and known flaws in their libraries.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test may panic, and runs programs"
)]

mod support;

use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use support::{Running, rows, run, skipped, stderr, table_with, text};

/// A server on a port the kernel chose; it says so once it listens.
const SERVER: &str = "import socket, sys\ns = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()\nprint(s.getsockname()[1], flush=True)\nsys.stdin.read()\n";

fn serve(python: &Path, folder: &Path, script: &str) -> (Running, String) {
    let mut child = Command::new(python)
        .arg(script)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut port = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
    (Running(child), port.trim().into())
}

/// A record of the OSV schema about an invented library.
fn record(name: &str, fixed: &str) -> Value {
    serde_json::json!({
        "schema_version": "1.7.0", "id": format!("PYSEC-9-{name}"), "aliases": ["CVE-2026-9100"],
        "modified": "2099-01-01T00:00:00Z", "published": "2026-10-01T00:00:00Z",
        "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
        "affected": [{"package": {"ecosystem": "PyPI", "name": name}, "ranges": [
            {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": fixed}]}]}]
    })
}

fn look(table: &str, state: &str) -> Value {
    table_with(table, &[state])
}

#[test]
fn a_flaw_in_a_library_counts_where_what_runs_is_built_with_it() {
    let python = Path::new("/usr/bin/python3");
    if !python.exists() {
        return skipped("`python3` is not installed");
    }
    let folder = tempfile::tempdir().unwrap();
    let state = format!("--state={}", folder.path().join("state").display());
    let make = |name: &str, lock: &str| {
        let app = folder.path().join(name);
        fs::create_dir_all(app.join("src")).unwrap();
        fs::write(app.join("requirements.txt"), lock).unwrap();
        fs::write(app.join("src/serve.py"), SERVER).unwrap();
        app
    };
    // One is told by its script, one by its environment, one does not run.
    let shop = make("shop it's", "invented==1.0\nsecretstorage==3.3.1\n");
    let sleeping = make("sleeping", "invented==1.0\n");
    let site = make("site", "");
    let environment = site.join("venv");
    for below in ["bin", "lib/python3.11/site-packages/invented-1.1.dist-info"] {
        fs::create_dir_all(environment.join(below)).unwrap();
    }
    fs::write(environment.join("pyvenv.cfg"), "home = /usr/bin\n").unwrap();
    let packages = environment.join("lib/python3.11/site-packages");
    let note = "Metadata-Version: 2.1\nName: invented\nVersion: 1.1\n\n";
    fs::write(packages.join("invented-1.1.dist-info/METADATA"), note).unwrap();
    std::os::unix::fs::symlink(python, environment.join("bin/python")).unwrap();
    let (one, port) = serve(python, &shop, "src/serve.py");
    let (two, _) = serve(
        &environment.join("bin/python"),
        Path::new("/"),
        &site.join("src/serve.py").display().to_string(),
    );

    let looked = look("applications", &state);
    let mine: Vec<Value> = rows(&looked)
        .into_iter()
        .filter(|it| text(it, "path").starts_with(&folder.path().display().to_string()))
        .collect();
    let path = shop.join("requirements.txt").display().to_string();
    let found: Vec<String> = mine.iter().map(|it| text(it, "path")).collect();
    assert!(found.contains(&path), "{looked}");
    assert!(found.contains(&packages.display().to_string()), "{looked}");
    assert!(!found.iter().any(|it| it.contains(&sleeping.display().to_string())), "{looked}");
    // A name that speaks of secrets is a name all the same.
    assert!(looked.to_string().contains(r#""name":"secretstorage","version":"3.3.1""#), "{looked}");

    // Without a feed nothing is "no flaw".
    let view = assess(&state);
    assert!(unknown(&view).contains("no feed of known flaws covers PyPI"), "{}", unknown(&view));

    let feed = folder.path().join("feed.json");
    fs::write(&feed, serde_json::json!([record("invented", "1.1")]).to_string()).unwrap();
    let output = run(&["feed", "import", &feed.display().to_string(), &state]);
    assert!(output.status.success(), "{}", stderr(&output));
    let view = assess(&state);
    let findings = view["findings"].as_array().unwrap().iter().map(|it| &it["finding"]);
    let mut library = findings.filter(|it| text(it, "id").starts_with("patch/library:"));
    let mine = library.find(|it| text(it, "subject") == path).expect("it is found");
    assert!(text(mine, "says").contains("invented 1.0"), "{mine}");
    // 1.1 has no flaw, and nobody runs the other.
    let others =
        library.filter(|it| text(it, "subject").starts_with(&folder.path().display().to_string()));
    assert_eq!(others.count(), 0);
    let opens: Vec<&str> =
        mine["opens"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(opens.iter().any(|it| it.contains(&format!("tcp/{port}"))), "{opens:?}");
    let treatment = &mine["treatments"][0];
    let steps = treatment["steps"].to_string();
    assert!(steps.contains("invented 1.1") && steps.contains("\"do\":\"edit\""), "{steps}");
    assert!(!treatment["ops"].as_array().unwrap().is_empty(), "{treatment}");
    replayed(&state, &path);
    stated(folder.path(), &state, &path);
    drop((one, two));
}

/// The comparison can be replayed, for all that runs.
fn replayed(state: &str, path: &str) {
    let said = run(&["explain", "CVE-2026-9100", "--quiet", state]);
    let said = support::stdout(&said);
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains(&format!("invented of {path} 1.0: has it")), "{said}");
    assert!(said.contains("invented of") && said.contains("1.1: not affected"), "{said}");
    assert!(said.contains("in all before 1.1"), "{said}");
}

#[test]
fn a_program_says_what_its_compiler_noted() {
    let folder = tempfile::tempdir().unwrap();
    let (note, own) = (folder.path().join("note"), folder.path().join("own"));
    let content = br#"{"packages":[{"name":"invented","version":"1.0.0","source":"crates.io"}]}"#;
    // zlib without compression: two bytes of header, one stored block, the sum.
    let length = u16::try_from(content.len()).unwrap();
    let mut packed = vec![0x78, 0x01, 0x01];
    packed.extend(length.to_le_bytes());
    packed.extend((!length).to_le_bytes());
    packed.extend(content);
    let (a, b) = content.iter().fold((1_u32, 0_u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    packed.extend(((b << 16) | a).to_be_bytes());
    fs::write(&note, packed).unwrap();
    let section = format!(".dep-v0={}", note.display());
    let mut made = Command::new("objcopy");
    made.args(["--add-section", &section, "/usr/bin/sleep"]).arg(&own);
    if !made.status().is_ok_and(|it| it.success()) {
        return skipped("`objcopy` is not installed");
    }
    let running = Running(Command::new(&own).arg("60").spawn().unwrap());
    let looked = look("applications", "--state=/nonexistent");
    let rows = rows(&looked);
    let mine = rows.iter().find(|it| text(it, "path") == own.display().to_string());
    let mine = mine.unwrap_or_else(|| panic!("{looked}"));
    assert_eq!(mine["libraries"][0]["name"], "invented");
    assert_eq!(text(mine, "ecosystem"), "crates.io");
    assert_eq!(mine["pids"][0], running.0.id());
    // It is in the list of what is installed, too, with where it was found.
    let files = format!("--files={}", folder.path().display());
    let listed = support::stdout(&run(&["sbom", &files, "--quiet"]));
    assert!(listed.contains("pkg:cargo/invented@1.0.0"), "{listed}");
    let audited =
        support::stdout(&run(&["audit", &own.display().to_string(), "--state=/nonexistent"]));
    assert!(audited.contains("1 library of 1 place"), "{audited}");
}

#[test]
fn archives_that_a_machine_of_java_has_open_tell_of_their_libraries() {
    let python = Path::new("/usr/bin/python3");
    if !python.exists() {
        return skipped("`python3` is not installed");
    }
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    // Its name is what tells the machine: this one only holds the archives open.
    let java = here.join("java");
    fs::copy(fs::canonicalize(python).unwrap(), &java).unwrap();
    let make = "import sys, zipfile, io\n\
        note = 'version=%s\\ngroupId=org.invented\\nartifactId=%s\\n'\n\
        def jar(out, name, version, inner=()):\n\
        \x20   with zipfile.ZipFile(out, 'w') as it:\n\
        \x20       it.writestr('META-INF/maven/org.invented/%s/pom.properties' % name, note % (version, name))\n\
        \x20       for at, content in inner: it.writestr(at, content)\n\
        fat = io.BytesIO(); jar(fat, 'inner', '2.0')\n\
        jar('shop.jar', 'shop', '0.1', [('BOOT-INF/lib/inner.jar', fat.getvalue())])\n\
        jar('open.jar', 'log', '1.0'); jar('lies-there.jar', 'unused', '1.0')\n";
    let made = Command::new(python).args(["-c", make]).current_dir(here).status().unwrap();
    assert!(made.success());
    let hold = "held=open('open.jar');print(0,flush=True);input()";
    let mut child = Command::new(&java)
        .args(["-c", hold, "-jar", "shop.jar"])
        .current_dir(here)
        .env("PYTHONHOME", "/usr")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let running = Running(child);
    let looked = look("applications", "--state=/nonexistent");
    let rows = rows(&looked);
    let path = here.join("shop.jar").display().to_string();
    let mine = rows.iter().find(|it| text(it, "path") == path);
    let mine = mine.unwrap_or_else(|| panic!("{looked}"));
    assert_eq!(
        (text(mine, "ecosystem").as_str(), &mine["pids"][0]),
        ("Maven", &running.0.id().into())
    );
    let libraries = mine["libraries"].as_array().unwrap().iter();
    let names: Vec<String> =
        libraries.map(|it| format!("{} {}", text(it, "name"), text(it, "version"))).collect();
    let wanted = ["org.invented:inner 2.0", "org.invented:log 1.0", "org.invented:shop 0.1"];
    assert_eq!(names, wanted);

    let state = format!("--state={}", here.join("state").display());
    let mut flaw = record("org.invented:log", "1.0.1");
    flaw["affected"][0]["package"]["ecosystem"] = "Maven".into();
    fs::write(here.join("feed.json"), serde_json::json!([flaw]).to_string()).unwrap();
    let feed = here.join("feed.json").display().to_string();
    assert!(run(&["feed", "import", &feed, &state]).status.success());
    let audited = run(&["audit", &here.display().to_string(), &state]);
    assert_eq!(audited.status.code(), Some(1), "{}", stderr(&audited));
    let said = support::stdout(&audited);
    assert!(said.contains("org.invented:log") && said.contains("1.0.1"), "{said}");
}

/// Who knows better says so, and is named.
fn stated(folder: &Path, state: &str, path: &str) {
    let file = folder.join("vex.json");
    let document = serde_json::json!({
        "@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://example.org/1", "author": "ada",
        "timestamp": "2026-11-01T00:00:00Z", "statements": [{
            "vulnerability": {"name": "CVE-2026-9100"}, "status": "not_affected",
            "products": [{"@id": "pkg:pypi/invented@1.0"}]}]
    });
    fs::write(&file, document.to_string()).unwrap();
    let output = run(&["feed", "import", &file.display().to_string(), state]);
    assert!(output.status.success(), "{}", stderr(&output));
    let said = support::stdout(&run(&["explain", "CVE-2026-9100", "--quiet", state]));
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("ada states so"), "{said}");
    let view = assess(state);
    let findings = view["findings"].as_array().unwrap().iter().map(|it| &it["finding"]);
    let mut library = findings.filter(|it| text(it, "id").starts_with("patch/library:"));
    assert!(!library.any(|it| text(it, "subject") == path), "it is stated not to be there");
}

#[test]
fn no_link_is_followed_to_a_list_of_libraries() {
    let python = Path::new("/usr/bin/python3");
    if !python.exists() {
        return skipped("`python3` is not installed");
    }
    let folder = tempfile::tempdir().unwrap();
    let (app, elsewhere) = (folder.path().join("app"), folder.path().join("elsewhere"));
    fs::create_dir(&app).unwrap();
    fs::write(&elsewhere, "invented==1.0\nroot:$6$abc:1:2:3\n").unwrap();
    fs::write(app.join("serve.py"), SERVER).unwrap();
    std::os::unix::fs::symlink(&elsewhere, app.join("requirements.txt")).unwrap();
    let (running, _) = serve(python, &app, "serve.py");
    let looked = look("applications", "--state=/nonexistent");
    let rows = rows(&looked);
    let mine = rows.iter().find(|it| it["pids"][0] == running.0.id());
    let mine = mine.unwrap_or_else(|| panic!("{looked}"));
    assert_eq!(mine["libraries"].as_array().map(Vec::len), Some(0), "{mine}");
    assert!(text(mine, "unknown").contains("no lock file"), "{mine}");
}

#[test]
fn a_script_that_was_changed_since_it_was_read_still_runs() {
    let python = Path::new("/usr/bin/python3");
    if !python.exists() {
        return skipped("`python3` is not installed");
    }
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("serve.py");
    fs::write(&script, SERVER).unwrap();
    let (running, _) = serve(python, folder.path(), "./serve.py");
    let replaced = || {
        let looked = look("processes", "--state=/nonexistent");
        let rows = rows(&looked);
        let mine = rows.iter().find(|it| it["pid"] == running.0.id()).expect("it runs");
        assert_eq!(text(mine, "script"), script.display().to_string());
        mine["replaced"].to_string()
    };
    assert_eq!(replaced(), "[]");
    // A change counts from the second after the start on: clocks of processes tick by hundredths.
    std::thread::sleep(std::time::Duration::from_millis(3100));
    fs::write(&script, "# mended\n").unwrap();
    assert!(replaced().contains("changed"), "{}", replaced());
}

fn assess(state: &str) -> Value {
    let output = run(&["assess", "--json", "--quiet", "--no-history", state]);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(&output)))
}

fn unknown(view: &Value) -> String {
    view["unknowns"].to_string()
}
