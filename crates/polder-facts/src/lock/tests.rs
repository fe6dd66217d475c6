//! Each form of lock file, written as its tool writes it.

use super::*;

fn read(path: &str, text: &str) -> (Vec<String>, usize, usize) {
    let locked = LockKind::of(path).unwrap().read(text).unwrap();
    let words = locked.libraries.iter().map(|it| format!("{} {}", it.name, it.version));
    (words.collect(), locked.unpinned, locked.elsewhere)
}

#[test]
fn cargo_lock_names_the_registry_of_each_crate() {
    let text = r#"
version = 3
[[package]]
name = "own"
version = "0.1.0"
dependencies = ["time"]
[[package]]
name = "time"
version = "0.1.42"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "00"
[[package]]
name = "forked"
version = "1.0.0"
source = "git+https://example.org/forked#0123"
"#;
    assert_eq!(read("a/Cargo.lock", text), (vec!["time 0.1.42".into()], 0, 1));
}

#[test]
fn npm_1_to_3() {
    let one = r#"{"lockfileVersion":1,"dependencies":{
        "a":{"version":"1.0.0","dependencies":{"b":{"version":"2.0.0"}}},
        "alias":{"version":"npm:@s/real@3.1.4"},
        "g":{"version":"git+ssh://git@example.org/g.git#0"}}}"#;
    let wanted = ["@s/real 3.1.4", "a 1.0.0", "b 2.0.0"].map(String::from).to_vec();
    assert_eq!(read("package-lock.json", one), (wanted, 0, 1));
    let three = r#"{"lockfileVersion":3,"packages":{"":{"name":"own","version":"1.0.0"},
        "node_modules/a":{"version":"1.0.0","resolved":"https://example.org/a.tgz"},
        "node_modules/a/node_modules/@s/b":{"version":"2.0.0-rc.1"},
        "node_modules/alias":{"name":"real","version":"3.0.0"},
        "node_modules/w":{"resolved":"w","link":true},
        "node_modules/g":{"version":"1.0.0","resolved":"git+ssh://git@example.org/g.git"},
        "w":{"version":"0.0.1"}}}"#;
    let wanted = ["@s/b 2.0.0-rc.1", "a 1.0.0", "real 3.0.0"].map(String::from).to_vec();
    assert_eq!(read("package-lock.json", three), (wanted, 0, 1));
}

#[test]
fn yarn_of_both_kinds_and_pnpm_of_three() {
    let one = "# yarn lockfile v1\n\n\"@s/a@^1.0.0\", \"@s/a@^1.2.0\":\n  version \"1.2.3\"\n  \
               resolved \"https://example.org/a\"\n  dependencies:\n    b \"^2\"\n\nb@^2:\n  \
               version \"2.0.1\"\n\nx@npm:y@^3:\n  version \"3.0.0\"\n";
    let wanted = ["@s/a 1.2.3", "b 2.0.1", "y 3.0.0"].map(String::from).to_vec();
    assert_eq!(read("yarn.lock", one), (wanted, 0, 0));
    let later = "__metadata:\n  version: 6\n\n\"@s/a@npm:^1.0.0\":\n  version: 1.2.3\n  \
                 resolution: \"@s/a@npm:1.2.3\"\n\n\"own@workspace:.\":\n  version: 0.0.0-use.local\n  \
                 resolution: \"own@workspace:.\"\n\n\"g@git\":\n  resolution: \"g@https://example.org/g.git#commit=0\"\n";
    assert_eq!(read("yarn.lock", later), (vec!["@s/a 1.2.3".into()], 0, 1));
    let pnpm = "lockfileVersion: '9.0'\npackages:\n  /a/1.0.0_b@2.0.0: {}\n  /@s/c@1.1.0(d@2.0.0): {}\n  \
                '@s/e@3.0.0': {resolution: {integrity: x}}\n  f@https://example.org/f.tgz: {}\n";
    let wanted = ["@s/c 1.1.0", "@s/e 3.0.0", "a 1.0.0"].map(String::from).to_vec();
    assert_eq!(read("pnpm-lock.yaml", pnpm), (wanted, 0, 1));
}

