//! Keys and callbacks.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use frameloom_rtmp::{ClientRole, PublishKind};
use frameloom_server::{Callback, Server};

use crate::client::{Client, LIMIT, audio, connect, serve, wait_until};
use crate::http::{Stream, UPGRADE, get};

const REFUSED: &str = "NetStream.Publish.BadName";

/// A callback's server: it sends what it was asked, and answers by it.
fn callback_server(
    answer: impl Fn(&str) -> &'static str + Send + 'static,
) -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            socket.set_read_timeout(Some(LIMIT)).unwrap();
            let mut request = String::new();
            let mut bytes = [0; 4096];
            while !is_whole(&request) {
                let count = socket.read(&mut bytes).unwrap();
                assert!(count > 0, "half a request: {request}");
                request.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
            }
            // Not every test looks at it.
            let _ = sender.send(request.clone());
            let head = answer(&request);
            if !head.is_empty() {
                write!(socket, "HTTP/1.1 {head}\r\nContent-Length: 0\r\n\r\n").unwrap();
            } else {
                // It never answers: the connection is kept until the other side has had enough.
                while socket.read(&mut bytes).is_ok_and(|count| count > 0) {}
            }
        }
    });
    (address, receiver)
}

fn is_whole(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else {
        return false;
    };
    let mut lines = head.lines().map(str::to_ascii_lowercase);
    let length = lines.find_map(|line| Some(line.strip_prefix("content-length:")?.trim().parse()));
    body.len() >= length.unwrap().unwrap()
}

fn parse(address: SocketAddr, path: &str) -> Option<Callback> {
    Some(Callback::parse(&format!("http://{address}{path}")).unwrap())
}

#[test]
fn a_publish_key_opens_by_either_query() {
    let server = serve(|config| config.publish_key = Some("s&cret".into()));
    for key in ["camera", "camera?key=wrong", "camera?key=", "camera?other=s%26cret"] {
        assert_eq!(Client::ask_publish(&server, key).refusal(), REFUSED);
    }
    Client::publish(&server, "camera?a=1&key=s%26cret").finish();
    wait_until("the name is free", || server.status().streams.is_empty());
    let role = ClientRole::Publish(PublishKind::Live);
    let socket = connect(server.rtmp_addr().unwrap());
    Client::new(socket, "live?key=s%26cret", "camera", role).started();
}

#[test]
fn a_play_key_is_asked_for_on_every_way() {
    let server = serve(|config| config.play_key = Some("open".into()));
    let mut publisher = Client::publish(&server, "camera");
    publisher.send(&audio(0, 1));
    assert_eq!(Client::ask_play(&server, "camera").refusal(), "NetStream.Play.Failed");
    let mut player = Client::play(&server, "camera?key=open");
    publisher.send(&audio(10, 2));
    player.media();
    let head = |query: &str| get(&server, "HEAD", &format!("/live/camera.flv{query}"), "").0;
    assert!(head("").starts_with("HTTP/1.1 403 "));
    assert!(head("?key=shut").starts_with("HTTP/1.1 403 "));
    assert!(head("?key=%6Fpen").starts_with("HTTP/1.1 200 "));
}

#[test]
fn who_shows_the_apis_token_plays_without_a_key() {
    let (address, asked) = callback_server(|_| "200 OK");
    let server = serve(|config| {
        config.play_key = Some("open".into());
        config.api_token = Some("0123456789abcdef".into());
        config.on_play = parse(address, "/play");
    });
    let mut publisher = Client::publish(&server, "camera");
    publisher.send(&audio(0, 1));
    let ask = |path: &str, more: &str| get(&server, "HEAD", path, more).0;
    let token = |end: &str| format!("Authorization: Bearer 0123456789abcde{end}\r\n");
    assert!(ask("/live/camera.flv", "").starts_with("HTTP/1.1 403 "));
    assert!(ask("/live/camera.flv", &token("e")).starts_with("HTTP/1.1 403 "));
    assert!(asked.try_recv().is_err(), "the callback was asked about who has no key");
    assert!(ask("/live/camera.flv", &token("f")).starts_with("HTTP/1.1 200 "));
    let request = asked.recv_timeout(LIMIT).unwrap();
    assert!(request.contains("call=play&name=camera"), "{request}");
    assert!(!request.contains("0123456789abcdef"), "{request}");
    for (more, status) in [(token("f"), "101"), (String::new(), "403")] {
        let (head, _) = Stream::ask(&server, "/live/camera.flv", &format!("{UPGRADE}{more}"));
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
    }
    // It is no key for anything else.
    assert!(ask("/live/camera.flv?key=0123456789abcdef", "").starts_with("HTTP/1.1 403 "));

    // Without a play key streams are open to anyone, whatever guards the API.
    let server = serve(|config| config.api_token = Some("0123456789abcdef".into()));
    let mut publisher = Client::publish(&server, "camera");
    publisher.send(&audio(0, 1));
    for more in ["", &token("f"), &token("e")] {
        let head = get(&server, "HEAD", "/live/camera.flv", more).0;
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    }
    // Where there is no token, none is right.
    let server = serve(|config| config.play_key = Some("open".into()));
    let head = get(&server, "HEAD", "/live/camera.flv", "Authorization: Bearer \r\n").0;
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
}

