//! `router_config.json`: models that treat texts by their task, such as queries by stored weights and documents by a network.
//! Rules: sentence-transformers 6.2, `Router.load` and `Router._resolve_route`. All texts here are of the modality `text`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::modules::Module;
use crate::error::{Error, Result, shown};
use crate::files::{ModelFolder, Object};
use crate::options::Task;

/// The way of a text for each task, by name; `None` where the model has none for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routes {
    any: Option<String>,
    query: Option<String>,
    document: Option<String>,
    /// All that there are, for messages.
    names: Vec<String>,
    /// How many networks those have that tasks lead to.
    networks: usize,
}

impl Routes {
    /// The route for a task.
    ///
    /// # Errors
    /// [`Error::ModelUnsupported`] where there is none.
    pub fn of(&self, task: Option<Task>) -> Result<&str> {
        let (route, what) = match task {
            None => (&self.any, "calls without a task; use `embedQuery` or `embedDocument`"),
            Some(Task::Query) => (&self.query, "queries"),
            Some(Task::Document) => (&self.document, "documents"),
        };
        route.as_deref().ok_or_else(|| {
            let names: Vec<_> = self.names.iter().map(|name| shown(name)).collect();
            Error::ModelUnsupported(format!(
                "{CONFIG}: there is no route for {what}. The model has {}",
                names.join(", ")
            ))
        })
    }

    /// The route that a model is known by: that of calls without a task, else of queries, else of documents.
    #[must_use]
    pub fn first(&self) -> Option<&str> {
        self.used().next()
    }

    /// The others that a task leads to.
    #[must_use]
    pub fn others(&self) -> Vec<&str> {
        let mut others: Vec<&str> = Vec::new();
        for name in self.used().skip(1) {
            if Some(name) != self.first() && !others.contains(&name) {
                others.push(name);
            }
        }
        others
    }

    /// Refuses a file that is named for the network where there are several.
    pub(super) fn expect_no_file(&self, file: &str) -> Result<()> {
        if self.networks <= 1 {
            return Ok(());
        }
        Err(Error::InvalidArgument(format!(
            "Expected nothing for `file`, as the model has {} networks, each with a file of its own, but received {}",
            self.networks,
            shown(file)
        )))
    }

    fn used(&self) -> impl Iterator<Item = &str> {
        [&self.any, &self.query, &self.document].into_iter().filter_map(|route| route.as_deref())
    }
}

const CONFIG: &str = "router_config.json";

/// Whether a module leads texts on by their task.
pub(super) fn is_router(module: &Module) -> bool {
    ["Router", "Asym"].contains(&module.class())
}

/// Where the list begins with a router: puts the modules of `route` (by default the first that a task leads to) in its place.
pub(super) fn enter(folder: &ModelFolder, modules: &mut Vec<Module>, route: Option<&str>) -> Result<Option<Routes>> {
    let Some(router) = modules.first().filter(|module| is_router(module)) else {
        return Ok(None);
    };
    let (structure, routes) = read(folder, router)?;
    let name = route.or(routes.first()).ok_or_else(|| {
        Error::ModelUnsupported(format!(
            "{CONFIG}: no task leads to a route: there is none for queries, documents or texts"
        ))
    })?;
    let entered = structure.get(name).ok_or_else(|| Error::Internal(format!("there is no route {name}")))?;
    modules.splice(..1, entered.iter().cloned());
    Ok(Some(routes))
}

