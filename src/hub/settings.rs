//! Where the Hub and its cache are, and how they are spoken to: the variables that huggingface_hub reads, and the options
//! that are stronger. Nothing here looks at the process's environment: the caller passes it, so that a worker thread's
//! own environment counts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, Result};

/// Variables that are read. `index.js` passes those that are set; proxies also in lower case.
pub const VARIABLES: [&str; 25] = [
    "MODEL_CACHE",
    "HF_HOME",
    "HF_HUB_CACHE",
    "HUGGINGFACE_HUB_CACHE",
    "XDG_CACHE_HOME",
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "HF_TOKEN_PATH",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN",
    "HF_ENDPOINT",
    "HF_HUB_OFFLINE",
    "TRANSFORMERS_OFFLINE",
    "HF_HUB_ETAG_TIMEOUT",
    "HF_HUB_DOWNLOAD_TIMEOUT",
    "HF_HUB_DISABLE_SYMLINKS",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "NODE_EXTRA_CA_CERTS",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "REQUEST_METHOD",
];

/// Variables that name the cache itself, strongest first.
const CACHES: [&str; 3] = ["MODEL_CACHE", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"];

/// How another folder is chosen, for messages about one that is of no use.
pub(super) const ANOTHER_CACHE: &str = "choose another folder with `cacheDir`, MODEL_CACHE, HF_HUB_CACHE, \
                                        HUGGINGFACE_HUB_CACHE, HF_HOME or XDG_CACHE_HOME (the first that is set decides)";

/// The Hub where no other endpoint is named.
const ENDPOINT: &str = "https://huggingface.co";
/// Longest wait for the head of an answer about a file or a repository (huggingface_hub's default).
const METADATA_TIMEOUT: f64 = 10.0;
/// Longest wait for the next bytes of a file.
const DOWNLOAD_TIMEOUT: f64 = 20.0;

/// What the user gave, as it was given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Given {
    /// The environment.
    pub variables: BTreeMap<String, String>,
    /// The user's home folder; many containers have none.
    pub home: Option<PathBuf>,
    /// The folder that holds `models--owner--name`; stronger than every variable.
    pub cache_dir: Option<PathBuf>,
    /// The Hub's address.
    pub endpoint: Option<String>,
    /// The token.
    pub token: Option<Token>,
    /// No network.
    pub offline: Option<bool>,
}

/// A secret that no message shows.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Token(String);

impl Token {
    /// # Errors
    /// [`Error::InvalidArgument`] where it cannot stand in a header. The message does not show it.
    pub fn parse(text: &str, origin: &str) -> Result<Option<Self>> {
        let text = text.trim();
        if text.bytes().any(|byte| !(0x21..=0x7e).contains(&byte)) {
            return Err(Error::InvalidArgument(format!(
                "Expected a token of visible ASCII characters in {origin} but received something else (not shown)"
            )));
        }
        Ok((!text.is_empty()).then(|| Token(text.to_owned())))
    }

    /// The secret itself, for the header.
    pub(super) fn secret(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Token(not shown)")
    }
}

/// Proxies by the scheme of the address that is asked for.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Proxies {
    /// For `http:` addresses.
    pub http: Option<String>,
    /// For `https:` addresses.
    pub https: Option<String>,
    /// Hosts that are reached directly.
    pub except: Option<String>,
}

impl std::fmt::Debug for Proxies {
    // An address may hold a password.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Proxies")
            .field("http", &self.http.is_some())
            .field("https", &self.https.is_some())
            .field("except", &self.except)
            .finish()
    }
}

/// The Hub and its cache, with every default filled in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Settings {
    /// The folder that holds `models--owner--name`.
    pub cache: PathBuf,
    /// The Hub's address, without a slash at its end.
    pub endpoint: String,
    /// Sent to the endpoint's host only.
    pub token: Option<Token>,
    /// No network.
    pub offline: bool,
    /// Longest wait for the head of an answer about a file or a repository.
    pub metadata_timeout: Duration,
    /// Longest wait for the next bytes of a file.
    pub download_timeout: Duration,
    /// Whether snapshots may be symbolic links to blobs.
    pub symlinks: bool,
    /// Proxies.
    pub proxies: Proxies,
    /// Files with certificates that are trusted beside the system's.
    pub authorities: Vec<PathBuf>,
    /// Folders with such files (`SSL_CERT_DIR`). One that is not there counts as empty, as in OpenSSL.
    pub authorities_folders: Vec<PathBuf>,
}