#[test]
fn names_that_mean_something_else_are_refused() {
    let server = serve(|_| {});
    for key in ["..", "a\nb", "a\u{202E}b", &"x".repeat(256)] {
        let (code, why) = Client::ask_publish(&server, key).refusal_and_reason();
        assert_eq!(code, REFUSED);
        assert!(why.contains("the name is empty, too long, or has characters"), "{why}");
    }
    // It says so only where it is so.
    let _first = Client::publish(&server, "camera");
    let (_, why) = Client::ask_publish(&server, "camera").refusal_and_reason();
    assert_eq!(why, "the name is in use");
}

fn ask(server: &Server, app: &str, key: &str, role: ClientRole) -> Client {
    Client::new(connect(server.rtmp_addr().unwrap()), app, key, role)
}

/// Every way to split a path into an application and a key, the path as either included.
fn splits(path: &str) -> Vec<(&str, &str)> {
    let slashes = path.match_indices('/').map(|(at, _)| (&path[..at], &path[at + 1..]));
    slashes.chain([(path, ""), ("", path)]).collect()
}

#[test]
fn a_stream_is_found_however_its_path_is_split() {
    let server = serve(|_| {});
    for path in ["camera", "live/camera", "site/floor/camera", "site/floor/room/camera"] {
        for (publish_app, publish_key) in splits(path) {
            let role = ClientRole::Publish(PublishKind::Live);
            let mut publisher = ask(&server, publish_app, publish_key, role).started();
            let streams = server.status().streams;
            let (app, name) = path.rsplit_once('/').unwrap_or(("", path));
            assert_eq!((&*streams[0].app, &*streams[0].name), (app, name));
            let mut players: Vec<_> = splits(path)
                .into_iter()
                .map(|(app, key)| {
                    ask(&server, app, key, ClientRole::Play { buffer_ms: 100 }).started()
                })
                .collect();
            publisher.send(&audio(0, 1));
            for player in &mut players {
                assert_eq!(player.take(1), [audio(0, 1)], "{publish_app} {publish_key}");
            }
            let head = get(&server, "HEAD", &format!("/{path}.flv"), "").0;
            assert!(head.starts_with("HTTP/1.1 200 "), "{path}: {head}");
            // It is the same name for a second publisher, too.
            for (app, key) in splits(path) {
                let second = ask(&server, app, key, ClientRole::Publish(PublishKind::Live));
                assert_eq!(second.refusal_and_reason().1, "the name is in use");
            }
            publisher.finish();
            wait_until("the name is free", || server.status().streams.is_empty());
        }
    }
    let nothing = ask(&server, "", "", ClientRole::Publish(PublishKind::Live));
    assert!(nothing.refusal_and_reason().1.contains("the name is empty"));
}

#[test]
fn a_callback_is_asked_about_the_stream_and_not_about_how_it_was_split() {
    let (address, asked) = callback_server(|_| "200 OK");
    let server = serve(|config| config.on_publish = parse(address, "/publish"));
    for (app, key) in splits("live/room/camera") {
        let client = ask(&server, app, key, ClientRole::Publish(PublishKind::Live)).started();
        let request = asked.recv_timeout(LIMIT).unwrap();
        assert!(request.contains("app=live%2Froom&"), "{request}");
        assert!(request.contains("&name=camera"), "{request}");
        client.finish();
        wait_until("the name is free", || server.status().streams.is_empty());
    }
}

