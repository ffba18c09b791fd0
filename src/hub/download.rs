//! The files of a repository over the network: its list, and each file checked while it streams.

use std::collections::HashSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::answer::{spoken, text};
use super::client::{Answer, Client, Failure, Wanted};
use super::exclusive::Exclusive;
use super::name::{Commit, Etag, ModelId, Revision};
use super::partial::Partial;
use super::repository::Repository;
use super::retry::Patience;
use super::stamp;
use super::tree::{Answered, Entry, Tree};
use crate::error::{Error, Result};
use crate::loading::Loading;

/// Longest answer in JSON.
const MAX_JSON: usize = 64 << 20;
const MAX_PAGES: usize = 1000;
/// Whole files with a wrong hash before the Hub, or what stands between, is taken at its word.
const WRONG_FILES: u32 = 2;

/// Downloads for one repository.
#[derive(Clone)]
pub(super) struct Downloads {
    pub client: Arc<Client>,
    pub repository: Repository,
    pub id: ModelId,
    pub loading: Arc<Loading>,
    /// The list of files is one that was kept, and may be damaged.
    pub is_kept: bool,
    /// A lock of this load was held by somebody who got nothing.
    pub met_stuck: Arc<AtomicBool>,
}

#[derive(Deserialize)]
struct Info {
    sha: String,
}

impl Downloads {
    /// The commit that a branch or tag stands for now.
    pub async fn commit_of(&self, revision: &Revision, within: Option<Duration>) -> Result<Commit> {
        let url = self.client.revision_url(&self.id, revision);
        let wanted = Wanted::Repository(&self.id, revision);
        let mut patience = self.client.patience(within);
        let (info, asked, _): (Info, _, _) =
            self.client.persist(&mut patience, async |patience| self.json(url.clone(), wanted, patience).await).await?;
        Commit::parse(&info.sha).ok_or_else(|| no_hub(&asked, "gives no commit"))
    }

    /// All files of a commit.
    pub async fn tree(&self, commit: &Commit, within: Option<Duration>) -> Result<Tree> {
        let revision = Revision::parse(commit.as_str())?;
        let wanted = Wanted::Repository(&self.id, &revision);
        let mut patience = self.client.patience(within);
        let (mut tree, mut seen) = (Tree::default(), HashSet::new());
        let mut next = Some(self.client.tree_url(&self.id, commit));
        for _ in 0..MAX_PAGES {
            let Some(url) = next.take() else { return Ok(tree) };
            let (page, asked, link): (Vec<Answered>, _, _) = self
                .client
                .persist(&mut patience, async |patience| self.json(url.clone(), wanted, patience).await)
                .await?;
            let known = seen.len();
            seen.extend(page.iter().map(|entry| entry.path.clone()));
            let brings_nothing = seen.len() == known;
            tree.extend(page);
            if let Some(link) = link {
                if brings_nothing {
                    return Err(no_hub(&asked, "goes on without end"));
                }
                let to = url.join(&link).ok().filter(|to| self.client.is_own(to));
                next = Some(to.ok_or_else(|| no_hub(&asked, "continues at another host"))?);
            }
        }
        Err(no_hub("The list of files", "has no end"))
    }

    /// One try for JSON: the value, what was asked, and where it goes on.
    async fn json<T: DeserializeOwned>(
        &self,
        url: reqwest::Url,
        wanted: Wanted<'_>,
        patience: &mut Patience,
    ) -> std::result::Result<(T, String, Option<String>), Failure> {
        let Answer { mut response, asked, .. } = self.client.send(Method::GET, url, wanted, 0, patience).await?;
        let link = text(response.headers(), "link").and_then(next_page);
        let mut body = Vec::new();
        while let Some(bytes) = self.next_bytes(&mut response, &asked, patience).await? {
            body.extend_from_slice(&bytes);
            if body.len() > MAX_JSON || !patience.progress(bytes.len() as u64, body.len() as u64) {
                return Err(Failure::Final(no_hub(&asked, "is too long or too slow")));
            }
        }
        match serde_json::from_slice(&body) {
            Ok(value) => Ok((value, asked, link)),
            Err(_) => Err(Failure::Final(no_hub(&asked, "is not what a Hub answers"))),
        }
    }

