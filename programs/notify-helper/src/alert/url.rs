//! The URL of a webhook. It may be a secret.

/// Checks whether the URL is valid.
pub(crate) fn check(url: &str) -> Result<(), String> {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let host = rest.map_or("", |r| r.split(['/', '?', '#']).next().unwrap_or_default());
    if host.is_empty() || url.len() > 2000 || !url.chars().all(|c| c.is_ascii_graphic()) {
        return Err("`Webhook` must be a URL such as http://127.0.0.1:8080/alerts".to_owned());
    }
    if host.contains('@') {
        return Err("`Webhook` contains a password: use `WebhookHeader=Authorization: …`".to_owned());
    }
    Ok(())
}

/// Returns the part of the URL that may appear in messages.
pub(crate) fn without_path(url: &str) -> &str {
    let begin = url.find("://").map_or(0, |at| at + 3);
    let end = url[begin..].find(['/', '?', '#']).map_or(url.len(), |at| begin + at);
    &url[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for url in
            ["http://a", "http://a:8/x?y", "https://hooks.example.org/T/B", "http://[::1]:8/", "http://a?b"]
        {
            assert_eq!(check(url), Ok(()), "{url}");
        }
        for url in ["", "a", "http://", "ftp://a", "http://a b", "http://u:p@a/"] {
            assert!(check(url).is_err(), "{url}");
        }
        assert_eq!(without_path("https://hooks.example.org/secret"), "https://hooks.example.org");
        assert_eq!(without_path("http://a:8?b"), "http://a:8");
    }
}