impl Settings {
    /// Fills in the defaults. Reads the token's file, nothing else.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for an endpoint, a token or a number that is none; [`Error::Disk`] where the token's file
    /// cannot be read.
    pub fn resolve(given: &Given) -> Result<Self> {
        let variables = Variables { given };
        let caches = || variables.folder("XDG_CACHE_HOME").or_else(|| Some(given.home.as_ref()?.join(".cache")));
        let home = variables.folder("HF_HOME").or_else(|| Some(caches()?.join("huggingface")));
        let cache = given
            .cache_dir
            .clone()
            .or_else(|| CACHES.iter().find_map(|name| variables.folder(name)))
            .or_else(|| Some(home.as_ref()?.join("hub")))
            .ok_or_else(|| Error::Disk {
                message: "This user has no home folder, so there is no place for the cache of models. Set `cacheDir`, \
                          MODEL_CACHE or HF_HOME"
                    .into(),
                source: None,
            })?;
        let token = match &given.token {
            Some(token) => Some(token.clone()),
            None => implicit_token(&variables, home.as_deref())?,
        };
        let mut authorities = Vec::new();
        for name in ["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"] {
            authorities.extend(variables.folder(name).filter(|path| !authorities.contains(path)));
        }
        Ok(Settings {
            cache,
            endpoint: endpoint(&variables)?,
            token,
            // The first that is set decides, as in Python.
            offline: given.offline.unwrap_or_else(|| match variables.get("HF_HUB_OFFLINE") {
                Some(_) => variables.is_on("HF_HUB_OFFLINE"),
                None => variables.is_on("TRANSFORMERS_OFFLINE"),
            }),
            metadata_timeout: variables.seconds("HF_HUB_ETAG_TIMEOUT", METADATA_TIMEOUT)?,
            download_timeout: variables.seconds("HF_HUB_DOWNLOAD_TIMEOUT", DOWNLOAD_TIMEOUT)?,
            symlinks: !variables.is_on("HF_HUB_DISABLE_SYMLINKS"),
            proxies: proxies(&variables),
            authorities,
            authorities_folders: variables
                .get("SSL_CERT_DIR")
                .map(|list| std::env::split_paths(list).collect())
                .unwrap_or_default(),
        })
    }
}

struct Variables<'given> {
    given: &'given Given,
}

impl<'given> Variables<'given> {
    /// An empty variable counts as absent.
    fn get(&self, name: &str) -> Option<&'given str> {
        self.given.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Tools agree on no spelling of a proxy's variable; the lower-case one is the older.
    fn either_case(&self, name: &str) -> Option<&'given str> {
        self.get(&name.to_lowercase()).or_else(|| self.get(name))
    }

    fn is_on(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| matches!(value.to_uppercase().as_str(), "1" | "ON" | "YES" | "TRUE"))
    }

    /// A path; `~` is the home folder, as in Python.
    fn folder(&self, name: &str) -> Option<PathBuf> {
        let value = self.get(name)?;
        match value.strip_prefix('~') {
            Some("") => self.given.home.clone(),
            Some(rest) if rest.starts_with(['/', '\\']) => Some(self.given.home.as_ref()?.join(&rest[1..])),
            _ => Some(PathBuf::from(value)),
        }
    }

    fn seconds(&self, name: &str, default: f64) -> Result<Duration> {
        let Some(value) = self.get(name) else { return Ok(Duration::from_secs_f64(default)) };
        match value.trim().parse::<f64>() {
            Ok(seconds) if seconds > 0.0 && seconds <= 86_400.0 => Ok(Duration::from_secs_f64(seconds)),
            _ => Err(Error::InvalidArgument(format!("Expected seconds in {name} but received {value:?}"))),
        }
    }
}

fn implicit_token(variables: &Variables, home: Option<&Path>) -> Result<Option<Token>> {
    if variables.is_on("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
        return Ok(None);
    }
    for name in ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"] {
        if let Some(value) = variables.get(name) {
            return Token::parse(value, name);
        }
    }
    let Some(path) = variables.folder("HF_TOKEN_PATH").or_else(|| Some(home?.join("token"))) else { return Ok(None) };
    match std::fs::read_to_string(&path) {
        Ok(text) => Token::parse(&text, "the token's file"),
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(source) => Err(Error::unreadable(&path, source)),
    }
}

fn endpoint(variables: &Variables) -> Result<String> {
    let (text, origin) = match (&variables.given.endpoint, variables.get("HF_ENDPOINT")) {
        (Some(option), _) => (option.as_str(), "`endpoint`"),
        (None, Some(value)) => (value, "HF_ENDPOINT"),
        (None, None) => return Ok(ENDPOINT.to_owned()),
    };
    let text = text.trim().trim_end_matches('/');
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or("");
    let fits = !rest.is_empty()
        && !rest.starts_with('/')
        && !rest.contains(['?', '#', '@', '\\'])
        && rest.chars().all(|letter| letter.is_ascii_graphic());
    if fits {
        return Ok(text.to_owned());
    }
    // Not shown: it may hold a password.
    Err(Error::InvalidArgument(format!(
        "Expected the address of a Hub, such as \"{ENDPOINT}\", in {origin}: http or https, without user, query and fragment"
    )))
}