#[test]
fn python_in_all_its_forms() {
    let poetry = "[[package]]\nname = \"a\"\nversion = \"1.0\"\n\n[[package]]\nname = \"g\"\nversion = \"2\"\n\
                  [package.source]\ntype = \"git\"\nurl = \"https://example.org\"\n";
    assert_eq!(read("poetry.lock", poetry), (vec!["a 1.0".into()], 0, 1));
    let uv = "version = 1\n[[package]]\nname = \"a\"\nversion = \"1.0\"\nsource = { registry = \"https://pypi.org/simple\" }\n\
              [[package]]\nname = \"own\"\nversion = \"0.1.0\"\nsource = { virtual = \".\" }\n";
    assert_eq!(read("uv.lock", uv), (vec!["a 1.0".into()], 0, 0));
    let pylock = "lock-version = \"1.0\"\n[[packages]]\nname = \"a\"\nversion = \"1.0\"\n[[packages]]\nname = \"b\"\n\
                  vcs = { type = \"git\", url = \"x\" }\n";
    assert_eq!(read("pylock.dev.toml", pylock), (vec!["a 1.0".into()], 0, 1));
    let pipfile = r#"{"_meta":{"hash":{}},"default":{"a":{"version":"==1.0"},"g":{"git":"x"}},
        "develop":{"b":{"version":"*"}}}"#;
    assert_eq!(read("Pipfile.lock", pipfile), (vec!["a 1.0".into()], 1, 1));
    let text = "# comment\n-r other.txt\na==1.0 \\\n    --hash=sha256:00\nB[x,y] == 2.0 ; python_version > '3'\n\
                c>=1,<2\nd\ne==1.*\nf @ https://example.org/f.whl\n./local\n";
    let wanted = ["B 2.0", "a 1.0"].map(String::from).to_vec();
    assert_eq!(read("requirements-dev.txt", text), (wanted, 3, 2));
    let metadata = "Metadata-Version: 2.1\nName: a\nVersion: 1.0\nSummary: s\n\nName: not this\n";
    assert_eq!(read("/x/a-1.0.dist-info/METADATA", metadata), (vec!["a 1.0".into()], 0, 0));
}

#[test]
fn php_go_and_ruby() {
    let composer = r#"{"packages":[{"name":"v/a","version":"v1.2.3"},{"name":"v/b","version":"dev-main"}],
        "packages-dev":[{"name":"v/c","version":"2.0.0"}]}"#;
    let wanted = ["v/a 1.2.3", "v/c 2.0.0"].map(String::from).to_vec();
    assert_eq!(read("composer.lock", composer), (wanted, 0, 1));
    let go = "module example.org/own\n\ngo 1.22\n\nrequire (\n\texample.org/a v1.2.3\n\texample.org/b v0.0.0-20200101000000-abcdef012345 // indirect\n)\n\
              require example.org/c v2.0.0+incompatible\nreplace example.org/a => example.org/d v1.9.0\nreplace example.org/c => ../c\n";
    let wanted = ["example.org/b 0.0.0-20200101000000-abcdef012345", "example.org/d 1.9.0"];
    assert_eq!(read("go.mod", go), (wanted.map(String::from).to_vec(), 0, 1));
    let gems = "GIT\n  remote: https://example.org\n  specs:\n    g (1.0)\n\nGEM\n  remote: https://rubygems.org/\n  specs:\n    \
                nokogiri (1.15.0-x86_64-linux)\n      racc (~> 1.4)\n    racc (1.7.1)\n\nDEPENDENCIES\n  nokogiri\n";
    let wanted = ["nokogiri 1.15.0", "racc 1.7.1"].map(String::from).to_vec();
    assert_eq!(read("Gemfile.lock", gems), (wanted, 0, 1));
}

#[test]
fn what_is_damaged_is_an_error_and_no_empty_list() {
    for path in
        ["Cargo.lock", "package-lock.json", "pnpm-lock.yaml", "Pipfile.lock", "composer.lock"]
    {
        let read = LockKind::of(path).unwrap().read("{{{");
        assert!(read.is_err(), "{path}: {read:?}");
    }
    for path in
        ["Cargo.lock", "yarn.lock", "go.mod", "Gemfile.lock", "pnpm-lock.yaml", "composer.lock"]
    {
        for text in ["", "<html>404</html>", "[]", "foo: bar"] {
            let read = LockKind::of(path).unwrap().read(text);
            assert!(read.is_err(), "{path} {text:?}: {read:?}");
        }
    }
    let deep = format!("lockfileVersion: '9.0'\npackages: {}", "[".repeat(100_000));
    assert!(LockKind::Pnpm.read(&deep).is_err());
    assert!(LockKind::of("a.dist-info/METADATA").unwrap().read("Name: x\n").is_err());
    assert_eq!(LockKind::of("METADATA"), None);
}