fn read(folder: &ModelFolder, router: &Module) -> Result<(BTreeMap<String, Vec<Module>>, Routes)> {
    // Older versions wrote the second.
    let mut found = None;
    for name in [router.file(CONFIG), router.file("config.json")] {
        found = folder.object(&name)?;
        if found.is_some() {
            break;
        }
    }
    let config = found.ok_or_else(|| {
        Error::FileNotFound(format!("{} has no {}", folder.root().display(), shown(&router.file(CONFIG))))
    })?;
    let structure = structure(folder, router, &config)?;
    let parameters = config.object("parameters")?.unwrap_or_default();
    let known = |name: &str| structure.contains_key(name).then(|| name.to_owned());
    let declared = |name: &str, key: &str| {
        known(name).ok_or_else(|| {
            Error::invalid_model(format!("{}: \"{key}\" leads to {}, which is no route", config.file, shown(name)))
        })
    };
    let mut mappings: Vec<(Key, String)> = Vec::new();
    if let Some(given) = parameters.object("route_mappings")? {
        for (key, route) in given.entries() {
            let read = Key::parse(key).ok_or_else(|| {
                Error::ModelUnsupported(format!(
                    "{}: \"route_mappings\" has the key {}. Expected (task, modality), as Python writes it",
                    config.file,
                    shown(key)
                ))
            })?;
            let route = route.as_str().ok_or_else(|| given.wrong(key, "a string"))?;
            mappings.push((read, declared(route, "route_mappings")?));
        }
    }
    let default = match parameters.text("default_route")? {
        Some(name) => Some(declared(name, "default_route")?),
        None if parameters.flag("allow_empty_key")?.unwrap_or(true) => first_key(folder, &config.file)?,
        None => None,
    };
    let by_key = |task: Option<&str>, modality: Option<&str>| {
        let key = Key { task: task.map(str::to_owned), modality: modality.map(str::to_owned) };
        mappings.iter().find(|(known, _)| *known == key).map(|(_, route)| route.clone())
    };
    let of = |task: Option<&str>| {
        let mapped = by_key(task, Some("text")).or_else(|| by_key(task, None)).or_else(|| by_key(None, Some("text")));
        let found = mapped.or_else(|| by_key(None, None)).or_else(|| task.and_then(known)).or_else(|| known("text"));
        // A task that leads nowhere is an error of the reference, and no call without one.
        if task.is_some() { found } else { found.or_else(|| default.clone()) }
    };
    let [any, query, document] = [None, Some(Task::Query), Some(Task::Document)].map(|task| of(task.map(Task::as_str)));
    let names = structure.keys().cloned().collect();
    let mut routes = Routes { any, query, document, names, networks: 0 };
    let first = |name: &str| structure.get(name).and_then(|modules| modules.first());
    let networks = routes.used().filter_map(first).filter(|module| module.class() != "SparseStaticEmbedding");
    routes.networks = networks.map(|module| &module.path).collect::<BTreeSet<_>>().len();
    Ok((structure, routes))
}

/// The modules of each route.
fn structure(folder: &ModelFolder, router: &Module, config: &Object) -> Result<BTreeMap<String, Vec<Module>>> {
    let wrong = |what: &str| Error::invalid_model(format!("{}: {what}", config.file));
    let types = config.object("types")?.ok_or_else(|| wrong("there is no \"types\""))?;
    let structure = config.object("structure")?.ok_or_else(|| wrong("there is no \"structure\""))?;
    let mut routes = BTreeMap::new();
    for (name, ids) in structure.entries() {
        let ids = ids.as_array().ok_or_else(|| structure.wrong(name, "a list of modules"))?;
        let modules = ids.iter().map(|id| {
            let id = id.as_str().ok_or_else(|| structure.wrong(name, "a list of strings"))?;
            let type_name = types.text(id)?.ok_or_else(|| types.wrong(id, "a type, as \"structure\" names it"))?;
            let slash = if router.path.is_empty() || id.is_empty() { "" } else { "/" };
            Module::new(folder, &config.file, format!("{}{slash}{id}", router.path), type_name.to_owned())
        });
        routes.insert(name.clone(), modules.collect::<Result<_>>()?);
    }
    Ok(routes)
}

/// A key of `route_mappings`: a tuple of Python. `None` in it is for everything.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    task: Option<String>,
    /// Several modalities together are none that a text has.
    modality: Option<String>,
}

impl Key {
    fn parse(key: &str) -> Option<Self> {
        let atom = |text: &str| {
            let text = text.trim();
            if text == "None" {
                return Some(None);
            }
            let quote = text.chars().next().filter(|quote| ['\'', '"'].contains(quote))?;
            let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
            (!inner.contains([quote, '\\'])).then(|| Some(inner.to_owned()))
        };
        let inner = key.trim().strip_prefix('(')?.strip_suffix(')')?;
        let (task, modality) = inner.split_once(',')?;
        let several = modality.trim().starts_with('(').then(|| Some(modality.trim().to_owned()));
        Some(Key { task: atom(task)?, modality: several.or_else(|| atom(modality))? })
    }
}

