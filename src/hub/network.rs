//! The thread that loads, while it is on the network: an event loop of its own that ends as soon as nobody waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use once_cell::sync::OnceCell;
use tokio::runtime::Runtime;
use tokio::task::LocalSet;

use super::client::Client;
use super::settings::Settings;
use crate::error::{Error, Result};
use crate::loading::Loading;

/// How often it is looked whether anybody still waits.
const LOOK: Duration = Duration::from_millis(20);

/// Made with the first request: a load from the cache has neither event loop nor client.
#[derive(Default)]
pub(super) struct Network {
    parts: OnceCell<(Runtime, Arc<Client>)>,
    silent: AtomicBool,
    /// See [`super::exclusive`].
    pub met_stuck: Arc<AtomicBool>,
}

impl Network {
    /// The Hub did not answer where the cache could do without it. The rest of the load does without it at once.
    pub fn note_silence(&self) {
        self.silent.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked, and did not answer.
    pub fn is_silent(&self) -> bool {
        self.silent.load(Ordering::Relaxed)
    }

    /// Runs to its end what `work` does with the client, or until the load is stopped.
    pub fn run<T>(
        &self,
        settings: &Settings,
        loading: &Loading,
        work: impl AsyncFnOnce(Arc<Client>) -> Result<T>,
    ) -> Result<T> {
        if settings.offline {
            // The callers have looked; should one forget, there is still no network.
            return Err(Error::Offline("The network may not be used (`offline` or HF_HUB_OFFLINE)".into()));
        }
        let (runtime, client) = self.parts.get_or_try_init(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime =
                runtime.map_err(|error| Error::runtime("The network's event loop could not be started", error))?;
            Ok::<_, Error>((runtime, Arc::new(Client::new(settings)?)))
        })?;
        // Downloads of one load stay on this thread, each with a file and a digest that nobody else touches.
        LocalSet::new().block_on(runtime, async {
            tokio::select! {
                biased;
                () = stopped(loading) => Err(Error::Cancelled),
                result = work(client.clone()) => result,
            }
        })
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Some((runtime, _)) = self.parts.take() {
            // A name that is being looked up cannot be interrupted, and is not waited for.
            runtime.shutdown_background();
        }
    }
}

impl std::fmt::Debug for Network {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Network").field("used", &self.parts.get().is_some()).finish()
    }
}

async fn stopped(loading: &Loading) {
    while !loading.is_stopped() {
        tokio::time::sleep(LOOK).await;
    }
}
