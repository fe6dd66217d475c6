//! Environment files, such as `.env`: most of their values are there because they are secret.

use crate::redact::{
    KeyBlock, class_of_name, each_line, is_harmless_value, is_secret_name, setting_line,
};

/// Last words of names in environment files whose values are no secrets.
const PLAIN_ENDS: [&str; 30] = [
    "host",
    "hostname",
    "port",
    "user",
    "username",
    "name",
    "database",
    "db",
    "env",
    "environment",
    "debug",
    "level",
    "driver",
    "connection",
    "dir",
    "path",
    "file",
    "url",
    "uri",
    "region",
    "locale",
    "lang",
    "timezone",
    "tz",
    "mode",
    "version",
    "charset",
    "schema",
    "address",
    "domain",
];

/// In an environment file a value is a secret unless its name says that it is none.
pub(crate) fn environment(bytes: &[u8]) -> Vec<u8> {
    let mut key = KeyBlock::Outside;
    each_line(bytes, |line, _| {
        if let Some(shown) = key.line(line) {
            return shown;
        }
        let shown = setting_line(line);
        let Some((name, value)) = shown.split_once('=') else { return shown };
        let bare = value.trim().trim_matches(['"', '\'']);
        let word = name.trim().trim_start_matches("export ").to_ascii_lowercase();
        let last = word.rsplit(['_', '.', '-']).next().unwrap_or(&word);
        let is_number = bare.chars().all(|it| it.is_ascii_digit() || it == '.');
        let is_plain = shown.trim_start().starts_with('#')
            || value.contains("<secret:")
            || PLAIN_ENDS.contains(&last)
            || is_harmless_value(bare)
            // A port, a size, an address: long numbers are codes.
            || (is_number && bare.len() <= 15 && !is_secret_name(name));
        if is_plain { shown } else { format!("{name}=<secret:{}>", class_of_name(name)) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_to_be_plain_is_kept() {
        let file = "# settings\nDB_HOST=10.0.0.5\nDB_PORT=5432\nAPP_ENV=production\nAPP_DEBUG=false\n\
                    APP_KEY=base64:q83vEjRWeJA=\nGITHUB_PAT=abc123def\nSENTRY_DSN=\"x@y\"\nPEPPER=p1\n\
                    HASH_SEED=918273645546372819\nexport JWT='e30.e30.sig'\nDB_USERNAME=shop\n";
        let shown = String::from_utf8(environment(file.as_bytes())).unwrap();
        for kept in ["10.0.0.5", "5432", "production", "false", "DB_USERNAME=shop"] {
            assert!(shown.contains(kept), "{kept} in {shown}");
        }
        for secret in ["q83v", "abc123", "x@y", "p1", "918273", "e30"] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
        assert_eq!(shown.matches("<secret:").count(), 6, "{shown}");
    }
}
