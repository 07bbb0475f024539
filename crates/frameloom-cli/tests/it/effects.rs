//! An option has its effect, or an error says why not.

use crate::harness::*;

/// Makes a file of `numbered.mp4` (six seconds at 25 fps, a keyframe every second) with options of
/// the input and of the output.
fn made(input: &str, output: &str, name: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let room = room();
    let out = room.path().join(name);
    let words = |text: &str| text.split_whitespace().map(Into::into).collect::<Vec<_>>();
    let source = args!["-i", counted_av("numbered.mp4")];
    frameloom([words(input), source, words(output), args![&out]].concat()).run().ok();
    (room, out)
}

#[test]
fn a_rate_of_the_input_numbers_its_frames() {
    let (_room, out) = made("-r 50", "-an", "out.mp4");
    let times = times(&out, Kind::Video);
    assert_eq!(times.len(), 150);
    assert_eq!(times[149] - times[0], Rational::new(149, 50));
}

#[test]
fn what_a_decoder_is_told_is_done_where_nobody_edits() {
    let (_room, out) = made("-skip_frame nokey", "-an", "out.mp4");
    assert_eq!(counters(&out), [0, 25, 50, 75, 100, 125]);
    let (_room, out) = made("-colorspace bt470bg", "-an", "out.mp4");
    assert_eq!(video_info(&out)["color_space"], "bt470bg");
    // What changes nothing of what comes out is no reason to encode.
    let (_room, out) = made("-threads 2", "", "out.mp4");
    assert_eq!(
        packet_hashes(&out, Kind::Video),
        packet_hashes(&counted_av("numbered.mp4"), Kind::Video)
    );
    // Nor does an option of one stream concern the other.
    let (_room, out) = made("-skip_frame nokey", "", "out.mp4");
    assert_eq!(
        packet_hashes(&out, Kind::Audio),
        packet_hashes(&counted_av("numbered.mp4"), Kind::Audio)
    );
}

#[test]
fn the_shape_of_a_picture_can_be_set() {
    for (options, name) in [
        ("-aspect 16:9", "out.mp4"),
        ("-aspect 16:9 -c:v copy", "copied.mp4"),
        ("-aspect 16:9 -c:v copy", "copied.mkv"),
        ("-aspect 16:9", "out.ts"),
        ("-aspect 1.7777778", "number.mkv"),
    ] {
        let (_room, out) = made("-t 1", options, name);
        let info = video_info(&out);
        assert_eq!((&info["width"], &info["height"]), (&320.into(), &240.into()), "{name}");
        assert_eq!(info["display_aspect_ratio"], "16:9", "{options} {name}");
    }
}

#[test]
fn subtitles_and_data_may_be_left_out() {
    let (_room, out) = made("-sn -dn", "-sn -dn", "out.mkv");
    assert_eq!(probe_streams(&out).len(), 2);
}

#[test]
fn what_has_no_effect_on_a_copy_is_refused() {
    for (input, output, name, option) in [
        ("-r 50", "-c copy", "out.mp4", "-r"),
        ("-skip_frame nokey", "-c:v copy", "out.mp4", "-skip_frame"),
        ("", "-aspect 16:9 -c copy", "out.ts", "-aspect"),
        ("", "-aspect 0:9", "out.mp4", "0:9"),
    ] {
        let room = room();
        let out = room.path().join(name);
        let words = |text: &str| text.split_whitespace().map(Into::into).collect::<Vec<_>>();
        let source = args!["-i", counted_av("numbered.mp4")];
        let run = frameloom([words(input), source, words(output), args![&out]].concat()).run();
        let line = run.fails(2);
        assert!(line.contains(option), "{line}");
        assert!(!out.exists());
    }
}
