//! Where the tests find what `script/setup` fetched.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::run::wait_until;

/// A folder of the test's own, removed when it is dropped.
pub(crate) fn room() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("frameloom-").tempdir().unwrap()
}

pub(crate) fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target")
}

/// The clip of real film: H.264 1280x720 at 25 fps with 5.1 AAC, 5.3 seconds.
pub(crate) fn film() -> PathBuf {
    let path = std::env::var_os("FRAMELOOM_TEST_FILM")
        .map_or_else(|| target().join("test-media/bigbuckbunny.mp4"), PathBuf::from);
    assert!(path.is_file(), "no film at {}: run script/setup --tests", path.display());
    path
}

/// A Python that has numpy.
pub(crate) fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let tried: Vec<PathBuf> = match std::env::var_os("FRAMELOOM_TEST_PYTHON") {
            Some(path) => vec![path.into()],
            None => vec![target().join("venv/bin/python"), "/usr/bin/python3".into()],
        };
        let has_numpy = |python: &&PathBuf| {
            Command::new(python)
                .args(["-c", "import numpy"])
                .output()
                .is_ok_and(|out| out.status.success())
        };
        match tried.iter().find(has_numpy) {
            Some(python) => python.clone(),
            None => panic!("none of {tried:?} is a Python with numpy: run script/setup --tests"),
        }
    })
}

/// Node.js, and the folder with its packages.
pub(crate) fn node() -> (PathBuf, PathBuf) {
    let node = std::env::var_os("FRAMELOOM_TEST_NODE")
        .map_or_else(|| target().join("node/node"), PathBuf::from);
    let packages = target().join("node");
    assert!(
        packages.join("node_modules").is_dir(),
        "no {}: run script/setup --tests",
        packages.display()
    );
    (node, packages)
}

pub(crate) fn chromium() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .flat_map(|folder| ["chromium-headless-shell", "chromium"].map(|name| folder.join(name)))
        .find(|program| program.is_file())
        .expect("no chromium-headless-shell: run script/setup --tests")
}

/// A program of the tests' own, by its file name.
pub(crate) fn fixture(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures").join(name);
    assert!(path.is_file(), "no fixture {}", path.display());
    path
}

/// Waits until someone is bound to the UDP port.
pub(crate) fn wait_for_udp(port: u16) {
    let mark = format!(":{port:04X} ");
    wait_until("the UDP port is bound", || {
        let bound =
            |table: &&str| std::fs::read_to_string(table).is_ok_and(|lines| lines.contains(&mark));
        ["/proc/net/udp", "/proc/net/udp6"].iter().any(bound)
    });
}
