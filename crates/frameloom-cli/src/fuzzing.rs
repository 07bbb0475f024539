//! What is read from outside, for the fuzz targets: it changes without notice.

use std::collections::BTreeMap;
use std::path::Path;

use frameloom_server::ServerConfig;
use serde_json::Value as Json;

use crate::serve::file::File;
use crate::serve::node::Node;
use crate::serve::pipelines::settings::Settings;
use crate::serve::place::Here;
use crate::serve::processes::child::read_reports;
use crate::serve::settings::ServeArgs;

fn here() -> Here {
    Here::wanted(&ServerConfig::default())
}

/// A file of `frameloom serve`.
pub fn server_file(text: &str) {
    let environment = |name: &str| (name.len() < 20).then(|| "from-the-environment".to_owned());
    let Ok(file) = File::parse(Path::new("fuzz.toml"), text, &environment) else { return };
    let _ = ServeArgs::parse([], Some(&file), environment);
    let _ = file.contents(&here());
}

/// The body of a request that adds or changes a pipeline, sent back as it was shown. What that hides
/// depends on the secrets of all bodies before it, so no more is claimed than that it is read.
pub fn pipeline_json(bytes: &[u8]) {
    let Ok(json) = serde_json::from_slice::<Json>(bytes) else { return };
    let node = Node::from_json(json);
    let _ = Settings::read("fuzz", &node, None, &here());
    let returned = Node::from_json(node.shown()).restored(&node);
    let _ = Settings::read("fuzz", &returned, None, &here());
}

/// What a pipeline's process sends to its server.
pub fn reports(bytes: &[u8]) {
    read_reports(bytes, &|message| drop(format!("{message:?}")));
}

/// The order that a server sends to a pipeline's process.
pub fn order(bytes: &[u8]) {
    let order: Option<crate::supervised::ChildOrder> = serde_json::from_slice(bytes).ok();
    let words = order.map(|order| (order.words, order.env));
    let (words, _): (Vec<String>, BTreeMap<String, String>) = words.unwrap_or_default();
    let _ = crate::args::parse(
        crate::called::CalledAs::Frameloom,
        words.into_iter().map(Into::into).collect(),
    );
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// What crashed a target once, and a beginning for the fuzzer.
    fn corpus(target: &str) -> Vec<Vec<u8>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
        let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        let all: Vec<_> = files.map(|path| fs::read(path).unwrap()).collect();
        assert!(!all.is_empty());
        all
    }

    #[test]
    fn what_the_fuzzer_found_is_read_or_refused() {
        for bytes in corpus("server_file") {
            server_file(&String::from_utf8(bytes).unwrap());
        }
        corpus("pipeline_json").iter().for_each(|bytes| pipeline_json(bytes));
        for bytes in corpus("reports") {
            reports(&bytes);
            order(&bytes);
        }
    }

    #[test]
    fn the_seed_of_files_is_right() {
        let seed = include_str!("../../../fuzz/corpus/server_file/seed");
        let environment = |_: &str| Some("a-value-that-is-long-enough".to_owned());
        let file = File::parse(Path::new("seed.toml"), seed, &environment).unwrap();
        assert_eq!(file.contents(&here()).unwrap().pipelines.len(), 1);
        ServeArgs::parse([], Some(&file), environment).map(drop).unwrap();
    }
}
