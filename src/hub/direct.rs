//! Which addresses are reached past the proxy: what `NO_PROXY` means.
//!
//! No standard says it. Where Python (urllib, requests) and Node (undici) agree, they are followed; curl is one of them but for
//! ports, which it does not know. Where they do not agree, what was plainly meant is taken: a port that is the scheme's own may be
//! left out of the address, an address stands for itself in any spelling, with brackets and without.

use std::net::IpAddr;

use reqwest::Url;

/// The list, read once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Direct {
    all: bool,
    entries: Vec<(Hosts, Option<u16>)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Hosts {
    /// The host of this name, and those below it.
    Domain(String),
    /// The addresses that begin with so many bits of this one.
    Network(IpAddr, u32),
}

impl Direct {
    pub fn parse(list: &str) -> Self {
        // Inside a longer list a star is nothing to any of them.
        if list.trim() == "*" {
            return Direct { all: true, entries: Vec::new() };
        }
        let words = list.split(|letter: char| letter == ',' || letter.is_whitespace());
        Direct { all: false, entries: words.filter_map(entry).collect() }
    }

    pub fn has(&self, url: &Url) -> bool {
        let Some(host) = url.host_str().filter(|_| !self.all) else { return self.all };
        let address = bare(host).parse::<IpAddr>().ok();
        let port = url.port_or_known_default();
        self.entries.iter().any(|(hosts, of)| {
            let is_host = match (hosts, address) {
                (Hosts::Network(network, bits), Some(address)) => begins_alike(*network, address, *bits),
                (Hosts::Domain(domain), None) => {
                    host.strip_suffix(domain.as_str()).is_some_and(|before| before.is_empty() || before.ends_with('.'))
                }
                _ => false,
            };
            is_host && (of.is_none() || *of == port)
        })
    }
}

/// `None` for what names no host.
fn entry(word: &str) -> Option<(Hosts, Option<u16>)> {
    // First as a whole: the last group of an address of IPv6 is no port.
    if let Some(network) = network(word) {
        return Some((network, None));
    }
    let (host, port) = match word.rsplit_once(':') {
        Some((host, port)) => (host, Some(port.parse::<u16>().ok()?)),
        None => (word, None),
    };
    if let Some(network) = network(host) {
        return Some((network, port));
    }
    let domain = host.strip_prefix("*.").unwrap_or(host).trim_start_matches('.');
    if domain.is_empty() || domain.contains(['/', '\\', '@', '?', '#', '*', ':']) {
        return None;
    }
    // As addresses have it: small letters, and other scripts in ASCII.
    let domain = Url::parse(&format!("http://{domain}/")).ok()?.host_str()?.to_owned();
    Some((Hosts::Domain(domain), port))
}

/// `10.0.0.1`, `10.0.0.0/8`, `::1`, `[::1]`, `fe80::/10`
fn network(text: &str) -> Option<Hosts> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits.parse::<u32>().ok()?)),
        None => (text, None),
    };
    let address: IpAddr = bare(address).parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    Some(Hosts::Network(address, bits.unwrap_or(most))).filter(|_| bits.is_none_or(|bits| bits <= most))
}

fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

