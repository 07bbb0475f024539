//! Files that are wrong: one line that says where, and nothing is begun.

use std::fs;
use std::net::TcpListener;

use crate::harness::*;

#[test]
fn a_wrong_file_is_one_line_with_its_place() {
    let folder = room();
    let path = folder.path().join("cameras.toml");
    let input = "[pipelines.a]\ninput = \"rtmp://h/live/a\"\n";
    let both = format!("{input}outputs = [\"rtmp://h/live/b\"]\n");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    for (code, text, place, mentions) in [
        (2, format!("{both}on_demand = \"yes\"\n"), ":4:13: ", "true or false, not a string"),
        (2, format!("{both}on_slow = \"lates\"\n"), ":4:1: ", "latest"),
        (2, format!("{both}outputz = []\n"), ":4:1: ", "did you mean outputs?"),
        (2, format!("{both}[pipelines.a]\ninput = \"b\"\n"), ":4:1", "duplicate"),
        (2, format!("{input}outputs = [\"rtmp://h/live/a\"]\n"), ":1:12: ", "circle"),
        (2, "[server]\nrtmp_lisen = 1\n".to_owned(), ":2:1: ", "did you mean rtmp_listen"),
        (2, "[server]\nplay_wait = true\n".to_owned(), ":2:13: ", "not true or false"),
        (2, "[server]\napi_token = \"short\"\n".to_owned(), ":2:13: ", "16 characters"),
        (2, "[server]\nhttp_listen = \"0.0.0.0:0\"\n".to_owned(), "", "FRAMELOOM_API_TOKEN"),
        (2, "input = ${NO}\n".to_owned(), ":1:10: ", "expected newline"),
        (2, "[server]\npublish_key = \"${NO_SUCH}\"\n".to_owned(), ":2:15: ", "has no NO_SUCH"),
        (1, format!("[server]\nrtmp_listen = \"{address}\"\n{both}"), "", "choose another port"),
    ] {
        fs::write(&path, &text).unwrap();
        let told = frameloom(args!["serve", &path]).run().fails(code);
        let named = place.is_empty() || told.contains(&format!("cameras.toml{place}"));
        assert!(named && told.contains(mentions), "{text}: {told}");
        assert!(!told.contains("short"), "a secret is told: {told}");
    }
    let missing = folder.path().join("no-such.toml");
    let told = frameloom(args!["serve", &missing]).run().refuses(2);
    assert!(told.contains("no-such.toml' can't be read"), "{told}");
}
