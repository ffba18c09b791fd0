//! What an answer of the Hub means, and what of it may stand in a message: no query of an address, no password, no control
//! characters.

use std::error::Error as _;

use reqwest::header::{HeaderMap, HeaderName};
use reqwest::{Response, Url};

use super::client::{Failure, Wanted};
use super::name::Etag;
use super::retry::{asked_to_wait, is_passing};
use super::settings::Token;
use crate::error::Error;

pub(super) fn redirected(from: &Url, response: &Response, asked: &str) -> Result<Url, Failure> {
    let bad = |what: &str| Failure::Final(Error::Download { message: format!("{asked}: {what}"), source: None });
    let location = text(response.headers(), "location").ok_or_else(|| bad("a redirect without an address"))?;
    let to = from.join(location).map_err(|_| bad("a redirect to something that is no address"))?;
    let downgraded = from.scheme() == "https" && to.scheme() != "https";
    if downgraded || !matches!(to.scheme(), "http" | "https") || to.host_str().is_none() {
        return Err(bad(&format!("a redirect to {}, which is not followed", shown(&to))));
    }
    Ok(to)
}

/// What a status other than success means.
pub(super) fn refused(
    response: &Response,
    wanted: Wanted<'_>,
    asked: &str,
    own: bool,
    token: Option<&Token>,
) -> Failure {
    let (status, headers) = (response.status(), response.headers());
    let has_token = token.is_some();
    // A gateway may repeat the token.
    let hidden = |said: &str| token.map_or_else(|| said.to_owned(), |token| said.replace(token.secret(), "(token)"));
    let said = text(headers, "x-error-message").map(|said| format!(" The Hub says: {}", clean(&hidden(said))));
    let said = said.unwrap_or_default();
    let code = text(headers, "x-error-code").unwrap_or("");
    let (id, revision) = match wanted {
        Wanted::Repository(id, revision) => (id, revision.as_str()),
        Wanted::File(id, commit, _) => (id, commit.as_str()),
    };
    let advice = if has_token {
        "The token that was sent gives no access to it"
    } else {
        "If it is private, pass `token` or set HF_TOKEN"
    };
    let asks_for_it = matches!(wanted, Wanted::Repository(..)) && code.is_empty();
    // Without a token the Hub does not tell a private repository from none; a wrong token is another matter.
    let is_hidden = status == 401 && !has_token;
    if own && (code == "RepoNotFound" || (asks_for_it && (status == 404 || is_hidden))) {
        return Failure::Final(Error::ModelNotFound(format!(
            "There is no model {id} on the Hub that can be read. Check the name; a folder is written \"./{id}\". {advice}.{said}"
        )));
    }
    if own && (code == "RevisionNotFound" || (status == 404 && matches!(wanted, Wanted::Repository(..)))) {
        return Failure::Final(Error::ModelNotFound(format!("{id} has no revision '{revision}' on the Hub.{said}")));
    }
    if own && matches!(status.as_u16(), 401 | 403) {
        let what = if code == "GatedRepo" {
            format!("{id} is gated: accept its terms on the Hub with your account, then pass `token` or set HF_TOKEN")
        } else {
            format!("The Hub refuses access to {id} (status {}). {advice}", status.as_u16())
        };
        return Failure::Final(Error::Unauthorized(format!("{what}.{said}")));
    }
    if let (true, Wanted::File(_, commit, path)) = (own && status == 404, wanted) {
        return Failure::Final(Error::FileNotFound(format!("{id} has no file {path} at {commit}.{said}")));
    }
    let message = format!("{asked}: status {}", status.as_u16());
    if is_passing(status.as_u16()) {
        let wait = asked_to_wait(text(headers, "retry-after"), text(headers, "date"), text(headers, "ratelimit"));
        return Failure::Passing { message, source: None, wait };
    }
    Failure::Final(Error::Download { message: format!("{message}.{said}"), source: None })
}

pub(super) fn unreachable(asked: &str, error: reqwest::Error) -> Failure {
    // Also inside an error of the operating system's kind, which hides its inner one from `source`.
    let certificate = format!("{error:?}").contains("InvalidCertificate");
    let source = spoken(error);
    if certificate {
        return Failure::Final(Error::Download {
            message: format!(
                "{asked}: the server's certificate is not trusted. Behind a proxy with an authority of its own, name its \
                 certificate in NODE_EXTRA_CA_CERTS"
            ),
            source: Some(source.into()),
        });
    }
    if source.contains("proxy auth")
        || source.contains("user/pass authentication")
        || source.contains("credentials not accepted")
    {
        return Failure::Final(Error::Download {
            message: format!(
                "{asked}: the proxy wants a user and a password, or others. Put them into HTTPS_PROXY: http://user:password@host:port"
            ),
            source: None,
        });
    }
    Failure::Passing { message: format!("{asked}: the server could not be reached"), source: Some(source), wait: None }
}

/// An error's sentences in one, without its address.
pub(super) fn spoken(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(inner) = next {
        let sentence = inner.to_string();
        if !text.contains(&sentence) {
            text = format!("{text}: {sentence}");
        }
        next = inner.source();
    }
    text
}

pub(super) fn etag_of(headers: &HeaderMap) -> Option<Etag> {
    ["x-linked-etag", "etag"].iter().find_map(|name| text(headers, name).and_then(Etag::parse))
}

/// The whole file's size: of a redirect only where it says so, its own length is not the file's.
pub(super) fn size_of(response: &Response) -> Option<u64> {
    let headers = response.headers();
    let linked = || text(headers, "x-linked-size")?.parse().ok();
    match response.status().as_u16() {
        200 => linked().or_else(|| text(headers, "content-length")?.parse().ok()),
        206 => linked().or_else(|| text(headers, "content-range")?.rsplit('/').next()?.parse().ok()),
        _ => linked(),
    }
}

pub(super) fn text<'a>(headers: &'a HeaderMap, name: &'static str) -> Option<&'a str> {
    headers.get(HeaderName::from_static(name)).and_then(|value| value.to_str().ok())
}

/// An address without its query, user and password.
pub(super) fn shown(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let path: String = url.path().chars().take(300).collect();
    format!("{}://{}{port}{path}", url.scheme(), url.host_str().unwrap_or(""))
}

/// Words of a server for a message.
fn clean(said: &str) -> String {
    said.chars().filter(|letter| !letter.is_control()).take(200).collect()
}