fn begins_alike(one: IpAddr, other: IpAddr, bits: u32) -> bool {
    // Of no bits at all nothing is left to compare.
    let same = |difference: u128, width: u32| difference.checked_shr(width - bits).unwrap_or(0) == 0;
    match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => same(u128::from(one.to_bits() ^ other.to_bits()), 32),
        (IpAddr::V6(one), IpAddr::V6(other)) => same(one.to_bits() ^ other.to_bits(), 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // What Python's requests 2.34.2 (`utils.should_bypass_proxies`), its urllib 3.11 (`proxy_bypass_environment` with the host as
    // `Request` has it) and undici 7.30.2 (the agent that `EnvHttpProxyAgent` takes) all say; copied from their answers.
    const AGREED: [(&str, &str, bool); 49] = [
        ("", "http://hub.test:8080/", false),
        ("hub.test", "http://hub.test/", true),
        ("hub.test", "https://hub.test/", true),
        ("hub.test", "http://hub.test:8080/", true),
        ("hub.test", "http://www.hub.test:8080/", true),
        ("hub.test", "http://nothub.test/", false),
        ("hub.test", "http://test/", false),
        (".hub.test", "http://hub.test/", true),
        (".hub.test", "http://www.hub.test/", true),
        (".hub.test", "http://nothub.test/", false),
        ("HUB.TEST", "http://hub.test/", true),
        ("hub.test", "http://HUB.TEST/", true),
        ("a.test,hub.test", "http://hub.test/", true),
        (" a.test , hub.test ", "http://hub.test/", true),
        ("a.test,,hub.test,", "http://hub.test/", true),
        ("hub.test:8080", "http://hub.test:8080/", true),
        ("hub.test:8080", "http://hub.test/", false),
        ("hub.test:8080", "http://hub.test:8081/", false),
        ("hub.test:8080", "https://hub.test:8080/", true),
        ("hub.test:8080", "http://www.hub.test:8080/", true),
        ("hub.test:8080", "http://nothub.test:8080/", false),
        (".hub.test:8080", "http://hub.test:8080/", true),
        (".hub.test:8080", "http://www.hub.test:8080/", true),
        (".hub.test:8080", "http://www.hub.test/", false),
        ("a.test, .hub.test:8080", "http://www.hub.test:8080/", true),
        ("hub.test:80", "https://hub.test/", false),
        ("hub.test:443", "http://hub.test/", false),
        ("hub.test:443", "https://hub.test:8443/", false),
        ("hub.test:8080,hub.test:8081", "http://hub.test:8081/", true),
        ("*", "http://hub.test:8080/", true),
        ("*", "http://127.0.0.1/", true),
        ("*,a.test", "http://hub.test/", false),
        ("a.test,*", "http://hub.test/", false),
        ("127.0.0.1", "http://127.0.0.1:8080/", true),
        ("127.0.0.2", "http://127.0.0.1:8080/", false),
        ("127.0.0.1", "http://localhost:8080/", false),
        ("localhost:8080", "http://localhost:8080/", true),
        ("localhost:8081", "http://localhost:8080/", false),
        ("127.0.0.1:8081", "http://127.0.0.1:8080/", false),
        ("27.0.0.1", "http://127.0.0.1/", false),
        ("hub.test:abc", "http://hub.test/", false),
        ("hub.test:", "http://hub.test/", false),
        ("http://hub.test", "http://hub.test/", false),
        ("::2", "http://[::1]:8080/", false),
        ("[::1]:8081", "http://[::1]:8080/", false),
        ("10.0.0.0/8", "http://11.1.2.3/", false),
        ("10.0.0.0/33", "http://10.0.0.0/", false),
        ("fd00::/8", "http://[fe00::5]/", false),
        ("*.hub.test", "http://nothub.test/", false),
    ];

    // Where they do not agree: what is done here, and which of the three go past the proxy. All three take the end of an address
    // for a domain, which only networks are here, and for curl.
    const CHOSEN: [(&str, &str, bool, &str); 18] = [
        ("hub.test:80", "http://hub.test/", true, "undici"),
        ("hub.test:443", "https://hub.test/", true, "undici"),
        ("hub.test:443", "https://www.hub.test/", true, "undici"),
        ("HUB.test:8080", "http://hub.test:8080/", true, "urllib, undici"),
        ("127.0.0.1:8080", "http://127.0.0.1:8080/", true, "urllib, undici"),
        ("10.0.0.0/8", "http://10.1.2.3/", true, "requests"),
        ("10.9.9.9/8", "http://10.1.2.3:8080/", true, "requests"),
        ("10.0.0.0/8:8080", "http://10.1.2.3:8080/", true, "none"),
        ("::1", "http://[::1]:8080/", true, "requests"),
        ("0:0:0:0:0:0:0:1", "http://[::1]:8080/", true, "none"),
        ("[::1]", "http://[::1]:8080/", true, "urllib, undici"),
        ("[::1]:8080", "http://[::1]:8080/", true, "urllib, undici"),
        ("::1:8080", "http://[::1]:8080/", false, "requests"),
        ("fd00::/8", "http://[fd00::5]/", true, "none"),
        ("*.hub.test", "http://www.hub.test/", true, "undici"),
        ("*.hub.test:8080", "http://www.hub.test:8080/", true, "undici"),
        ("a.test hub.test", "http://hub.test/", true, "undici"),
        ("0.0.1", "http://127.0.0.1/", false, "requests, urllib, undici"),
    ];

    fn is_direct(list: &str, url: &str) -> bool {
        Direct::parse(list).has(&Url::parse(url).expect("url"))
    }

    #[test]
    fn no_proxy_means_what_it_means_to_python_and_undici() {
        for (list, url, direct) in AGREED {
            assert_eq!(is_direct(list, url), direct, "{list:?} {url}");
        }
    }

    #[test]
    fn where_they_differ_no_proxy_means_what_was_meant() {
        for (list, url, direct, by) in CHOSEN {
            assert_eq!(is_direct(list, url), direct, "{list:?} {url}, direct by {by}");
        }
    }

    #[test]
    fn whatever_stands_in_the_list_is_read_to_its_end() {
        for odd in [
            ":",
            "[",
            "]",
            "[]:1",
            ":80",
            "/",
            "1.2.3.4/",
            "1.2.3.4/x",
            "*.",
            "*.*",
            ".",
            "..",
            "a:b:c",
            "a:99999",
            "a@b",
            "é",
            "\u{0}",
        ] {
            assert!(is_direct(&format!("{odd},hub.test"), "http://hub.test/"), "{odd}");
            assert!(!is_direct(odd, "http://hub.test/"), "{odd}");
        }
        assert!(is_direct("bücher.test", "http://xn--bcher-kva.test/"));
        assert!(is_direct("0.0.0.0/0", "http://10.1.2.3/") && !is_direct("0.0.0.0/0", "http://[::1]/"));
    }
}
