//! Secrets are not stored: what stands under a key that means one is replaced.

use serde_json::Value;

use crate::contract::Args;

/// What stands in a secret's place.
pub(crate) const REDACTED: &str = "[redacted]";

/// Words that mean a secret when they end a key's words.
const SECRETS: [&str; 14] = [
    "token",
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "secrets",
    "authorization",
    "credential",
    "credentials",
    "cookie",
    "bearer",
    "apikey",
    "privatekey",
];
/// Words that make a key of the word before `key` a secret one.
const KEYS: [&str; 5] = ["api", "private", "access", "secret", "signing"];

/// Replaces what stands under secret keys, at any depth.
pub(crate) fn redact(metadata: Args) -> Args {
    metadata.into_iter().map(|(key, value)| if is_secret(&key) { (key, REDACTED.into()) } else { (key, within(value)) }).collect()
}

fn within(value: Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(redact(fields)),
        Value::Array(items) => Value::Array(items.into_iter().map(within).collect()),
        plain => plain,
    }
}

/// Whether a key means a secret: `GITHUB_TOKEN`, `apiKey`, `db-password-1`; not `token_count`, `tokens`, `keyboard`.
fn is_secret(key: &str) -> bool {
    let words = words(key);
    let words: Vec<&str> = words.iter().map(String::as_str).filter(|word| !word.bytes().all(|b| b.is_ascii_digit())).collect();
    let Some((last, before)) = words.split_last() else { return false };
    let plain = before.last().is_some_and(|before| KEYS.contains(before)) && matches!(*last, "key" | "keys");
    let valued = matches!(*last, "value" | "header") && before.last().is_some_and(|word| SECRETS.contains(word));
    SECRETS.contains(last) || plain || valued
}

/// A key's words, in lower case: separated by anything that is no letter or digit, or by a change to upper case.
fn words(key: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for c in key.chars() {
        let last = words.last_mut().expect("there is always one");
        if (!c.is_alphanumeric() || (c.is_uppercase() && was_lower)) && !last.is_empty() {
            words.push(String::new());
        }
        if c.is_alphanumeric() {
            words.last_mut().expect("there is always one").extend(c.to_lowercase());
        }
        was_lower = c.is_lowercase() || c.is_ascii_digit();
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[rstest::rstest]
    fn these_are_secret(
        #[values(
            "token",
            "GITHUB_TOKEN",
            "accessToken",
            "password",
            "db-password-1",
            "api_key",
            "apiKey",
            "APIKEY",
            "Authorization",
            "private_key",
            "client_secret"
        )]
        key: &str,
    ) {
        assert!(is_secret(key));
    }

    #[rstest::rstest]
    fn these_are_not(
        #[values("token_count", "tokens", "keyboard", "monkey", "secretary", "task_id", "", "key", "passwordless")] key: &str,
    ) {
        assert!(!is_secret(key));
    }

    #[test]
    fn secrets_go_at_any_depth_whatever_they_are_and_the_rest_stays() {
        let given = json!({"a": [{"password": 7, "user": "u"}], "secret": {"x": 1}, "plain": null});
        let kept = redact(given.as_object().unwrap().clone());
        assert_eq!(json!(kept), json!({"a": [{"password": REDACTED, "user": "u"}], "secret": REDACTED, "plain": null}));
    }
}