#[test]
fn a_callback_that_says_yes_is_asked_as_nginx_would() {
    let (address, asked) = callback_server(|_| "200 OK");
    let server = serve(|config| {
        config.on_publish =
            Some(Callback::parse(&format!("http://me:pass@{address}/publish?token=1")).unwrap());
        config.on_play = parse(address, "/play");
    });
    let mut publisher = Client::publish(&server, "camera?token=a%26b");
    let request = asked.recv_timeout(LIMIT).unwrap();
    assert!(request.starts_with("POST /publish?token=1 HTTP/1.1\r\n"), "{request}");
    let lower = request.to_ascii_lowercase();
    assert!(lower.contains("\r\ncontent-type: application/x-www-form-urlencoded\r\n"), "{request}");
    assert!(request.contains("Basic bWU6cGFzcw=="), "{request}");
    let body = request.rsplit("\r\n").next().unwrap();
    let fields: Vec<_> = body.split('&').collect();
    for field in
        ["call=publish", "app=live", "name=camera", "addr=127.0.0.1", "clientid=1", "token=a%26b"]
    {
        assert!(fields.contains(&field), "{field} in {body}");
    }
    assert!(body.contains("tcurl=rtmp%3A%2F%2Flocalhost%2Flive&"), "{body}");

    let mut player = Client::play(&server, "camera");
    assert!(asked.recv_timeout(LIMIT).unwrap().contains("call=play&name=camera"));
    publisher.send(&audio(0, 1));
    assert_eq!(player.take(1), [audio(0, 1)]);
}

#[test]
fn a_callback_that_says_no_refuses() {
    let (address, _asked) = callback_server(|request| {
        if request.contains("name=good") { "204 No Content" } else { "403 Forbidden" }
    });
    let server = serve(|config| {
        config.on_publish = parse(address, "/");
        config.on_play = parse(address, "/");
    });
    assert_eq!(Client::ask_publish(&server, "bad").refusal(), REFUSED);
    Client::publish(&server, "good");
    assert_eq!(Client::ask_play(&server, "bad").refusal(), "NetStream.Play.Failed");
    assert!(get(&server, "GET", "/live/bad.flv", "").0.starts_with("HTTP/1.1 403 "));
}

#[test]
fn a_callback_may_give_another_name() {
    let (address, _asked) =
        callback_server(|_| "302 Found\r\nLocation: rtmp://somewhere/live/public%20name");
    let server = serve(|config| config.on_publish = parse(address, "/"));
    let mut publisher = Client::publish(&server, "private-key");
    let names = |server: &Server| -> Vec<_> {
        server.status().streams.iter().map(|stream| stream.name.clone()).collect()
    };
    assert_eq!(names(&server), ["public name"]);
    let mut player = Client::play(&server, "public name");
    publisher.send(&audio(0, 1));
    player.media();
}

#[test]
fn a_callback_without_an_answer_refuses_and_holds_up_nobody_else() {
    let (address, asked) = callback_server(|_| "");
    let server = serve(|config| {
        config.on_publish = parse(address, "/");
        config.timeouts.callback = Duration::from_millis(1500);
        config.timeouts.play_wait = Duration::ZERO;
    });
    let mut waits = Client::ask_publish(&server, "camera");
    wait_until("the callback is asked", || {
        waits.pump();
        asked.try_recv().is_ok()
    });
    // Whoever plays is not asked about.
    assert_eq!(Client::ask_play(&server, "other").refusal(), "NetStream.Play.StreamNotFound");
    assert_eq!(waits.refusal(), REFUSED);

    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = serve(|config| config.on_publish = parse(nobody, "/"));
    assert_eq!(Client::ask_publish(&server, "camera").refusal(), REFUSED);
}

#[test]
fn what_a_publisher_sends_before_the_callback_answers_is_not_lost() {
    let (open, gate) = channel::<()>();
    let (address, asked) = callback_server(move |_| {
        gate.recv_timeout(LIMIT).unwrap();
        "200 OK"
    });
    let server = serve(|config| {
        config.on_publish = parse(address, "/");
        config.timeouts.callback = LIMIT;
    });
    let mut eager = Client::ask_publish(&server, "camera");
    let mut request = None;
    wait_until("the callback is asked", || {
        eager.pump();
        request = asked.try_recv().ok();
        request.is_some()
    });
    let before = server.status().totals.received_bytes;
    eager.send_unasked(&[audio(0, 1), audio(10, 2)]);
    wait_until("it is there", || server.status().totals.received_bytes >= before + 2 * 5);
    assert!(server.status().streams.is_empty());
    open.send(()).unwrap();
    let mut eager = eager.started();
    let received = || server.status().streams.first().map_or(0, |stream| stream.received_bytes);
    wait_until("it is published", || received() == 10);
    eager.send(&audio(20, 3));
    wait_until("more is too", || received() == 15);
}
