//! What a server session makes of the commands that clients send, in all their orders.

use frameloom_rtmp::amf0::{Value, object};
use frameloom_rtmp::command::CommandMessage;
use frameloom_rtmp::message::{Message, kind};
use frameloom_rtmp::{
    Error, FourCcInfo, Limits, MediaType, PlayRequest, PublishKind, PublishRequest, ServerEvent,
    ServerSessionConfig, StreamKey, caps_ex,
};

use crate::far_end::{FarEnd, commands, connect, named};

fn video(stream_id: u32, timestamp: u32) -> Message {
    let payload = vec![0x17, 1, 0, 0, 0].into();
    Message { chunk_stream: 6, timestamp, kind: kind::VIDEO, stream_id, payload }
}

fn held() -> FarEnd<frameloom_rtmp::ServerSession> {
    FarEnd::with(ServerSessionConfig { hold_connect: true, ..ServerSessionConfig::default() })
}

#[test]
fn a_connect_that_is_held_answers_nothing_until_it_is_accepted() {
    let mut peer = held();
    // A client that waits for nothing.
    assert_eq!(peer.send(&connect(&[("app", "live?user=me".into())])).unwrap(), []);
    assert!(peer.call("createStream", 2.0, vec![], 0).is_empty());
    assert!(peer.call("publish", 3.0, vec!["camera".into()], 1).is_empty());
    assert_eq!(peer.send(&video(1, 40)).unwrap(), []);
    match &peer.events()[..] {
        [ServerEvent::ConnectRequested(request)] => {
            assert_eq!((request.app.as_str(), request.parameter("user")), ("live", Some("me")));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(peer.session.accept(1), Err(Error::Stream(1)));

    peer.session.accept_connect().unwrap();
    let answers = commands(&peer.answers());
    let answers: Vec<_> =
        answers.iter().map(|answer| (named(answer), answer.transaction)).collect();
    let connected = "_result NetConnection.Connect.Success".to_owned();
    assert_eq!(answers, [(connected, 1.0), ("_result".to_owned(), 2.0)]);
    assert!(matches!(&peer.events()[..], [ServerEvent::PublishRequested(_)]));
    peer.session.accept(1).unwrap();
    match &peer.events()[..] {
        [ServerEvent::Media(media)] => assert_eq!(media.timestamp_ms, 40),
        other => panic!("{other:?}"),
    }
    assert!(peer.session.accept_connect().is_err());
}

#[test]
fn a_connect_can_be_refused_in_words_of_ones_own() {
    let mut peer = held();
    peer.send(&connect(&[("app", "live".into())])).unwrap();
    peer.call("createStream", 2.0, vec![], 0);
    peer.events();
    peer.session.refuse_connect("[ AccessManager.Reject ] : [ authmod=adobe ]").unwrap();
    let answers = commands(&peer.answers());
    assert_eq!(answers.len(), 1);
    assert_eq!(named(&answers[0]), "_error NetConnection.Connect.Rejected");
    let description = answers[0].arguments[0].get("description").and_then(Value::as_str);
    assert_eq!(description, Some("[ AccessManager.Reject ] : [ authmod=adobe ]"));
    // What was on its way does no harm.
    assert!(peer.call("createStream", 3.0, vec![], 0).is_empty());
    peer.send(&connect(&[])).unwrap();
    assert_eq!(peer.events(), []);
    assert!(peer.session.refuse_connect("").is_err() && peer.session.accept_connect().is_err());
}

#[test]
fn what_comes_before_a_held_connect_is_answered_is_limited() {
    let limits = Limits { held_messages: 3, ..Limits::default() };
    let config =
        ServerSessionConfig { hold_connect: true, limits, ..ServerSessionConfig::default() };
    let mut peer = FarEnd::with(config.clone());
    peer.send(&connect(&[])).unwrap();
    for _ in 0..3 {
        peer.send(&video(1, 0)).unwrap();
    }
    let error = Error::Command("more before connect was answered");
    assert_eq!(peer.send(&video(1, 0)), Err(error));

    let limits = Limits { connection_bytes: 100_000, ..Limits::default() };
    let mut peer = FarEnd::with(ServerSessionConfig { limits, ..config });
    peer.send(&connect(&[])).unwrap();
    let large = Message { payload: vec![9; 40_000].into(), ..video(1, 0) };
    let error = (0..100).find_map(|_| peer.send(&large).err());
    assert_eq!(error, Some(Error::ConnectionBytes(100_000)));
}

#[test]
fn an_error_in_what_was_held_ends_the_session() {
    let mut peer = held();
    peer.send(&connect(&[])).unwrap();
    peer.send(&connect(&[])).unwrap();
    assert_eq!(peer.session.accept_connect(), Err(Error::Command("a second connect")));
    assert_eq!(peer.session.receive(&[0]), Err(Error::Failed));
}

fn answer_to(properties: &[(&str, Value)]) -> (Value, ServerEvent) {
    let mut peer = FarEnd::new();
    let answers = peer.send(&connect(properties)).unwrap();
    let result = commands(&answers).pop().unwrap();
    (result.object, peer.events().remove(0))
}

#[test]
fn enhanced_rtmp_v1_has_the_codecs_we_know_echoed() {
    let list = Value::StrictArray(vec!["hvc1".into(), "xyz1".into(), "*".into(), "Opus".into()]);
    let (answer, event) = answer_to(&[("fourCcList", list)]);
    let known = Value::StrictArray(vec!["hvc1".into(), "*".into(), "Opus".into()]);
    assert!(answer.get("fourCcList") == Some(&known));
    assert!(answer.get("capsEx").is_none() && answer.get("videoFourCcInfoMap").is_none());
    match event {
        ServerEvent::Connected(request) => {
            assert_eq!(request.four_ccs, ["hvc1", "xyz1", "*", "Opus"]);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn enhanced_rtmp_v2_is_told_that_all_is_passed_on() {
    let video = object([("*", 4.0.into()), ("vp09", 3.0.into()), ("bad", "x".into())]);
    let (answer, event) = answer_to(&[
        ("capsEx", 3.0.into()),
        ("videoFourCcInfoMap", video),
        ("audioFourCcInfoMap", object([("Opus", 2.0.into())])),
    ]);
    let all = object([("*", 4.0.into())]);
    assert!(answer.get("videoFourCcInfoMap") == Some(&all));
    assert!(answer.get("audioFourCcInfoMap") == Some(&all));
    assert!(answer.get("fourCcList").is_none());
    let caps = answer.get("capsEx").and_then(Value::as_number).unwrap() as u32;
    assert_eq!(caps & caps_ex::RECONNECT, caps_ex::RECONNECT);
    let ServerEvent::Connected(request) = event else { panic!("{event:?}") };
    assert_eq!(request.caps_ex, caps_ex::RECONNECT | caps_ex::MULTITRACK);
    let info = |four_cc: &str, can_decode, can_encode, can_forward| FourCcInfo {
        four_cc: four_cc.to_owned(),
        can_decode,
        can_encode,
        can_forward,
    };
    let video = [info("*", false, false, true), info("vp09", true, true, false)];
    assert_eq!(request.video_codecs, video);
    assert_eq!(request.audio_codecs, [info("Opus", false, true, false)]);
}

#[test]
fn a_client_of_no_enhanced_rtmp_is_told_nothing_of_it() {
    let (answer, _) = answer_to(&[("app", "live".into())]);
    let names: Vec<_> =
        answer.properties().unwrap().iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["fmsVer", "capabilities"]);
}

#[test]
fn applications_are_named_alike_however_clients_write_them() {
    for app in
        ["live", "/live", "live/", "live?a=1", "live/?a=1", "live/_definst_", "live/_definst_/"]
    {
        let (_, event) = answer_to(&[("app", app.into()), ("tcUrl", "rtmp://h/live?b=2".into())]);
        let ServerEvent::Connected(request) = event else { panic!("{event:?}") };
        assert_eq!((request.app.as_str(), request.parameter("b")), ("live", Some("2")), "{app}");
    }
    let (_, event) = answer_to(&[("app", "live/studio".into())]);
    assert!(matches!(event, ServerEvent::Connected(request) if request.app == "live/studio"));
}

/// What each client calls when it stops, in its order.
const ENDINGS: [&[&str]; 7] = [
    // FFmpeg, librtmp; with closeStream GStreamer and Flash; mobile libraries; and the hasty.
    &["FCUnpublish", "deleteStream"],
    &["FCUnpublish", "closeStream", "deleteStream"],
    &["closeStream", "FCUnpublish", "deleteStream"],
    &["closeStream"],
    &["deleteStream", "FCUnpublish"],
    &["deleteStream", "deleteStream", "closeStream"],
    &["publish"],
];

#[test]
fn every_order_of_ending_ends_a_publisher_once() {
    for ending in ENDINGS {
        let mut peer = FarEnd::publishing();
        peer.send(&video(1, 0)).unwrap();
        peer.events();
        for name in ending {
            let (argument, id): (Value, u32) = match *name {
                "deleteStream" => (1.0.into(), 0),
                "FCUnpublish" => ("camera?token=1".into(), 0),
                "closeStream" => (Value::Null, 1),
                _ => (false.into(), 1),
            };
            peer.call(name, 0.0, vec![argument], id);
        }
        // What it still had on its way is nobody's.
        peer.send(&video(1, 40)).unwrap();
        assert_eq!(peer.events(), [ServerEvent::PublishEnded { stream_id: 1 }], "{ending:?}");
    }
}

#[test]
fn one_connection_publishes_again_under_another_name() {
    for ending in ENDINGS {
        let mut peer = FarEnd::publishing();
        peer.send(&video(1, 3_000_000_000)).unwrap();
        for name in ending {
            let (argument, id): (Value, u32) = match *name {
                "deleteStream" => (1.0.into(), 0),
                "FCUnpublish" => ("camera".into(), 0),
                "closeStream" => (Value::Null, 1),
                _ => (false.into(), 1),
            };
            peer.call(name, 0.0, vec![argument], id);
        }
        peer.events();
        // With and without a stream of its own.
        let id = if ending.len() > 1 {
            peer.call("createStream", 9.0, vec![], 0);
            if ending.contains(&"deleteStream") { 1 } else { 2 }
        } else {
            1
        };
        peer.call("publish", 0.0, vec!["door".into(), "record".into()], id);
        match peer.events().pop() {
            Some(ServerEvent::PublishRequested(request)) => {
                assert_eq!((request.key.name(), request.kind), ("door", PublishKind::Record));
            }
            other => panic!("{other:?} after {ending:?}"),
        }
        peer.session.accept(id).unwrap();
        peer.send(&video(id, 0)).unwrap();
        match &peer.events()[..] {
            // And its clock starts anew.
            [ServerEvent::Media(media)] => {
                assert_eq!((media.timestamp_ms, media.kind), (0, MediaType::Video));
            }
            other => panic!("{other:?} after {ending:?}"),
        }
    }
}

/// 3 MB at a time, of the 16 MiB that a connection may hold.
#[test]
fn what_was_held_for_an_answer_is_let_go_by_any_answer() {
    let large = Message { payload: vec![0x17; 3_000_000].into(), ..video(1, 0) };
    let answers: [fn(&mut FarEnd<frameloom_rtmp::ServerSession>); 4] = [
        |peer| peer.session.accept(1).unwrap(),
        |peer| peer.session.refuse(1, frameloom_rtmp::Refusal::NameTaken).unwrap(),
        |peer| drop(peer.call("closeStream", 0.0, vec![], 1)),
        |peer| drop(peer.call("deleteStream", 0.0, vec![1.0.into()], 0)),
    ];
    for answer in answers {
        let mut peer = FarEnd::connected();
        for _ in 0..10 {
            peer.call("publish", 0.0, vec!["camera".into()], 1);
            peer.send(&large).unwrap();
            answer(&mut peer);
            peer.call("closeStream", 0.0, vec![], 1);
            peer.events();
        }
    }
    let mut peer = held();
    peer.send(&connect(&[])).unwrap();
    for _ in 0..5 {
        peer.send(&large).unwrap();
    }
    peer.session.accept_connect().unwrap();
    peer.call("publish", 0.0, vec!["camera".into()], 1);
    for _ in 0..5 {
        peer.send(&large).unwrap();
    }
}

#[test]
fn closing_a_stream_is_confirmed_to_its_publisher() {
    let mut peer = FarEnd::publishing();
    let answers = peer.call("closeStream", 0.0, vec![Value::Null], 1);
    assert_eq!(answers, ["onStatus NetStream.Unpublish.Success"]);
    assert!(peer.call("closeStream", 0.0, vec![Value::Null], 1).is_empty());
}

#[test]
fn a_publisher_needs_neither_release_stream_nor_fc_publish_nor_create_stream() {
    for id in [0, 1, 5] {
        let mut peer = FarEnd::connected();
        peer.call("publish", 0.0, vec!["camera".into()], id);
        let (app, key) = ("live".to_owned(), StreamKey::from("camera"));
        let request = PublishRequest { stream_id: id, app, key, kind: PublishKind::Live };
        assert_eq!(peer.events(), [ServerEvent::PublishRequested(request)]);
        peer.session.accept(id).unwrap();
        let codes: Vec<_> = commands(&peer.answers()).iter().map(named).collect();
        assert_eq!(codes, ["onStatus NetStream.Publish.Start"]);
        peer.send(&video(id, 0)).unwrap();
        assert_eq!(peer.events().len(), 1);
    }
    // Within the limit.
    let mut peer = FarEnd::connected();
    for id in 1..=8 {
        assert!(peer.call("publish", 0.0, vec!["camera".into()], id).is_empty());
    }
    let refused = peer.call("publish", 0.0, vec!["camera".into()], 9);
    assert_eq!(refused, ["onStatus NetStream.Publish.BadName"]);
}

#[test]
fn a_publisher_that_names_no_stream_means_its_only_one() {
    for (publish_on, media_on) in [(0, 1), (0, 0), (1, 0)] {
        let mut peer = FarEnd::connected();
        peer.call("createStream", 2.0, vec![], 0);
        peer.call("publish", 0.0, vec!["camera".into()], publish_on);
        peer.session.accept(1).unwrap();
        peer.events();
        peer.send(&video(media_on, 40)).unwrap();
        match &peer.events()[..] {
            [ServerEvent::Media(media)] => {
                assert_eq!((media.stream_id, media.timestamp_ms), (1, 40));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn names_lose_what_clients_put_before_them_and_keep_their_slashes() {
    let cases = [
        ("camera", "camera", ""),
        ("mp4:camera.mp4", "camera.mp4", ""),
        ("flv:camera?token=mp4:1", "camera", "token=mp4:1"),
        ("studio/left/camera?a=1&b=2", "studio/left/camera", "a=1&b=2"),
        ("mp4:studio/camera", "studio/camera", ""),
        ("what?is?it", "what", "is?it"),
    ];
    for (wire, name, query) in cases {
        let mut peer = FarEnd::connected();
        peer.call("publish", 0.0, vec![wire.into()], 1);
        match &peer.events()[..] {
            [ServerEvent::PublishRequested(request)] => {
                assert_eq!((request.key.name(), request.key.query()), (name, query));
                assert_eq!(request.key.expose(), wire);
            }
            other => panic!("{other:?}"),
        }
    }
    // Whether a name may be empty is for whoever knows what it is joined to.
    for wire in ["", "?token=1", "mp4:"] {
        for action in ["publish", "play"] {
            let mut peer = FarEnd::connected();
            assert!(peer.call(action, 0.0, vec![wire.into()], 1).is_empty());
            match &peer.events()[..] {
                [ServerEvent::PublishRequested(PublishRequest { key, .. })]
                | [ServerEvent::PlayRequested(PlayRequest { key, .. })] => {
                    assert_eq!(key.name(), "", "{wire}");
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn a_refusal_says_what_is_wrong_with_the_name() {
    for (why, expected) in [
        (frameloom_rtmp::Refusal::NameTaken, "in use"),
        (frameloom_rtmp::Refusal::BadName, "is empty, too long, or has characters"),
    ] {
        let mut peer = FarEnd::connected();
        peer.call("publish", 0.0, vec!["camera".into()], 1);
        peer.session.refuse(1, why).unwrap();
        let answers = commands(&peer.answers());
        let text = answers[0].arguments[0].get("description").and_then(Value::as_str);
        assert!(text.unwrap().contains(expected), "{text:?}");
    }
    let mut peer = FarEnd::publishing();
    let publish = CommandMessage::new("publish", 0.0, vec!["other".into()]).message(1);
    let answers = commands(&peer.send(&publish).unwrap());
    let text = answers[0].arguments[0].get("description").and_then(Value::as_str);
    assert!(text.unwrap().contains("busy"), "{text:?}");
}

#[test]
fn media_on_another_stream_than_that_of_publish_goes_to_the_only_publisher() {
    // nginx-rtmp doesn't look at the number, and some encoders write another one.
    for other in [0, 2, 7, u32::MAX] {
        let mut peer = FarEnd::publishing();
        peer.call("createStream", 4.0, vec![], 0);
        peer.send(&video(other, 40)).unwrap();
        match &peer.events()[..] {
            [ServerEvent::Media(media)] => assert_eq!(media.stream_id, 1, "{other}"),
            other => panic!("{other:?}"),
        }
    }
    // It waits with the publisher for the answer.
    let mut peer = FarEnd::connected();
    peer.call("publish", 3.0, vec!["camera".into()], 1);
    peer.send(&video(9, 40)).unwrap();
    peer.session.accept(1).unwrap();
    assert!(matches!(peer.events().last(), Some(ServerEvent::Media(_))));
    // Where two publish, the number is all that tells them apart.
    let mut peer = FarEnd::publishing();
    peer.call("publish", 3.0, vec!["door".into()], 2);
    peer.session.accept(2).unwrap();
    peer.events();
    peer.send(&video(7, 40)).unwrap();
    assert_eq!(peer.events(), []);
    peer.send(&video(2, 40)).unwrap();
    assert!(matches!(&peer.events()[..], [ServerEvent::Media(media)] if media.stream_id == 2));
    // What one that has finished still had on its way is for nobody else.
    peer.call("closeStream", 0.0, vec![], 2);
    peer.events();
    peer.send(&video(2, 80)).unwrap();
    assert_eq!(peer.events(), []);
}

#[test]
fn a_player_changes_over_and_stops_as_flash_does() {
    let mut peer = FarEnd::connected();
    peer.call("createStream", 2.0, vec![], 0);
    let asked = |name: &str, start_ms| {
        let (app, key) = ("live".to_owned(), StreamKey::from(name));
        ServerEvent::PlayRequested(PlayRequest { stream_id: 1, app, key, start_ms })
    };
    peer.call("play", 0.0, vec!["left".into(), (-1000.0).into()], 1);
    assert_eq!(peer.events(), [asked("left", -1000.0)]);
    peer.session.accept(1).unwrap();
    peer.call("play", 0.0, vec!["right".into()], 1);
    let ended = ServerEvent::PlayEnded { stream_id: 1 };
    assert_eq!(peer.events(), [ended.clone(), asked("right", -2000.0)]);
    peer.session.accept(1).unwrap();
    let paused = peer.call("pauseRaw", 0.0, vec![true.into(), 0.0.into()], 1);
    assert!(paused.contains(&"onStatus NetStream.Pause.Notify".to_owned()));
    peer.events();
    peer.call("play", 0.0, vec![false.into()], 1);
    assert_eq!(peer.events(), [ended]);
    let gone = peer.session.send_media(1, MediaType::Video, 0, vec![1].into());
    assert_eq!(gone, Err(Error::Stream(1)));
}

/// What a fuzzer found: such a request was not even equal to itself.
#[test]
fn a_start_that_is_no_number_counts_as_none() {
    for start in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut peer = FarEnd::connected();
        peer.call("play", 0.0, vec!["camera".into(), start.into()], 1);
        match &peer.events()[..] {
            [ServerEvent::PlayRequested(request)] => assert_eq!(request.start_ms, -2000.0),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn amf3_arguments_do_not_end_a_connection() {
    let mut peer = FarEnd::connected();
    // What Flash sends once it believes in AMF3: an envelope, and an AMF3 object as the argument.
    let mut payload = vec![0];
    payload.extend_from_slice(&CommandMessage::new("hello", 7.0, vec![]).message(0).payload);
    payload.extend([0x11, 0x0A, 0x0B, 1, 3, b'a', 4, 5, 1, 0x11, 6, 5, b'h', b'i']);
    let message = Message { kind: kind::COMMAND_AMF3, payload: payload.into(), ..video(0, 0) };
    let answers = commands(&peer.send(&message).unwrap());
    assert_eq!(answers.iter().map(named).collect::<Vec<_>>(), ["_error NetConnection.Call.Failed"]);
    let parsed = CommandMessage::parse(&message, &Limits::default()).unwrap().unwrap();
    assert!(parsed.arguments == [object([("a", 5.0.into())]), "hi".into()]);
    assert_eq!(peer.call("createStream", 2.0, vec![], 0), ["_result"]);
}