fn proxies(variables: &Variables) -> Proxies {
    let all = variables.either_case("ALL_PROXY");
    // In a CGI program HTTP_PROXY is a header of the request: whoever asks would choose the proxy ("httpoxy").
    let http = match variables.get("REQUEST_METHOD") {
        Some(_) => variables.get("http_proxy"),
        None => variables.either_case("HTTP_PROXY"),
    };
    Proxies {
        http: http.or(all).map(str::to_owned),
        https: variables.either_case("HTTPS_PROXY").or(all).map(str::to_owned),
        except: variables.either_case("NO_PROXY").map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(variables: &[(&str, &str)]) -> Result<Settings> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Settings::resolve(&Given { variables, home: Some("/home/u".into()), ..Given::default() })
    }

    #[test]
    fn the_cache_is_where_python_has_it() {
        let cache = |variables: &[(&str, &str)]| resolve(variables).expect("settings").cache.display().to_string();
        assert_eq!(cache(&[]), "/home/u/.cache/huggingface/hub");
        assert_eq!(cache(&[("XDG_CACHE_HOME", "/x")]), "/x/huggingface/hub");
        assert_eq!(cache(&[("XDG_CACHE_HOME", "/x"), ("HF_HOME", "~/hf")]), "/home/u/hf/hub");
        assert_eq!(cache(&[("HF_HOME", "/hf"), ("HUGGINGFACE_HUB_CACHE", "/old")]), "/old");
        assert_eq!(cache(&[("HUGGINGFACE_HUB_CACHE", "/old"), ("HF_HUB_CACHE", "/c")]), "/c");
        assert_eq!(cache(&[("HF_HUB_CACHE", "/c"), ("MODEL_CACHE", "/m")]), "/m");
        assert_eq!(cache(&[("HF_HUB_CACHE", "")]), "/home/u/.cache/huggingface/hub");
    }

    #[test]
    fn what_a_message_names_is_what_chooses_the_cache_in_that_order() {
        let words: Vec<&str> = ANOTHER_CACHE
            .split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
            .filter(|word| VARIABLES.contains(word))
            .collect();
        assert_eq!(words, ["MODEL_CACHE", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"]);
        // Each beats those after it.
        for (number, name) in words.iter().enumerate() {
            let set: Vec<_> = words[number..].iter().map(|name| (*name, format!("/{name}"))).collect();
            let set: Vec<_> = set.iter().map(|(name, value)| (*name, value.as_str())).collect();
            assert!(resolve(&set).expect("settings").cache.starts_with(format!("/{name}")), "{name}");
        }
    }

    #[test]
    fn switches_and_times_are_read_as_python_reads_them() {
        let settings = resolve(&[("TRANSFORMERS_OFFLINE", "yes"), ("HF_HUB_ETAG_TIMEOUT", "2.5")]).expect("settings");
        assert!(settings.offline);
        assert_eq!(settings.metadata_timeout, Duration::from_millis(2500));
        assert!(!resolve(&[("HF_HUB_OFFLINE", "0")]).expect("settings").offline);
        assert_eq!(resolve(&[("HF_HUB_DOWNLOAD_TIMEOUT", "soon")]).expect_err("no number").code(), "ERR_INVALID_ARG");
    }

    #[test]
    fn tokens_and_passwords_are_never_shown() {
        let settings =
            resolve(&[("HF_TOKEN", "hf_canary\n"), ("HTTPS_PROXY", "http://u:canary@p:1")]).expect("settings");
        assert_eq!(settings.token.as_ref().map(Token::secret), Some("hf_canary"));
        assert!(!format!("{settings:?}").contains("canary"));
        let error = resolve(&[("HF_TOKEN", "hf canary")]).expect_err("a space");
        assert!(!error.to_string().contains("canary"));
        let error = resolve(&[("HF_ENDPOINT", "https://u:canary@host")]).expect_err("a password");
        assert!(!error.to_string().contains("canary"));
        let hidden = resolve(&[("HF_TOKEN", "hf_canary"), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]).expect("settings");
        assert_eq!(hidden.token, None);
    }

    #[test]
    fn endpoints_and_proxies() {
        assert_eq!(
            resolve(&[("HF_ENDPOINT", "http://localhost:8080//")]).expect("settings").endpoint,
            "http://localhost:8080"
        );
        for bad in ["ftp://x", "x", "https://", "https://a/?q", "https:///x"] {
            assert!(resolve(&[("HF_ENDPOINT", bad)]).is_err(), "{bad}");
        }
        let proxies =
            resolve(&[("ALL_PROXY", "a"), ("https_proxy", "s"), ("HTTPS_PROXY", "S")]).expect("settings").proxies;
        assert_eq!((proxies.http.as_deref(), proxies.https.as_deref()), (Some("a"), Some("s")));
        let cgi = resolve(&[("HTTP_PROXY", "evil"), ("REQUEST_METHOD", "GET")]).expect("settings").proxies;
        assert_eq!(cgi.http, None);
    }
}
