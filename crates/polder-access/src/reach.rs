//! What whoever sends statements as an account can do with what is stored.

use serde::Serialize;

/// Where rights are given on single columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Columns {
    /// In tables that hold something sensitive: others keep working when a column is added.
    #[default]
    Sensitive,
    /// In all tables.
    Always,
    /// In none.
    Never,
}

/// What whoever sends statements as the account can do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reach {
    /// Columns that hold something sensitive, by their names, and that it reads: table, column, class, rows.
    pub sensitive: Vec<(String, String, &'static str, Option<u64>)>,
    /// Tables that it reads at least a column of.
    pub reads: usize,
    /// Tables that it changes or adds to.
    pub writes: usize,
    /// Tables that it empties.
    pub empties: usize,
    /// Tables that it drops.
    pub drops: usize,
    /// What is reached of a store that has no tables, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<String>,
    /// Ways to the host: programs and files.
    pub host: Vec<String>,
    /// Whether nothing bounds it.
    pub is_boundless: bool,
}

/// Classes of what a column may hold, by words in its name.
const SENSITIVE: [(&str, &[&str]); 8] = [
    ("password", &["password", "passwd", "pwd", "passphrase", "password_hash", "pass_hash"]),
    ("secret", &["secret", "token", "api_key", "apikey", "private_key", "otp", "totp", "session"]),
    ("card", &["card", "cardno", "pan", "cvv", "cvc", "creditcard"]),
    ("bank", &["iban", "bic", "account_number", "sort_code", "routing"]),
    ("identity", &["ssn", "passport", "tax_id", "national_id", "bsn", "nin", "license"]),
    (
        "person",
        &[
            "email",
            "mail",
            "phone",
            "mobile",
            "birth",
            "dob",
            "address",
            "street",
            "full_name",
            "lastname",
            "surname",
            "firstname",
        ],
    ),
    ("health", &["diagnosis", "medical", "health", "patient", "blood"]),
    ("pay", &["salary", "wage", "income"]),
];

/// What a column holds, as far as its name tells.
pub fn sensitive(column: &str) -> Option<&'static str> {
    let name = column.to_lowercase();
    let parts: Vec<&str> = name.split(|it: char| !it.is_alphanumeric()).collect();
    let fits = |word: &&&str| match word.contains('_') {
        true => name.contains(**word),
        false => parts.contains(*word) || (word.len() > 4 && name.contains(**word)),
    };
    SENSITIVE.iter().find(|(_, words)| words.iter().any(|it| fits(&it))).map(|it| it.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_is_sensitive() {
        for (name, class) in [
            ("password_hash", Some("password")),
            ("card_number", Some("card")),
            ("birth_date", Some("person")),
            ("customerEmail", Some("person")),
            ("discard", None),
            ("company", None),
            ("stock", None),
            ("span", None),
        ] {
            assert_eq!(sensitive(name), class, "{name}");
        }
    }
}
