//! HTTP towards the Hub: one address at a time, redirects followed by hand, tries and waits bounded. What an answer holds
//! is believed by nobody here: lengths and hashes are `download.rs`'s.
//!
//! The token goes to the endpoint's own scheme, host and port, and nowhere else. Queries of addresses are not shown:
//! those that the Hub redirects to are signed, and whoever has them can download.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Method, Proxy, Response, StatusCode, Url};

use super::answer::{etag_of, redirected, refused, shown, size_of, spoken, text, unreachable};
use super::direct::Direct;
use super::name::{Commit, Etag, ModelId, Revision};
use super::retry::{Patience, TRIES, pause};
use super::settings::{Settings, Token};
use super::trust;
use crate::error::{Error, Result};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const REDIRECTS: usize = 8;

pub(super) struct Client {
    http: reqwest::Client,
    endpoint: Url,
    authorization: Option<HeaderValue>,
    token: Option<Token>,
    metadata_timeout: Duration,
    download_timeout: Duration,
}

/// Why a try did not succeed.
pub(super) enum Failure {
    /// Another try would end the same way.
    Final(Error),
    /// Another try may succeed.
    Passing {
        message: String,
        source: Option<String>,
        /// How long the Hub asks to wait.
        wait: Option<Duration>,
    },
}

impl Failure {
    pub fn passing(message: impl Into<String>) -> Self {
        Failure::Passing { message: message.into(), source: None, wait: None }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Final(error)
    }
}

/// An answer whose body has not been read.
pub(super) struct Answer {
    pub response: Response,
    /// The address that was asked first, for messages.
    pub asked: String,
    /// What the endpoint says about the file, before any redirect to another host.
    pub etag: Option<Etag>,
    pub commit: Option<Commit>,
    pub size: Option<u64>,
}

/// What is asked for; decides what "not found" means.
#[derive(Clone, Copy)]
pub(super) enum Wanted<'a> {
    Repository(&'a ModelId, &'a Revision),
    File(&'a ModelId, &'a Commit, &'a str),
}

impl Client {
    pub fn new(settings: &Settings) -> Result<Self> {
        let unusable =
            |_| Error::InvalidArgument("Expected the address of a Hub in `endpoint` or HF_ENDPOINT".to_owned());
        let endpoint = Url::parse(&settings.endpoint).map_err(unusable)?;
        let mut headers = HeaderMap::new();
        // What arrives is hashed as it is; a compressed answer would have another length and hash.
        headers.insert(reqwest::header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("vecrank/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_max_idle_per_host(4)
            .tls_backend_preconfigured(trust::client_config(settings)?)
            // Only what the settings say: the process's own environment is not this thread's to read.
            .no_proxy();
        for proxy in proxies(settings)? {
            builder = builder.proxy(proxy);
        }
        let http = builder.build().map_err(|error| Error::Download {
            message: "The HTTP client could not be made".into(),
            source: Some(spoken(error).into()),
        })?;
        let authorization = settings.token.as_ref().and_then(|token| {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", token.secret())).ok()?;
            value.set_sensitive(true);
            Some(value)
        });
        Ok(Client {
            http,
            endpoint,
            authorization,
            token: settings.token.clone(),
            metadata_timeout: settings.metadata_timeout,
            download_timeout: settings.download_timeout,
        })
    }

    /// For one request with all its tries; `within` where the cache could do without. A user who allows longer waits means it.
    pub fn patience(&self, within: Option<Duration>) -> Patience {
        let longest = self.metadata_timeout.max(self.download_timeout);
        Patience::new(within, longest + Duration::from_secs(8))
    }

    /// Longest wait for the next bytes of a body.
    pub fn idle_timeout(&self) -> Duration {
        self.download_timeout
    }

    /// `<endpoint>/<prefix>/<owner>/<name>/<rest>`, each part escaped.
    fn url(&self, prefix: &[&str], id: &ModelId, rest: &[&str]) -> Url {
        let mut url = self.endpoint.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(prefix).extend(id.segments()).extend(rest);
        }
        url
    }

    pub fn file_url(&self, id: &ModelId, commit: &Commit, path: &str) -> Url {
        let rest: Vec<&str> = ["resolve", commit.as_str()].into_iter().chain(path.split('/')).collect();
        self.url(&[], id, &rest)
    }

    pub fn revision_url(&self, id: &ModelId, revision: &Revision) -> Url {
        self.url(&["api", "models"], id, &["revision", revision.as_str()])
    }

    pub fn tree_url(&self, id: &ModelId, commit: &Commit) -> Url {
        let mut url = self.url(&["api", "models"], id, &["tree", commit.as_str()]);
        url.set_query(Some("recursive=true"));
        url
    }

    /// Whether an address is the endpoint's own.
    pub fn is_own(&self, url: &Url) -> bool {
        url.origin() == self.endpoint.origin()
    }

    /// Tries until it succeeds, fails for good, or `patience` ends.
    pub async fn persist<T>(
        &self,
        patience: &mut Patience,
        mut attempt: impl AsyncFnMut(&mut Patience) -> std::result::Result<T, Failure>,
    ) -> Result<T> {
        loop {
            let (message, source, wait) = match attempt(patience).await {
                Ok(value) => return Ok(value),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing { message, source, wait }) => (message, source, wait),
            };
            let number = patience.failed();
            let delay = wait.map_or_else(|| pause(number), |wait| wait + pause(1));
            if number >= TRIES || delay >= patience.left() {
                let asked =
                    wait.map(|wait| format!(", and the Hub asks to wait {} s", wait.as_secs())).unwrap_or_default();
                let times = if number == 1 { "once".to_owned() } else { format!("{number} times") };
                return Err(Error::Download {
                    message: format!(
                        "{message} (tried {times}{asked}). Check the network, HTTPS_PROXY and HF_ENDPOINT, or try again later"
                    ),
                    source: source.map(Into::into),
                });
            }
            tokio::time::sleep(delay).await;
        }
    }

