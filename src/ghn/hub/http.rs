//! Reading a file from a web server, from any byte on.
//!
//! Redirections are followed here, since what the hub says of a file stands in the answer that redirects: the file
//! itself comes from elsewhere.

use std::time::Duration;

use ureq::http::{HeaderMap, Response};
use ureq::tls::TlsConfig;
use ureq::{Agent, Body};

use super::FetchError;
use super::part::Version;
use super::roots::roots;
use super::source::Opened;

/// Redirections in a row that are followed.
const MOST_REDIRECTIONS: usize = 8;

/// Longest time until a connection stands.
const CONNECTING: Duration = Duration::from_secs(30);

/// Digits of a SHA-256 in hexadecimal.
const SHA256_DIGITS: usize = 64;

fn agent() -> Result<Agent, FetchError> {
    let tls = TlsConfig::builder().root_certs(roots()?).build();
    let config = Agent::config_builder()
        .max_redirects(0)
        .http_status_as_error(false)
        .timeout_connect(Some(CONNECTING))
        .user_agent(concat!("hyperscope/", env!("CARGO_PKG_VERSION")))
        .tls_config(tls)
        .build();
    Ok(config.into())
}

/// Asks for the file at `url` from the byte `start` on.
pub(super) fn get(url: &str, start: u64, silence: Duration) -> Result<Opened, FetchError> {
    let agent = agent()?;
    let mut at = url.to_owned();
    let mut announced = None;
    for _ in 0..=MOST_REDIRECTIONS {
        let response = ask(&agent, &at, start, silence)?;
        announced = announced.or_else(|| announced_sha256(response.headers()));
        let status = response.status();
        if status.is_redirection() {
            at = next(
                &at,
                text(response.headers(), "location").unwrap_or_default(),
            )?;
            continue;
        }
        let (total, first) = match status.as_u16() {
            200 => (number(response.headers(), "content-length"), 0),
            206 => {
                let range = text(response.headers(), "content-range").unwrap_or_default();
                content_range(range).ok_or_else(|| FetchError::Range {
                    url: at.clone(),
                    range: range.to_owned(),
                })?
            }
            status => return Err(FetchError::Answer { url: at, status }),
        };
        let validator = ["etag", "last-modified"].map(|name| text(response.headers(), name));
        let version = Version {
            from: url.to_owned(),
            total,
            validator: validator.into_iter().flatten().next().map(str::to_owned),
            sha256: announced,
        };
        return Ok(Opened {
            body: Box::new(response.into_body().into_reader()),
            start: first,
            version,
        });
    }
    Err(FetchError::Redirected {
        url: url.to_owned(),
        reason: "one redirection led to the next without an end",
    })
}

fn ask(
    agent: &Agent,
    url: &str,
    start: u64,
    silence: Duration,
) -> Result<Response<Body>, FetchError> {
    let mut request = agent.get(url);
    if start > 0 {
        request = request.header("range", format!("bytes={start}-"));
    }
    let configured = request
        .config()
        .timeout_per_read(Some(silence))
        .timeout_recv_response(Some(silence))
        .build();
    configured.call().map_err(|e| FetchError::Connect {
        url: url.to_owned(),
        reason: e.to_string(),
    })
}

/// The address that a redirection from `at` leads to.
fn next(at: &str, location: &str) -> Result<String, FetchError> {
    let refuse = |reason| {
        Err(FetchError::Redirected {
            url: at.to_owned(),
            reason,
        })
    };
    if location.starts_with('/') && !location.starts_with("//") {
        let host = at.find("://").map_or(0, |i| i + 3);
        let end = at[host..].find('/').map_or(at.len(), |i| host + i);
        return Ok(format!("{}{location}", &at[..end]));
    }
    if location.starts_with("https://") {
        return Ok(location.to_owned());
    }
    match (location.starts_with("http://"), at.starts_with("https://")) {
        (true, false) => Ok(location.to_owned()),
        (true, true) => refuse("it leads from an encrypted connection to one that is not"),
        (false, _) => refuse("it leads to no address"),
    }
}

/// The hub's name for a large file is its SHA-256.
fn announced_sha256(headers: &HeaderMap) -> Option<String> {
    let tag = text(headers, "x-linked-etag")?.trim_matches('"');
    let is_sha256 = tag.len() == SHA256_DIGITS && tag.bytes().all(|b| b.is_ascii_hexdigit());
    is_sha256.then(|| tag.to_lowercase())
}

/// Size and first byte from `bytes FIRST-LAST/SIZE`.
fn content_range(range: &str) -> Option<(Option<u64>, u64)> {
    let (range, total) = range.strip_prefix("bytes ")?.split_once('/')?;
    let (first, _) = range.split_once('-')?;
    Some((total.parse().ok(), first.parse().ok()?))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    text(headers, name)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::time::Instant;

    #[test]
    fn a_server_that_says_nothing_counts_as_gone() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/x.pt", silent.local_addr().unwrap());
        let begun = Instant::now();
        let error = get(&url, 0, Duration::from_millis(100)).unwrap_err();
        assert!(matches!(error, FetchError::Connect { .. }), "{error}");
        assert!(begun.elapsed() < CONNECTING);
    }

    #[test]
    fn redirections_stay_encrypted_and_may_name_only_a_path() {
        let from = "https://hub.example/a/resolve/main/x.pt";
        assert_eq!(next(from, "/api/x").unwrap(), "https://hub.example/api/x");
        let cdn = "https://cdn.example/x?sig=1";
        assert_eq!(next(from, cdn).unwrap(), cdn);
        let message = next(from, "http://cdn.example/x").unwrap_err().to_string();
        assert!(message.contains("encrypted"), "{message}");
        assert!(next(from, "").is_err());
        assert_eq!(next("http://a", "/b").unwrap(), "http://a/b");
    }

    #[test]
    fn ranges_are_read_as_servers_write_them() {
        assert_eq!(content_range("bytes 5-9/10"), Some((Some(10), 5)));
        assert_eq!(content_range("bytes 5-9/*"), Some((None, 5)));
        assert_eq!(content_range("bytes */10"), None);
        assert_eq!(content_range("5-9/10"), None);
    }
}