    async fn next_bytes(
        &self,
        response: &mut reqwest::Response,
        asked: &str,
        patience: &Patience,
    ) -> std::result::Result<Option<Bytes>, Failure> {
        let limit = self.client.idle_timeout().min(patience.left());
        match tokio::time::timeout(limit, response.chunk()).await {
            Err(_) => Err(Failure::passing(format!("{asked}: no bytes for {:.1} s", limit.as_secs_f64()))),
            Ok(Err(error)) => Err(Failure::Passing {
                message: format!("{asked}: the connection broke"),
                source: Some(spoken(error)),
                wait: None,
            }),
            Ok(Ok(bytes)) => Ok(bytes),
        }
    }

    /// Size and hash of a file, where the list does not tell them.
    pub async fn entry(&self, commit: &Commit, path: &str) -> Result<Entry> {
        let url = self.client.file_url(&self.id, commit, path);
        let wanted = Wanted::File(&self.id, commit, path);
        let answer = self
            .client
            .persist(&mut self.client.patience(None), async |patience| {
                self.client.send(Method::HEAD, url.clone(), wanted, 0, patience).await
            })
            .await?;
        let headers = answer.response.headers();
        let size = ["x-linked-size", "content-length"].iter().find_map(|name| text(headers, name)?.parse().ok());
        match (answer.etag, size) {
            (Some(etag), Some(size)) => Ok(Entry { size, etag }),
            _ => Err(no_hub(&answer.asked, "gives no hash and size of the file")),
        }
    }

