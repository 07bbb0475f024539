// What needs no browser: `script/test` runs this with Node's own test runner.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { createServer } from "vite";

const root = fileURLToPath(new URL("..", import.meta.url));
const server = await createServer({
  root,
  configFile: false,
  logLevel: "error",
  server: { middlewareMode: true, hmr: false, ws: false, watch: null },
  optimizeDeps: { noDiscovery: true },
});
after(() => server.close());
const load = (name) => server.ssrLoadModule(`/src/${name}.ts`);

const { split, join } = await load("words");
const { FirstTimestamp } = await load("timestamp");
const format = await load("format");

test("a line is split as a shell does", () => {
  for (const [line, words] of [
    ["", []],
    ["  python3   edit.py ", ["python3", "edit.py"]],
    ["sh -c 'a b' \"c \\\" d\"", ["sh", "-c", "a b", 'c " d']],
    ["a\\ b ''", ["a b", ""]],
    ["x'y z'\"w\"", ["xy zw"]],
    ["'a\\b'", ["a\\b"]],
  ]) {
    assert.deepEqual(split(line), words, line);
    assert.deepEqual(split(join(words)), words, line);
  }
  assert.equal(join(["it's", "a b", "--x=1"]), `'it'\\''s' 'a b' --x=1`);
  assert.throws(() => split("a 'b"), /not closed/);
});

/** An FLV of these tags: [kind, timestamp, body]. */
function flv(...tags) {
  const bytes = [...Buffer.from("FLV"), 1, 5, 0, 0, 0, 9, 0, 0, 0, 0];
  for (const [kind, time, body] of tags) {
    bytes.push(kind, body.length >> 16, (body.length >> 8) & 255, body.length & 255);
    bytes.push((time >> 16) & 255, (time >> 8) & 255, time & 255, time >>> 24, 0, 0, 0, ...body, 0, 0, 0, 0);
  }
  return Uint8Array.from(bytes);
}

test("the first timestamp is that of a picture or sound, however the bytes are cut", () => {
  const [script, avcHeader, aacHeader] = [[18, 0, [2, 0]], [9, 0, [0x17, 0, 0]], [8, 0, [0xaf, 0]]];
  for (const [tags, expected] of [
    [[script, avcHeader, aacHeader, [9, 7000, [0x17, 1, 9, 9]], [8, 6990, [0xaf, 1]]], 7000],
    [[script, aacHeader, [8, 41, [0xaf, 1, 5]]], 41],
    [[script, [8, 12, [0x2f, 255]]], 12], // MP3 has no header
    [[[9, 1, [0x90, 0x68]], [9, 2, [0x91, 0x68]]], 2], // Enhanced RTMP: start, then coded frames
    [[[9, 5, [0x93, 0x68]]], 5],
    [[[8, 1, [0x90, 0x4f]], [8, 3, [0x91, 0x4f]]], 3],
    [[[9, 0x7ffffff0, [0x27, 1]]], 0x7ffffff0],
    [[[9, 0x80000001 | 0, [0x27, 1]]], 0x80000001],
    [[script, avcHeader, [9, 9, []]], null],
  ]) {
    const bytes = flv(...tags);
    for (const size of [1, 2, 3, 7, 13, bytes.length]) {
      const clock = new FirstTimestamp();
      for (let at = 0; at < bytes.length; at += size) clock.push(bytes.subarray(at, at + size));
      assert.equal(clock.value, expected, `${tags} by ${size}`);
    }
  }
});

test("figures are short and have their unit", () => {
  for (const [told, expected] of [
    [format.bitRate(4_012_000), "4.0 Mbit/s"],
    [format.bitRate(950), "950 bit/s"],
    [format.bitRate(null), "–"],
    [format.bytes(129 << 20), "129 MiB"],
    [format.milliseconds(9.96), "10.0 ms"],
    [format.milliseconds(15.4), "15 ms"],
    [format.milliseconds(12_300), "12.3 s"],
    [format.span(0), "0 s"],
    [format.span(61_000), "1 min 1 s"],
    [format.span(3_600_000 * 26), "1 d 2 h"],
  ]) {
    assert.equal(told, expected);
  }
});

test("problems are told apart in a log", async () => {
  const { isProblem } = await load("log");
  for (const [line, expected] of [
    [{ text: "running: process 7", state: "running" }, false],
    [{ text: "restarting: it ended", state: "restarting" }, true],
    [{ text: "the input is lost", alert: "input_lost", is_over: false }, true],
    [{ text: "it is over after 3 s: the input is lost", alert: "input_lost", is_over: true }, false],
    [{ text: "the error rate is 0", level: "info" }, false],
    [{ text: "frames were dropped", level: "warning" }, true],
    [{ text: "Traceback (most recent call last):" }, true],
    [{ text: "ValueError: no face" }, true],
    [{ text: "model loaded in 3 s, 0 dropped" }, false],
  ]) {
    assert.equal(isProblem({ time_ms: 0, ...line }), expected, line.text);
  }
});

test("streams without a pipeline are found", async () => {
  const { without, pageOfStream } = await load("published");
  const play = { input: { rtmp: null, flv: "http://h:8080/live/a%20b.flv" }, output: null };
  const alone = without([{ app: "live", name: "a b" }, { app: "live", name: "c/d" }], [{ play }]);
  assert.deepEqual(alone, [{ app: "live", name: "c/d" }]);
  assert.equal(pageOfStream(alone[0]), "#/streams/live/c%2Fd");
});
