//! How the clock of a pipeline's output stands to that of its input, as both are played over HTTP.

use std::collections::HashMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::harness::camera::{Camera, Film};
use crate::harness::fleet::unchunked;
use crate::harness::*;

/// Frames of each stream that are looked at, which are six seconds. Each begins with its latest
/// keyframe, and those can be two seconds apart.
const FRAMES: usize = 150;
/// Frames that must be among those of both ends.
const COMMON: usize = 40;

/// One frame of FLV.
struct Frame {
    /// When it is shown, in milliseconds.
    at_ms: i64,
    data: Vec<u8>,
}

/// The frames of H.264 in what there is of an FLV file.
fn frames(flv: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    let mut rest = flv.get(13..).unwrap_or_default();
    while let Some(header) = rest.first_chunk::<11>() {
        let number = |bytes: &[u8]| bytes.iter().fold(0, |sum, byte| sum << 8 | i64::from(*byte));
        let length = usize::try_from(number(&header[1..4])).unwrap();
        let Some(body) = rest.get(11..11 + length) else { break };
        rest = rest.get(11 + length + 4..).unwrap_or_default();
        let is_frame = header[0] == 9 && body[0] & 0x0F == 7 && body[1] == 1;
        if is_frame {
            let dts = i64::from(header[7]) << 24 | number(&header[4..7]);
            let shown_after = (number(&body[2..5]) ^ 0x80_0000) - 0x80_0000;
            frames.push(Frame { at_ms: dts + shown_after, data: body[5..].to_vec() });
        }
    }
    frames
}

/// What HTTP-FLV sends of a stream, from now on until there are enough frames.
fn play(ports: Ports, name: &str) -> Vec<u8> {
    let host = format!("127.0.0.1:{}", ports.http);
    let mut socket = TcpStream::connect(&host).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    write!(socket, "GET /live/{name}.flv HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
    let (mut all, mut part) = (Vec::new(), vec![0; 1 << 16]);
    loop {
        let count = socket.read(&mut part).unwrap();
        assert!(count > 0, "{name} ends");
        all.extend_from_slice(&part[..count]);
        let Some(end) = all.windows(4).position(|at| at == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&all[..end]).to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 200"), "{name}: {head}");
        let is_chunked = head.contains("transfer-encoding: chunked");
        let body = if is_chunked { unchunked(&all[end + 4..]) } else { all[end + 4..].to_vec() };
        if frames(&body).len() >= FRAMES {
            return body;
        }
    }
}

/// When each numbered picture is shown.
fn pictures(flv: &[u8]) -> HashMap<usize, i64> {
    let room = room();
    let file = room.path().join("played.flv");
    fs::write(&file, flv).unwrap();
    let mut times: Vec<i64> = frames(flv).iter().map(|frame| frame.at_ms).collect();
    times.sort_unstable();
    let numbers = counters(&file);
    // The last one may be there in part.
    assert!(times.len() - numbers.len() <= 1, "{} of {}", numbers.len(), times.len());
    numbers.into_iter().zip(times).collect()
}

fn offset(pipeline: &Value) -> Option<i64> {
    pipeline["stats"]["input_offset_ms"].as_i64()
}

/// The same pictures of both ends lie as far from each other as each pipeline says.
fn assert_offsets(fleet: &Fleet, names: &[&str]) -> Vec<i64> {
    let told = |name: &&str| offset(&fleet.pipeline(name)).expect("no offset is told");
    let before: Vec<i64> = names.iter().map(told).collect();
    let ports = fleet.ports;
    let players: Vec<_> = ["in"]
        .iter()
        .chain(names)
        .map(|name| (*name).to_owned())
        .map(|name| std::thread::spawn(move || play(ports, &name)))
        .collect();
    let mut played: Vec<_> = players.into_iter().map(|player| player.join().unwrap()).collect();
    let after: Vec<i64> = names.iter().map(told).collect();
    assert_eq!(before, after, "an offset changes though nothing happens");
    let input = played.remove(0);
    let sent = pictures(&input);
    for ((name, offset), output) in names.iter().zip(&after).zip(&played) {
        let found = pictures(output);
        let apart: Vec<i64> =
            found.iter().filter_map(|(n, at)| sent.get(n).map(|sent| at - sent)).collect();
        assert!(apart.len() > COMMON, "{name}: {} pictures of both ends", apart.len());
        assert!(apart.iter().all(|apart| apart == offset), "{name}: {offset}, not {apart:?}");
    }
    // What is copied is the same to the bit.
    let sent: HashMap<_, _> = frames(&input).into_iter().map(|f| (f.data, f.at_ms)).collect();
    let same = frames(&played[0]).into_iter().filter_map(|frame| {
        let sent = sent.get(&frame.data)?;
        Some(frame.at_ms - sent)
    });
    let same: Vec<i64> = same.collect();
    assert!(same.len() > COMMON && same.iter().all(|apart| *apart == after[0]), "{same:?}");
    after
}

#[test]
#[ignore = "slow"]
fn an_output_tells_how_its_clock_stands_to_its_inputs() {
    let names = ["copied", "encoded", "reordered"];
    let fleet = Fleet::start(|ports| {
        let pipeline = |name: &str, more: &str| {
            let (input, output) = (ports.url("in"), ports.url(name));
            format!("[pipelines.{name}]\ninput = \"{input}\"\noutputs = [\"{output}\"]\n{more}\n")
        };
        pipeline("copied", "")
            + &pipeline("encoded", "output_options = { \"b:v\" = \"800k\" }")
            // Such an encoder's dts begin before 0, so that all is moved when it is published.
            + &pipeline("reordered", "output_options = { bf = 2, tune = \"film\" }")
    });
    let clock_s = [5_000, 40_000];
    let films = [Film { clock_s: clock_s[0], ..Film::plain() }, {
        Film { clock_s: clock_s[1], ..Film::second() }
    }];
    let at_work = |other_than: &[i64]| {
        names.iter().enumerate().for_each(|(n, name)| {
            fleet.wait_for(name, "at work", |pipeline| {
                offset(pipeline).is_some_and(|offset| other_than.get(n) != Some(&offset))
            });
        });
    };
    let camera = Camera::start(&films[0], &fleet.url("in"));
    at_work(&[]);
    let first = assert_offsets(&fleet, &names);
    let near = |offset: i64, at_s: u32| (offset + i64::from(at_s) * 1000).abs() < 600_000;
    assert!(first.iter().all(|offset| near(*offset, clock_s[0])), "{first:?}");
    assert_ne!(first[1], first[2], "nothing was moved for the reordered one");
    let pids = || names.map(|name| fleet.pipeline(name)["pid"].clone());
    let before = pids();
    camera.kill();
    let _camera = Camera::start(&films[1], &fleet.url("in"));
    at_work(&first);
    let second = assert_offsets(&fleet, &names);
    assert!(second.iter().all(|offset| near(*offset, clock_s[1])), "{second:?}");
    assert_eq!(pids(), before, "a pipeline was started anew");
}