    /// Brings a file into the cache, unless somebody else does so meanwhile. `false` where the Hub now gives it another
    /// hash than `entry`'s.
    pub async fn fetch(&self, commit: &Commit, path: &str, entry: &Entry) -> Result<bool> {
        let number = self.loading.expect(self.id.as_str(), path, entry.size);
        let blob = self.repository.blob(&entry.etag);
        // A damaged blob is hashed once and not each time that somebody looks.
        let damaged = Mutex::new(None);
        let is_there = || {
            let Ok(now) = std::fs::metadata(&blob).and_then(|found| Ok((found.len(), found.modified()?))) else {
                return false;
            };
            let mut damaged = damaged.lock().unwrap_or_else(PoisonError::into_inner);
            if *damaged == Some(now) {
                return false;
            }
            let found = stamp::verify(&self.repository, &blob, Some(&entry.etag), &|| self.loading.is_stopped());
            let right = found.is_ok_and(|found| found.is_ok());
            *damaged = (!right).then_some(now);
            right
        };
        let mut patience = self.client.patience(None);
        if !is_there() {
            let turn = Exclusive::acquire(
                &self.repository,
                &entry.etag,
                &self.loading,
                &mut patience,
                &self.met_stuck,
                is_there,
            )
            .await?;
            if let Some(turn) = turn.filter(|_| !is_there())
                && !self.transfer(commit, path, entry, number, turn.is_held(), &mut patience).await?
            {
                return Ok(false);
            }
        }
        self.repository.point(commit, path, &entry.etag)?;
        self.loading.finish(number);
        Ok(true)
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one transfer")]
    async fn transfer(
        &self,
        commit: &Commit,
        path: &str,
        entry: &Entry,
        number: usize,
        alone: bool,
        patience: &mut Patience,
    ) -> Result<bool> {
        let url = self.client.file_url(&self.id, commit, path);
        let mut partial = Partial::open(&self.repository, entry, alone)?;
        let mut wrong = 0;
        let done = self
            .client
            .persist(patience, async |patience| {
                let from = partial.length();
                let is_whole = from == entry.size && entry.size > 0;
                if !is_whole && !self.stream(&url, commit, path, entry, number, &mut partial, patience).await? {
                    return Ok(None);
                }
                match partial.check() {
                    Ok(digests) => Ok(Some(digests)),
                    Err(found) => {
                        partial.restart()?;
                        // Bytes that an earlier download left may be wrong without anybody's present fault.
                        wrong += u32::from(from == 0);
                        let message = format!(
                            "{path} of {} is damaged: its hash is {found}, the Hub lists {}",
                            self.id,
                            entry.etag.as_str()
                        );
                        if wrong >= WRONG_FILES {
                            return Err(Failure::Final(Error::Corrupt {
                                message: format!(
                                    "{message}. It was downloaded {wrong} times and not kept. A proxy or mirror changes it, \
                                     or the file on the Hub is damaged"
                                ),
                            }));
                        }
                        Err(Failure::passing(message))
                    }
                }
            })
            .await;
        let digests = match done {
            Ok(Some(digests)) => digests,
            Ok(None) => return Ok(false),
            // Of a full disk nothing should be kept; what a broken network left is where the next try goes on.
            Err(error @ Error::Disk { .. }) => {
                partial.discard();
                return Err(error);
            }
            Err(error) => return Err(error),
        };
        let written = partial.place(&self.repository)?;
        if let Some(written) = written {
            stamp::note(&self.repository, &self.repository.blob(&entry.etag), &digests, &written);
        }
        Ok(true)
    }

    /// One answer's bytes, into the partial file. `false` where the answer is of a file with another hash.
    #[allow(clippy::too_many_arguments, reason = "the parts of one transfer")]
    async fn stream(
        &self,
        url: &reqwest::Url,
        commit: &Commit,
        path: &str,
        entry: &Entry,
        number: usize,
        partial: &mut Partial,
        patience: &mut Patience,
    ) -> std::result::Result<bool, Failure> {
        let from = partial.length();
        let wanted = Wanted::File(&self.id, commit, path);
        let answer = self.client.send(Method::GET, url.clone(), wanted, from, patience).await?;
        let (asked, headers) = (&answer.asked, answer.response.headers());
        if answer.commit.as_ref().is_some_and(|found| found != commit) {
            return Err(Failure::Final(no_hub(asked, "is of another commit")));
        }
        if answer.etag.as_ref().is_some_and(|found| *found != entry.etag) {
            return Ok(false);
        }
        let encoding = text(headers, "content-encoding").filter(|encoding| *encoding != "identity");
        let start = match answer.response.status().as_u16() {
            206 => content_start(text(headers, "content-range"), entry.size),
            200 => Some(0),
            _ => None,
        };
        let length = text(headers, "content-length").and_then(|length| length.parse::<u64>().ok());
        if self.is_kept
            && answer.etag.as_ref() == Some(&entry.etag)
            && answer.size.is_some_and(|size| size != entry.size)
        {
            return Ok(false);
        }
        let fits = start.is_some_and(|start| length.is_none_or(|length| start + length == entry.size));
        if encoding.is_some() || !fits || start.is_some_and(|start| start != 0 && start != from) {
            partial.restart()?;
            let kind = text(headers, "content-type").unwrap_or("no type");
            let length = length.map_or_else(|| "an unknown number of".to_owned(), |length| length.to_string());
            return Err(Failure::passing(format!(
                "{asked}: expected {} bytes but the answer has {length} ({kind}{})",
                entry.size,
                encoding.map(|encoding| format!(", {encoding}")).unwrap_or_default(),
            )));
        }
        // A server that does not know parts sends everything.
        if start == Some(0) && from > 0 {
            partial.restart()?;
        }
        let mut response = answer.response;
        let tries = patience.tries();
        while let Some(bytes) = self.next_bytes(&mut response, &answer.asked, patience).await? {
            let count = bytes.len() as u64;
            if partial.length() + count > entry.size {
                partial.restart()?;
                patience.take_back(tries);
                return Err(Failure::passing(format!("{}: more than {} bytes came", answer.asked, entry.size)));
            }
            partial.append(bytes)?;
            self.loading.report(number, partial.length());
            if !patience.progress(count, partial.length()) {
                return Err(Failure::Final(Error::Download {
                    message: format!("{}: less than 1 KiB a second came for 25 s", answer.asked),
                    source: None,
                }));
            }
        }
        if partial.length() < entry.size {
            let (length, size) = (partial.length(), entry.size);
            return Err(Failure::passing(format!("{}: the answer ended after {length} of {size} bytes", answer.asked)));
        }
        Ok(true)
    }
}

/// The first byte of `Content-Range: bytes first-last/size`, where the size is the expected one.
fn content_start(header: Option<&str>, size: u64) -> Option<u64> {
    let (range, whole) = header?.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let last: u64 = last.parse().ok()?;
    (whole.parse() == Ok(size) && last + 1 == size).then(|| first.parse().ok())?
}

/// The address in `<…>; rel="next"`.
fn next_page(header: &str) -> Option<String> {
    header.split(',').find_map(|part| {
        let (address, rest) = part.trim().strip_prefix('<')?.split_once('>')?;
        rest.contains("rel=\"next\"").then(|| address.to_owned())
    })
}

fn no_hub(asked: &str, what: &str) -> Error {
    Error::Download {
        message: format!(
            "{asked}: the answer {what}. Is HF_ENDPOINT a Hub, and does no proxy or log-in page stand between?"
        ),
        source: None,
    }
}

/// Whether the blob of a pointer is what its name says; the hash of a file that is no link is not known.
pub(super) fn etag_of_link(pointer: &std::path::Path) -> Option<Etag> {
    Etag::parse(std::fs::read_link(pointer).ok()?.file_name()?.to_str()?)
}
