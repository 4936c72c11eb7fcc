//! URLs without what may be secret in them.

use std::fmt;

use reqwest::Url;
use url::Position;

/// A URL without credentials, query and fragment.
pub(crate) struct Redacted<'a>(pub(crate) &'a Url);

impl fmt::Display for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.0;
        f.write_str(&url[..Position::AfterScheme])?;
        f.write_str("://")?;
        f.write_str(&url[Position::BeforeHost..Position::AfterPath])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_query_and_fragment_are_left_out() {
        let table = [
            ("https://api.example.com/v1/users", "https://api.example.com/v1/users"),
            (
                "https://me:secret@example.com:8443/a?token=secret#secret",
                "https://example.com:8443/a",
            ),
            ("http://[::1]:80/?q", "http://[::1]/"),
        ];
        for (url, expected) in table {
            let url = Url::parse(url).expect("a URL");
            assert_eq!(Redacted(&url).to_string(), expected);
        }
    }
}
