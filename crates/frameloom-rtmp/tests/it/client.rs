//! A client session against servers of all kinds, answer by answer.

use frameloom_rtmp::amf0::{Value, object};
use frameloom_rtmp::command::{CommandMessage, status};
use frameloom_rtmp::{
    ClientConfig, ClientEvent, ClientRole, ClientSession, FOUR_CCS, PublishKind, Secret,
    ServerInfo, caps_ex,
};

use crate::far_end::{FarEnd, commands};

const PUBLISH: ClientRole = ClientRole::Publish(PublishKind::Live);

fn config(role: ClientRole) -> ClientConfig {
    ClientConfig::new("rtmp://example.org:1935/live/left", "live/left", "camera", role)
}

fn send(
    server: &mut FarEnd<ClientSession>,
    name: &str,
    transaction: f64,
    info: Value,
) -> Vec<CommandMessage> {
    let command = CommandMessage::new(name, transaction, vec![info]);
    commands(&server.send(&command.message(0)).unwrap())
}

/// After `connect` and `createStream`.
fn asking(role: ClientRole) -> FarEnd<ClientSession> {
    let (mut server, _) = FarEnd::client(config(role));
    send(&mut server, "_result", 1.0, status("status", "NetConnection.Connect.Success", ""));
    // Its transaction number is its own affair, so it is taken from what it sent.
    let asked = send(&mut server, "_result", 4.0, 1.0.into());
    assert_eq!(asked.len(), 1);
    server.events();
    server
}

fn reconnect(tc_url: Option<&str>) -> Value {
    let mut information = status("status", "NetConnection.Connect.ReconnectRequest", "");
    if let (Value::Object(properties), Some(url)) = (&mut information, tc_url) {
        properties.push(("tcUrl".to_owned(), url.into()));
    }
    information
}

#[test]
fn a_reconnect_request_is_an_event_and_the_connection_goes_on() {
    let cases = [
        (None, None),
        (Some("rtmps://other.example.org/app"), Some("rtmps://other.example.org/app")),
        (Some("//192.0.2.1/app"), Some("rtmp://192.0.2.1/app")),
        (Some("/app"), Some("rtmp://example.org:1935/app")),
        (Some("right"), Some("rtmp://example.org:1935/live/right")),
    ];
    for (wire, expected) in cases {
        let mut server = asking(PUBLISH);
        send(&mut server, "onStatus", 0.0, reconnect(wire));
        let tc_url = expected.map(Secret::from);
        assert_eq!(server.events(), [ClientEvent::ReconnectRequested { tc_url }]);
        send(&mut server, "onStatus", 0.0, status("status", "NetStream.Publish.Start", ""));
        assert_eq!(server.events(), [ClientEvent::Started]);
    }
}

#[test]
fn a_redirect_comes_with_the_refusal() {
    let (mut server, _) = FarEnd::client(config(PUBLISH));
    let mut information = status("error", "NetConnection.Connect.Rejected", "go there");
    if let Value::Object(properties) = &mut information {
        let there = object([("code", 302.0.into()), ("redirect", "rtmp://there/app".into())]);
        properties.push(("ex".to_owned(), there));
    }
    send(&mut server, "_error", 1.0, information);
    let tc_url = Some(Secret::from("rtmp://there/app"));
    let refused = ClientEvent::Refused {
        code: "NetConnection.Connect.Rejected".to_owned(),
        description: "go there".into(),
        challenge: None,
    };
    assert_eq!(server.events(), [ClientEvent::ReconnectRequested { tc_url }, refused]);
}

#[test]
fn an_error_for_publish_or_play_is_a_refusal_and_others_are_not() {
    for role in [PUBLISH, ClientRole::Play { buffer_ms: 100 }] {
        let mut server = asking(role);
        for harmless in [2.0, 3.0, 0.0] {
            send(&mut server, "_error", harmless, status("error", "NetConnection.Call.Failed", ""));
        }
        assert_eq!(server.events(), []);
        send(&mut server, "_error", 5.0, status("error", "NetStream.Failed", "no"));
        match &server.events()[..] {
            [ClientEvent::Refused { code, .. }] => assert_eq!(code, "NetStream.Failed"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn connect_tells_of_enhanced_rtmp_unless_told_not_to() {
    let (_, connect) = FarEnd::client(config(PUBLISH));
    match connect.object.get("fourCcList") {
        Some(Value::StrictArray(list)) => assert_eq!(list.len(), FOUR_CCS.len()),
        other => panic!("{other:?}"),
    }
    // A publisher encodes, a player decodes.
    let flags =
        |connect: &CommandMessage, map| connect.object.get(map)?.properties()?[0].1.as_number();
    assert_eq!(flags(&connect, "videoFourCcInfoMap"), Some(2.0));
    assert_eq!(flags(&connect, "audioFourCcInfoMap"), Some(2.0));
    let caps = connect.object.get("capsEx").and_then(Value::as_number).unwrap() as u32;
    assert_eq!(caps & caps_ex::RECONNECT, caps_ex::RECONNECT);
    let (_, connect) = FarEnd::client(config(ClientRole::Play { buffer_ms: 0 }));
    assert_eq!(flags(&connect, "videoFourCcInfoMap"), Some(1.0));

    let (_, connect) = FarEnd::client(ClientConfig { enhanced: false, ..config(PUBLISH) });
    for name in ["fourCcList", "videoFourCcInfoMap", "audioFourCcInfoMap", "capsEx"] {
        assert!(connect.object.get(name).is_none());
    }
}

#[test]
fn what_a_server_says_of_enhanced_rtmp_is_found_in_either_object() {
    let said = || {
        [
            ("fourCcList", Value::StrictArray(vec!["av01".into()])),
            ("capsEx", 2.0.into()),
            ("videoFourCcInfoMap", object([("*", 4.0.into())])),
        ]
    };
    for first in [true, false] {
        let (mut server, _) = FarEnd::client(config(PUBLISH));
        let (object, argument) = if first {
            (object(said()), object([]))
        } else {
            (object([("fmsVer", "FMS/3,5".into())]), object(said()))
        };
        let result =
            CommandMessage { object, ..CommandMessage::new("_result", 1.0, vec![argument]) };
        server.send(&result.message(0)).unwrap();
        match &server.events()[..] {
            [ClientEvent::Connected(ServerInfo { four_ccs, caps_ex, video_codecs, .. })] => {
                assert_eq!((&four_ccs[..], *caps_ex), (&["av01".to_owned()][..], 2));
                assert!(video_codecs[0].can_forward && video_codecs[0].four_cc == "*");
            }
            other => panic!("{other:?}"),
        }
    }
}
