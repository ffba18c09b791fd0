//! A model's files ahead of their use: what a load would read, without opening the network.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use crate::error::Result;
use crate::files::ModelFolder;
use crate::hub::{self, Lends, LockFile, Pin, Pins, Request};
use crate::loading::Loading;
use crate::network::{Network, Placement};
use crate::options::{LoadOptions, Product};
use crate::spec::{DenseSpec, LayerNormSpec, ModelSpec, ModuleStep, product_of};

/// What was pulled.
#[derive(Debug, Clone)]
pub struct Pulled {
    /// The repository and, after it, the one that lends it small files.
    pub parts: Vec<Part>,
    /// What the model is.
    pub product: Product,
}

/// The files of one repository.
#[derive(Debug, Clone)]
pub struct Part {
    /// `owner/name`
    pub model: String,
    /// The revision that was asked for.
    pub revision: String,
    /// The commit.
    pub commit: String,
    /// The folder of its files.
    pub folder: PathBuf,
    /// The files, with sizes and hashes.
    pub files: BTreeMap<String, Pin>,
}

/// Downloads and verifies what a load with `options` would read. `product` where the caller knows what the model is;
/// `write_lock` names a lock file to pin the files in.
///
/// # Errors
/// Those of [`hub::open`] and [`ModelSpec::read`].
pub fn pull(
    request: &Request,
    product: Option<Product>,
    options: LoadOptions,
    write_lock: Option<PathBuf>,
    loading: &Arc<Loading>,
) -> Result<Pulled> {
    // Looked at first: nothing should be downloaded for a lock file that cannot be added to, or has no folder.
    if let Some(path) = &write_lock {
        let folder = path.parent().unwrap_or(path);
        std::fs::create_dir_all(folder).map_err(|source| LockFile::unwritable(path, source))?;
        LockFile::read(path)?;
    }
    let dtype = options.file.is_none().then(|| options.dtype.as_str());
    // All that a load may read: a base that is missing cannot be made up for by options that a later load may not have.
    let lends = |own: &ModelFolder| {
        Ok(match product.map_or_else(|| product_of(own), Ok)? {
            Product::Embedder => Lends::Needed,
            _ => Lends::Nothing,
        })
    };
    let opened = hub::open(request, dtype, lends, loading)?;
    let folder = opened.folder();
    let read = || {
        let product = product.map_or_else(|| product_of(&folder), Ok)?;
        let mut options = LoadOptions { product, ..options };
        let spec = Network::spec(&folder, &options, &Placement::cpu())?;
        fetch(&folder, &spec)?;
        for route in spec.routes.iter().flat_map(|routes| routes.others()) {
            options.route = Some(route.to_owned());
            fetch(&folder, &Network::spec(&folder, &options, &Placement::cpu())?)?;
        }
        Ok(product)
    };
    let product = read().map_err(|error| opened.explain(error))?;
    opened.settle(loading);
    let parts: Vec<Part> = opened
        .snapshots()
        .map(|snapshot| Part {
            model: snapshot.request.id.to_string(),
            revision: snapshot.request.revision.to_string(),
            commit: snapshot.commit.to_string(),
            folder: snapshot.folder(),
            files: snapshot.used(),
        })
        .collect();
    if let Some(path) = write_lock {
        LockFile::update(&path, &request.settings.cache, |lock| {
            for (number, (part, snapshot)) in parts.iter().zip(opened.snapshots()).enumerate() {
                let dtypes: BTreeSet<String> = dtype.filter(|_| number == 0).map(str::to_owned).into_iter().collect();
                let pins = Pins { commit: part.commit.clone(), dtypes, files: part.files.clone() };
                lock.pin(&snapshot.request.id, &snapshot.request.revision, pins);
            }
        })?;
    }
    Ok(Pulled { parts, product })
}

/// What one route of a model reads: its network, and the layers behind it.
fn fetch(folder: &ModelFolder, spec: &ModelSpec) -> Result<()> {
    Network::fetch(folder, spec)?;
    for step in spec.head.token_layers().iter().chain(spec.head.layers()) {
        if let ModuleStep::Dense(DenseSpec { weights, .. }) | ModuleStep::LayerNorm(LayerNormSpec { weights, .. }) =
            step
        {
            folder.locate(weights)?;
        }
    }
    Ok(())
}
