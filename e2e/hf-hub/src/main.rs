//! What the real hf-hub does, told to a test in Node: the first argument is a list of orders in JSON, and what each gave is printed as a
//! list of the same length, `{"ok": …}` or `{"error": …}`. Endpoint, cache and token come from the environment, where hf-hub looks itself.

use hf_hub::{HFClient, HFResult, split_id};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Order {
    /// One file into the cache; its path.
    File(Wanted),
    /// All files, or those that the patterns name; the folder.
    Snapshot(Wanted),
    /// The list of a commit's files, as hf-hub understands it.
    List(Wanted),
    /// What a HEAD tells of a file.
    Metadata(Wanted),
}

#[derive(Deserialize)]
struct Wanted {
    id: String,
    #[serde(default)]
    file: String,
    revision: Option<String>,
    /// Globs, for a snapshot.
    patterns: Option<Vec<String>>,
    /// From the cache, and from nowhere else.
    #[serde(default)]
    local: bool,
}

fn main() {
    let orders = std::env::args().nth(1).expect("the first argument is a list of orders in JSON");
    let orders: Vec<Order> = serde_json::from_str(&orders).expect("an order is file, snapshot, list or metadata");
    // As many tries as hf-hub makes by itself, without its pauses.
    let client = HFClient::builder().retry_base_delay(Duration::from_millis(1)).build_sync().expect("a client");
    let answers: Vec<Value> = orders
        .into_iter()
        .map(|order| match carry_out(&client, order) {
            Ok(value) => json!({ "ok": value }),
            Err(error) => json!({ "error": error.to_string() }),
        })
        .collect();
    println!("{}", Value::from(answers));
}

fn carry_out(client: &hf_hub::HFClientSync, order: Order) -> HFResult<Value> {
    let (Order::File(wanted) | Order::Snapshot(wanted) | Order::List(wanted) | Order::Metadata(wanted)) = &order;
    let (owner, name) = split_id(&wanted.id);
    let model = client.model(owner, name);
    let revision = wanted.revision.clone();
    Ok(match &order {
        Order::File(Wanted { file, local, .. }) => {
            json!(model.download_file().filename(file).maybe_revision(revision).local_files_only(*local).send()?)
        }
        Order::Snapshot(Wanted { patterns, local, .. }) => {
            let patterns = patterns.clone();
            json!(
                model
                    .snapshot_download()
                    .maybe_revision(revision)
                    .maybe_allow_patterns(patterns)
                    .local_files_only(*local)
                    .send()?
            )
        }
        Order::List(_) => json!(model.list_tree().maybe_revision(revision).recursive(true).send()?),
        Order::Metadata(Wanted { file, .. }) => {
            json!(model.get_file_metadata().filepath(file).maybe_revision(revision.as_deref()).send()?)
        }
    })
}
