//! What the program around a server adds to it.

use std::sync::{Arc, Mutex};
use std::thread;

use axum::Router;
use axum::routing::{get as on_get, post};
use frameloom_server::{Extensions, Server, ServerConfig};

use crate::client::{Client, gop, headers, serve, wait_until};
use crate::http::get;

fn extended(token: Option<&str>, change: impl FnOnce(&mut ServerConfig)) -> Server {
    let routes = Router::new()
        .route("/api/v1/more", on_get(|| async { "more" }).merge(post(|| async { "changed" })))
        .route("/", on_get(|| async { "a page" }))
        .route("/assets/{file}", on_get(|| async { "an asset" }));
    serve(|config| {
        config.api_token = token.map(Into::into);
        config.extensions = Extensions {
            routes: Some(routes),
            metrics: Some(Arc::new(|| "of_the_program 7\n".to_owned())),
            wanted: None,
        };
        change(config);
    })
}

#[test]
fn routes_and_metrics_stand_beside_the_servers_own() {
    let server = extended(None, |_| {});
    for (method, path, body) in [
        ("GET", "/api/v1/more", "more"),
        ("POST", "/api/v1/more", "changed"),
        ("GET", "/", "a page"),
        ("GET", "/assets/page.js", "an asset"),
    ] {
        let (head, answer) = get(&server, method, path, "");
        assert!(head.starts_with("HTTP/1.1 200 ") && answer == body, "{path}: {head}");
    }
    let (_, metrics) = get(&server, "GET", "/metrics", "");
    assert!(metrics.contains("frameloom_server_publishers 0\n"), "{metrics}");
    assert!(metrics.ends_with("of_the_program 7\n"), "{metrics}");
    let (head, _) = get(&server, "GET", "/live/nobody.flv", "");
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
}

#[test]
fn strangers_are_kept_from_all_but_streams() {
    let server = extended(Some("0123456789abcdef"), |_| {});
    let right = "Authorization: Bearer 0123456789abcdef\r\n";
    let status = |method, path, more: &str| {
        let (head, _) = get(&server, method, path, more);
        head.split(' ').nth(1).unwrap().parse::<u16>().unwrap()
    };
    for path in ["/api/v1/more", "/api/v1/status", "/metrics"] {
        assert_eq!(status("GET", path, ""), 401, "{path}");
        assert_eq!(status("GET", path, "Authorization: Bearer 0123456789abcde\r\n"), 401, "{path}");
        assert_eq!(status("GET", path, right), 200, "{path}");
    }
    // A page has to be there before it can ask for the token.
    for path in ["/", "/assets/page.js"] {
        assert_eq!(status("GET", path, ""), 200, "{path}");
        assert_eq!(status("GET", path, "Host: elsewhere.example\r\n"), 403, "{path}");
    }
    assert_eq!(status("GET", "/live/nobody.flv", ""), 404);
    let (head, body) = get(&server, "GET", "/api/v1/more", "");
    assert!(head.contains("application/problem+json"), "{head}");
    assert!(body.contains("Bearer TOKEN"), "{body}");

    let from = |origin: &str| format!("{right}Origin: {origin}\r\n");
    assert_eq!(status("POST", "/api/v1/more", right), 200);
    assert_eq!(status("POST", "/api/v1/more", &from("http://localhost")), 200);
    assert_eq!(status("POST", "/api/v1/more", &from("http://elsewhere.example")), 403);
    assert_eq!(status("POST", "/api/v1/more", &from("null")), 403);
    // Nor may it look.
    assert_eq!(status("GET", "/api/v1/more", &from("http://elsewhere.example")), 403);
    let link =
        "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";
    assert_eq!(status("GET", "/", link), 200);
    assert_eq!(status("GET", "/api/v1/more", &format!("{right}{link}")), 403);
}

#[test]
fn a_player_of_what_is_about_to_come_waits_for_it() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&asked);
    let server = extended(None, |config| {
        config.extensions.wanted = Some(Arc::new(move |app, name| {
            told.lock().unwrap().push(format!("{app}/{name}"));
            name == "soon"
        }));
    });
    let observer = server.observer();
    assert!(!observer.is_published("live", "soon"));
    let (head, _) = get(&server, "GET", "/live/never.flv", "");
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
    thread::scope(|scope| {
        let player = scope.spawn(|| get(&server, "HEAD", "/live/soon.flv", ""));
        let mut waits = Client::ask_play(&server, "soon");
        wait_until("both wait", || {
            waits.pump();
            observer.players("live", "soon") == 2
        });
        let mut publisher = Client::publish(&server, "soon");
        publisher.send_all(&headers(0));
        publisher.send_all(&gop(0, 3));
        let (head, _) = player.join().unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        waits.started().take(3);
    });
    wait_until("nobody plays any more", || observer.players("live", "soon") == 0);
    let mut asked = asked.lock().unwrap().clone();
    asked.sort();
    assert_eq!(asked, ["live/never", "live/soon", "live/soon"]);
}
