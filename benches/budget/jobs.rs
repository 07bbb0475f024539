//! Fixed jobs whose instructions are counted: see `script/budget`.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a measurement may fail")]

use std::hint::black_box;

use bytes::Bytes;
use frameloom::{
    BoxStyle, Color, Fit, Frame, Image, PixelFormat, TensorOptions, TextStyle, TimeBase,
};
use frameloom_rtmp::{
    ClientConfig, ClientEvent, ClientRole, ClientSession, MediaType, PublishKind, ServerEvent,
    ServerSession, ServerSessionConfig,
};

const SIZE: (u32, u32) = (1280, 720);

/// A picture with something in every sample, the same in every run.
fn picture() -> Frame {
    let (width, height) = SIZE;
    let bytes = PixelFormat::Yuv420p.frame_bytes(width, height);
    let sample = |n: usize| (n.wrapping_mul(2_654_435_761) >> 24) as u8 % 220 + 16;
    let pixels: Vec<u8> = (0..bytes).map(sample).collect();
    let image = Image::packed(PixelFormat::Yuv420p, width, height, &pixels).unwrap();
    Frame::from_image(&image, TimeBase::new(1, 25).unwrap().at(0)).unwrap()
}

/// To RGB, and back from it.
#[inline(never)]
fn job_convert(frame: &mut Frame) {
    frame.image_mut(PixelFormat::Rgb24).unwrap().row_mut(0).fill(7);
    black_box(frame.share().unwrap());
}

#[inline(never)]
fn job_tensor(frame: &Frame, out: &mut [f32]) {
    let options = TensorOptions::new(640, 360).fit(Fit::Stretch);
    black_box(frame.tensor_into(&options, out).unwrap());
}

/// Ten boxes with labels, and what else a picture gets.
#[inline(never)]
fn job_draw(frame: &mut Frame) {
    let mut draw = frame.draw().unwrap();
    let style = BoxStyle::new(Color::rgb(255, 200, 0)).label("person 0.93");
    for n in 0..10 {
        let (left, top) = (60.0 + 110.0 * f64::from(n), 40.5 + 50.0 * f64::from(n));
        draw.bounding_box([left, top, left + 90.0, top + 150.0], &style);
    }
    draw.text([10.0, 10.0], "12:30:45", &TextStyle::new(24.0));
    draw.blur([400.0, 200.0, 560.0, 400.0], None);
    draw.polygon(&[[20.0, 600.0], [300.0, 640.5], [80.0, 700.0]], Color::rgb(0, 90, 200));
}

/// What a publisher sends through two sessions, in messages as video and sound have them.
#[inline(never)]
fn job_relay(client: &mut ClientSession, server: &mut ServerSession) -> usize {
    let (video, audio) = (Bytes::from(vec![39; 9_000]), Bytes::from(vec![175; 400]));
    let mut received = 0;
    for n in 0..200 {
        client.send_media(MediaType::Video, n * 40, video.clone()).unwrap();
        client.send_media(MediaType::Audio, n * 40 + 20, audio.clone()).unwrap();
        while let Some(piece) = client.poll_output() {
            server.receive(&piece).unwrap();
        }
        while let Some(event) = server.poll_event() {
            received += usize::from(matches!(event, ServerEvent::Media { .. }));
        }
    }
    received
}

fn sessions() -> (ClientSession, ServerSession) {
    let role = ClientRole::Publish(PublishKind::Live);
    let config = ClientConfig::new("rtmp://localhost/live", "live", "camera", role);
    let mut client = ClientSession::new(config);
    let mut server = ServerSession::new(ServerSessionConfig::default());
    let mut started = false;
    while !started {
        while let Some(piece) = client.poll_output() {
            server.receive(&piece).unwrap();
        }
        while let Some(event) = server.poll_event() {
            if let ServerEvent::PublishRequested(request) = event {
                server.accept(request.stream_id).unwrap();
            }
        }
        while let Some(piece) = server.poll_output() {
            client.receive(&piece).unwrap();
        }
        while let Some(event) = client.poll_event() {
            started |= event == ClientEvent::Started;
        }
    }
    (client, server)
}

fn main() {
    let mut frame = picture();
    match std::env::args().nth(1).as_deref() {
        Some("convert") => job_convert(&mut frame),
        Some("tensor") => {
            let mut out = vec![0.0; 3 * 640 * 360];
            // The first one makes the tables.
            frame.tensor_into(&TensorOptions::new(640, 360).fit(Fit::Stretch), &mut out).unwrap();
            job_tensor(&frame, &mut out);
        }
        Some("draw") => job_draw(&mut frame),
        Some("relay") => {
            let (mut client, mut server) = sessions();
            assert_eq!(job_relay(&mut client, &mut server), 400);
        }
        other => panic!("no job {other:?}: convert, tensor, draw or relay"),
    }
}
