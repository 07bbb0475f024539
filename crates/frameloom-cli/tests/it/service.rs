//! The unit with which systemd runs the server.

use std::process::Command;

/// The highest exposure that `systemd-analyze security` may find, of 100.
const MOST_EXPOSURE: &str = "25";

#[test]
fn the_unit_closes_what_the_server_does_not_need() {
    let unit = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/frameloom.service");
    let analysis = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager", "--threshold", MOST_EXPOSURE, unit])
        .output()
        .expect("no systemd-analyze: run script/setup --tests");
    let told = String::from_utf8_lossy(&analysis.stdout);
    assert!(analysis.status.success(), "{told}{}", String::from_utf8_lossy(&analysis.stderr));
    assert!(told.contains("Overall exposure level"), "{told}");
}