    /// One try: follows redirects and gives the answer if its status is a good one (200, 206; 416 where a part was asked
    /// for).
    pub async fn send(
        &self,
        method: Method,
        url: Url,
        wanted: Wanted<'_>,
        from: u64,
        patience: &Patience,
    ) -> std::result::Result<Answer, Failure> {
        let asked = format!("{method} {}", shown(&url));
        let timeout = match wanted {
            Wanted::File(..) if method == Method::GET => self.download_timeout,
            _ => self.metadata_timeout,
        };
        let (mut url, mut etag, mut commit, mut size) = (url, None, None, None);
        for _ in 0..=REDIRECTS {
            let own = self.is_own(&url);
            let mut request = self.http.request(method.clone(), url.clone());
            if let Some(value) = self.authorization.as_ref().filter(|_| own) {
                request = request.header(AUTHORIZATION, value.clone());
            }
            if from > 0 {
                request = request.header(reqwest::header::RANGE, format!("bytes={from}-"));
            }
            let limit = timeout.min(patience.left());
            let response = match tokio::time::timeout(limit, request.send()).await {
                Err(_) => {
                    return Err(Failure::passing(format!("{asked}: no answer within {:.1} s", limit.as_secs_f64())));
                }
                Ok(Err(error)) => return Err(unreachable(&asked, error)),
                Ok(Ok(response)) => response,
            };
            let status = response.status();
            if own {
                etag = etag.or_else(|| etag_of(response.headers()));
                commit = commit.or_else(|| text(response.headers(), "x-repo-commit").and_then(Commit::parse));
                size = size.or_else(|| size_of(&response));
            }
            if matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
                url = redirected(&url, &response, &asked)?;
                continue;
            }
            if status == StatusCode::OK
                || status == StatusCode::PARTIAL_CONTENT
                || (status == StatusCode::RANGE_NOT_SATISFIABLE && from > 0)
            {
                return Ok(Answer { response, asked, etag, commit, size });
            }
            return Err(refused(&response, wanted, &asked, own, self.token.as_ref()));
        }
        Err(Failure::Final(Error::Download {
            message: format!("{asked}: more than {REDIRECTS} redirects. Check HF_ENDPOINT and the proxy"),
            source: None,
        }))
    }
}

fn proxies(settings: &Settings) -> Result<Vec<Proxy>> {
    let given = &settings.proxies;
    let direct = Arc::new(given.except.as_deref().map(Direct::parse).unwrap_or_default());
    let address = |text: &str| if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    // The address is not shown: it may hold a password.
    let unusable = |name: &str| {
        Error::InvalidArgument(format!(
            "Expected the address of a proxy (http, https, socks4, socks4a, socks5 or socks5h), such as \"http://proxy:3128\", in {name} \
             or ALL_PROXY"
        ))
    };
    // One of another scheme would be passed by in silence.
    let is_known = |url: &Url| {
        matches!(url.scheme(), "http" | "https" | "socks4" | "socks4a" | "socks5" | "socks5h") && url.has_host()
    };
    let mut list = Vec::new();
    for (name, scheme, text) in [("HTTP_PROXY", "http", &given.http), ("HTTPS_PROXY", "https", &given.https)] {
        let Some(text) = text else { continue };
        let proxy = Url::parse(&address(text)).ok().filter(is_known).ok_or_else(|| unusable(name))?;
        let direct = direct.clone();
        // reqwest's own list knows no ports.
        list.push(Proxy::custom(move |url| (url.scheme() == scheme && !direct.has(url)).then(|| proxy.clone())));
    }
    Ok(list)
}