/// The first key of `structure` as the file has it, which is the default where none is named.
fn first_key(folder: &ModelFolder, file: &str) -> Result<Option<String>> {
    #[derive(Deserialize)]
    struct Config {
        structure: First,
    }
    struct First(Option<String>);
    impl<'de> Deserialize<'de> for First {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
            struct Keys;
            impl<'de> Visitor<'de> for Keys {
                type Value = First;

                fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    formatter.write_str("an object")
                }

                fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<First, A::Error> {
                    let mut first = None;
                    while let Some((key, _)) = map.next_entry::<String, IgnoredAny>()? {
                        first.get_or_insert(key);
                    }
                    Ok(First(first))
                }
            }
            deserializer.deserialize_map(Keys)
        }
    }
    let bytes = folder.read(file)?.unwrap_or_default();
    let config: Config = serde_json::from_slice(&bytes)
        .map_err(|source| Error::invalid_model_because(format!("{file} is not what it must be"), source))?;
    Ok(config.structure.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(json: &str) -> Result<Routes> {
        use std::sync::atomic::{AtomicUsize, Ordering};
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let home = std::env::temp_dir().join(format!("vecrank-routes-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&home).expect("a folder");
        std::fs::write(home.join(CONFIG), json).expect("written");
        let folder = ModelFolder::open(&home)?;
        let router =
            Module { path: String::new(), type_name: "sentence_transformers.base.modules.router.Router".into() };
        let routes = read(&folder, &router).map(|(_, routes)| routes);
        std::fs::remove_dir_all(&home).expect("removed");
        routes
    }

    const MODULES: &str = r#""types": {"a": "sentence_transformers.x.A", "b": "sentence_transformers.x.B"}"#;

    #[test]
    fn tasks_lead_to_routes_of_their_name_and_nothing_to_the_default() {
        let found = routes(&format!(
            r#"{{{MODULES}, "structure": {{"query": ["a"], "document": ["b"]}}, "parameters": {{"default_route": "document"}}}}"#
        ));
        let found = found.expect("routes");
        assert_eq!(
            [None, Some(Task::Query), Some(Task::Document)].map(|task| found.of(task).expect("a route").to_owned()),
            ["document", "query", "document"]
        );
        assert_eq!((found.first(), found.others()), (Some("document"), vec!["query"]));
    }

    #[test]
    fn without_a_default_it_is_the_files_first_route_unless_that_is_forbidden() {
        let of = |parameters: &str| {
            routes(&format!(
                r#"{{{MODULES}, "structure": {{"query": ["a"], "document": ["b"]}}, "parameters": {{{parameters}}}}}"#
            ))
            .expect("routes")
        };
        assert_eq!(of("").of(None).expect("a route"), "query");
        let none = of(r#""default_route": null, "allow_empty_key": false"#);
        assert_eq!(none.of(None).expect_err("none").code(), "ERR_MODEL_UNSUPPORTED");
        assert_eq!(none.first(), Some("query"));
    }

    #[test]
    fn mappings_come_before_names_and_a_task_without_a_route_is_an_error() {
        let found = routes(&format!(
            r#"{{{MODULES}, "structure": {{"light": ["a"], "heavy": ["b"]}},
            "parameters": {{"default_route": "heavy", "route_mappings":
                {{"('query', 'text')": "light", "(None, ('image', 'text'))": "heavy"}}}}}}"#
        ));
        let found = found.expect("routes");
        assert_eq!(found.of(Some(Task::Query)).expect("a route"), "light");
        assert_eq!(found.of(None).expect("a route"), "heavy");
        let error = found.of(Some(Task::Document)).expect_err("no route");
        assert!(error.to_string().contains("heavy, \"light\"") || error.to_string().contains("light"), "{error}");
        let catch_all = r#""parameters": {"route_mappings": {"(None, None)": "a"}}"#;
        let found = routes(&format!(r#"{{{MODULES}, "structure": {{"a": ["a"], "query": ["b"]}}, {catch_all}}}"#));
        assert_eq!(found.expect("routes").of(Some(Task::Query)).expect("a route"), "a");
    }

    #[test]
    fn broken_routers_are_errors() {
        for (json, code) in [
            (format!(r#"{{{MODULES}, "structure": {{"query": ["c"]}}, "parameters": {{}}}}"#), "ERR_MODEL_INVALID"),
            (
                format!(r#"{{{MODULES}, "structure": {{"q": ["a"]}}, "parameters": {{"default_route": "d"}}}}"#),
                "ERR_MODEL_INVALID",
            ),
            (
                format!(
                    r#"{{{MODULES}, "structure": {{"q": ["a"]}}, "parameters": {{"route_mappings": {{"query": "q"}}}}}}"#
                ),
                "ERR_MODEL_UNSUPPORTED",
            ),
            (r#"{"types": {"a": "of_somebody.Else"}, "structure": {"q": ["a"]}}"#.to_owned(), "ERR_MODEL_UNSUPPORTED"),
            (r#"{"structure": {}}"#.to_owned(), "ERR_MODEL_INVALID"),
        ] {
            assert_eq!(routes(&json).expect_err(&json).code(), code, "{json}");
        }
        let up = r#"{"types": {"../a": "sentence_transformers.x.A"}, "structure": {"q": ["../a"]}}"#;
        assert!(routes(up).is_err());
    }
}
