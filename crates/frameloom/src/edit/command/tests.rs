//! What comes beside a program's answers.

use std::os::unix::ffi::OsStringExt;

use super::*;
use crate::image::{Image, PixelFormat};
use crate::time::TimeBase;
use crate::time::clock::RealClock;
use crate::time::stop::Stop;

fn frame() -> Frame {
    let image = Image::packed(PixelFormat::Gray, 4, 2, &[7; 8]).unwrap();
    Frame::from_image(&image, TimeBase::MICROS.at(0)).unwrap()
}

/// What a shell script answers to so many frames.
fn answers(script: &str, frames: usize) -> Result<Vec<Frame>> {
    let words = ["sh", "-c", script].map(|word| OsString::from_vec(word.into()));
    let command = Command::new(words.to_vec()).unwrap().frame_format(PixelFormat::Gray);
    let clock: Arc<dyn Clock> = Arc::new(RealClock);
    let spawned = command.spawn(&frame(), None, false, None, &clock, &Stop::new())?;
    let (mut input, mut output) = (spawned.input, spawned.output.unwrap());
    let mut shown = Vec::new();
    for _ in 0..frames {
        let (asked, message) = input.show(frame())?.unwrap();
        shown.push(asked);
        input.write(&message)?;
    }
    input.close()?;
    let answers =
        shown.into_iter().map(|asked| output.answer(asked)).collect::<Result<Vec<_>>>()?;
    output.finish()?;
    Ok(answers)
}

#[test]
fn what_hides_faces_is_known() {
    let words = |line: &str| line.split(' ').map(OsString::from).collect();
    let hides = |line: &str| Command::new(words(line)).unwrap().hides();
    for line in [
        "python3 -m frameloom.detect faces.onnx --draw blur",
        "/opt/venv/bin/python -m frameloom.detect --draw=pixelate faces.onnx",
        "python3 -mframeloom.detect faces.onnx --draw blur",
        "python3 -Im frameloom.detect faces.onnx --draw blur",
        "python3 -umframeloom.detect faces.onnx --draw=blur",
        "python3 -W ignore -X dev -m frameloom.detect --draw pixelate faces.onnx",
        "env -u DISPLAY python3 -m frameloom.detect faces.onnx --draw blur",
        "uv run --extra detect -m frameloom.detect faces.onnx --draw blur",
        "nice taskset -c 1 python3 -m frameloom.detect faces.onnx --draw blur",
    ] {
        assert!(hides(line), "{line}");
    }
    for line in [
        "exec python3 -m frameloom.detect faces.onnx --draw blur",
        "python3 -m frameloom.detect faces.onnx --draw='blur' --conf 0.2",
        "python3 -m frameloom.detect \\\n  --draw  \"pixelate\" faces.onnx",
    ] {
        let shell = ["sh", "-c", line].map(OsString::from).to_vec();
        assert!(Command::new(shell).unwrap().hides(), "{line}");
    }
    for line in [
        "python3 -m frameloom.detect faces.onnx",
        "python3 -m frameloom.detect faces.onnx --draw boxes --labels blur",
        "python3 detect.py --draw blur",
        "cat",
    ] {
        assert!(!hides(line), "{line}");
    }
}

/// Passes a frame on.
const FRAME: &str = "dd bs=$FRAMELOOM_FRAME_BYTES count=1 iflag=fullblock 2>/dev/null";

fn data(frames: &[Frame]) -> Vec<Option<String>> {
    frames.iter().map(|frame| frame.data().map(|data| data.as_json().to_owned())).collect()
}

#[test]
fn lines_of_data_belong_to_the_frames_in_their_order() {
    let script = format!(
        "echo '{{\"n\": 0}}' >&$FRAMELOOM_DATA_FD; {FRAME}; echo >&3; {FRAME}; \
         echo '{{\"n\": 2}}' >&3; {FRAME}; {FRAME}"
    );
    let frames = answers(&script, 4).unwrap();
    let expected = [Some("{\"n\": 0}".to_owned()), None, Some("{\"n\": 2}".to_owned()), None];
    assert_eq!(data(&frames), expected);
    assert!(frames.iter().all(|frame| !frame.is_edited()));
    // All lines at once, before the first frame.
    let script = "for n in 0 1 2; do echo \"{\\\"n\\\":$n}\" >&3; done; cat";
    let expected = [0, 1, 2].map(|n| Some(format!("{{\"n\":{n}}}")));
    assert_eq!(data(&answers(script, 3).unwrap()), expected);
}

#[test]
fn data_that_fills_its_pipe_holds_nothing_up() {
    // Two megabytes, and then the frames.
    let line = "{\"a\": \"'\"$(head -c 65000 /dev/zero | tr '\\0' x)\"'\"}";
    let script = format!(
        "line='{line}'; n=0; while [ $n -lt 32 ]; do echo \"$line\" >&3; n=$((n+1)); done; cat"
    );
    let frames = answers(&script, 32).unwrap();
    assert!(data(&frames).iter().flatten().all(|json| json.len() > 65_000));
    assert_eq!(data(&frames).iter().flatten().count(), 32);
}

#[test]
fn data_that_is_none_is_an_error_of_the_program() {
    for (script, said) in [
        ("echo hello >&3; cat", "no JSON object"),
        ("head -c 70000 /dev/zero | tr '\\0' x >&3; cat", "longer than 65536 bytes"),
        ("yes | head -n 700000 >&3; cat", "more"),
    ] {
        let error = answers(script, 1).unwrap_err();
        assert!(error.to_string().contains(said), "{script}: {error}");
    }
}
