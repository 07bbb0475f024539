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
const { inWords, takes } = await load("faults");
const texts = await load("text");

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

test("settings with several values are a text and the same settings again", () => {
  for (const options of [{}, { "c:v": "libx264", an: true }, { map: ["[wall]", "0:a"], "b:v": "2M" }, { vf: "scale=w=64:h=36" }]) {
    assert.deepEqual(texts.optionsOf(texts.linesOf(texts.optionsAsText(options))), options);
  }
  assert.equal(texts.optionsAsText({ map: ["[wall]", "0:a"] }), "map = [wall]\nmap = 0:a");
  for (const graphs of ["[0:v][1:v]hstack[both]", ["[0:v]split[a][b];\n[a][b]vstack[v]", "[0:a]volume=2[s]"], "[0:v]hflip,\nvflip[v]"]) {
    assert.deepEqual(texts.graphsOf(texts.graphsAsText(graphs)), graphs);
  }
  const camera = { url: "rtsp://c/1", options: { rtsp_transport: "tcp" } };
  assert.equal(texts.endsAsText(["rtmp://h/live/a", camera]), `rtmp://h/live/a\n${JSON.stringify(camera)}`);
  assert.equal(texts.endsAsText("rtmp://h/live/a"), "rtmp://h/live/a");
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

test("what a form did wrong is said to people, at its field", () => {
  const labels = { name: "Name", input: "Input", outputs: "Outputs", command: "Command", filter: "Filter", deadline: "Deadline", on_loss: "While the input is lost", on_demand: "Run only while somebody plays the output", output_options: "Output options", input_options: "Input options" };
  const sent = {
    name: "door",
    input: "rtmp://cam/live/door",
    outputs: ["rtmp://h/live/a", { url: "b.webm", options: { crf: "900" } }],
    command: ["pyhton3", "edit.py"],
    filter: "hflp",
    deadline: "soon",
    output_options: { g: "1e30", "b:v": "-5", presett: "fast", re: "1", flags: "+cgopp" },
  };
  const form = { label: (key) => labels[key], sent };
  const whole = (least, greatest) => ({ kind: "whole_number", least, greatest });
  for (const [details, field, line, text] of [
    [{ status: 0 }, null, null, /^The server does not answer\. .*still here\.$/],
    [{ status: 401 }, null, null, /^The server wants its token/],
    [{ status: 403 }, null, null, /^You have no right/],
    [{ status: 413, kind: "bad_request" }, null, null, /^This is more than the server takes/],
    [{ kind: "name_taken", key: "name" }, "name", null, "There is a pipeline named door already. Choose another name."],
    [{ kind: "wrong_name", key: "name" }, "name", null, /^A name has up to 64 letters/],
    [{ kind: "output_taken", key: "outputs", pipelines: ["gate"] }, "outputs", null, "Another pipeline writes to this address already: gate. Choose another address."],
    [{ kind: "circle", key: "input", pipelines: ["a", "b", "a"] }, "input", null, "The output would come back as the input, in a circle: a → b → a. Choose another input or output."],
    [{ kind: "missing", key: "input" }, "input", null, /^The input is empty/],
    [{ kind: "missing", key: "inputs.2" }, "input", 2, /^The input is empty/],
    [{ kind: "wrong_type", key: "inputs.1" }, "input", 1, "An input is a URL or the name of a file."],
    [{ kind: "missing", key: "outputs" }, "outputs", null, /^It has neither outputs nor a command/],
    [{ kind: "hidden", key: "outputs.1" }, "outputs", 1, "A secret that is shown as *** can't be read from here again. Write it in full."],
    [{ kind: "no_program", key: "command" }, "command", null, /no program named “pyhton3”/],
    [{ kind: "no_pipeline" }, null, null, /somebody has removed it/],
    [{ kind: "no_model", key: "model", near: ["faces"] }, null, null, "The server's file has no model of this name. Did you mean faces?"],
    [{ kind: "no_model" }, null, null, /not there any more/],
    [{ kind: "changed" }, null, null, /^Somebody else has changed this pipeline .*Press Change again/],
    [{ kind: "full" }, null, null, /^The server can't take this/],
    [{ kind: "not_saved" }, null, null, /^It is done, but/],
    [{ kind: "wrong_value", key: "output_options.g", expected: whole("0", "9") }, "output_options", "g", "g can't be “1e30”. It takes a whole number from 0 to 9."],
    [{ kind: "wrong_value", key: "output_options.b:v", expected: whole("0") }, "output_options", "b:v", "b:v can't be “-5”. It takes a whole number from 0 on."],
    [{ kind: "wrong_value", key: "outputs.1.options.crf", expected: whole("-1", "63") }, "outputs", 1, "crf can't be “900”. It takes a whole number from -1 to 63."],
    [
      { kind: "wrong_value", key: "output_options.flags", near: ["cgop"], expected: { kind: "flags", names: ["cgop", "loop"] } },
      "output_options",
      "flags",
      "flags can't be “+cgopp”. Did you mean cgop? It takes cgop or loop, each with + or - before it.",
    ],
    [{ kind: "wrong_value", key: "deadline", expected: { kind: "time" } }, "deadline", null, "Deadline can't be “soon”. It takes a time such as 1.5 or 200ms."],
    [
      { kind: "wrong_value", key: "filter", near: ["hflip"], cause: ["there is no filter 'hflp'"] },
      "filter",
      null,
      "There is no filter 'hflp'. Did you mean hflip?",
    ],
    [{ kind: "unknown", key: "output_options.presett", near: ["preset"] }, "output_options", "presett", "There is no option named “presett”. Did you mean preset?"],
    [{ kind: "wrong_type", key: "output_options.re" }, "output_options", "re", "re takes no value. Write it alone on its line."],
    [{ kind: "invalid", key: "on_demand" }, "on_demand", null, /^This needs an output that is played from this server/],
    [
      { kind: "invalid", key: "on_loss", cause: [{ setting: "on_loss", value: "hold" }, " and ", { setting: "no_reconnect" }, " can't go together"] },
      "on_loss",
      null,
      "“While the input is lost: hold” and “no_reconnect” can't go together.",
    ],
    [
      { kind: "not_found", key: "outputs.0", cause: ["its folder does not exist"], advice: ["create the folder ", "/x", " first"] },
      "outputs",
      0,
      "Its folder does not exist. Create the folder /x first.",
    ],
    [
      { kind: "invalid", key: "outputs.0", cause: ["its name doesn't tell the format"], advice: ["name it, as with ", { setting: "f", value: "flv" }] },
      "outputs",
      0,
      "Its name doesn't tell the format. Name it, as with “f = flv”.",
    ],
    // What the form has no field for is said all the same.
    [{ kind: "wrong_value", key: "idle_timeout", expected: { kind: "time" } }, null, null, /^idle_timeout has a value that can't be\./],
    [{ kind: "bad_request", detail: "the body could not be read" }, null, null, "The body could not be read."],
  ]) {
    const found = inWords({ status: 422, detail: "", ...details }, form);
    assert.deepEqual([found.field, found.line], [field, line], JSON.stringify(details));
    if (typeof text === "string") assert.equal(found.text, text);
    else assert.match(found.text, text);
    // No path of keys is shown to people.
    assert.doesNotMatch(found.text, /pipelines\.|output_options|outputs\./);
  }
  // One output without a list.
  const one = inWords({ status: 422, detail: "", kind: "wrong_value", key: "outputs.0", expected: { kind: "name" } }, { ...form, sent: { outputs: "-" } });
  assert.equal(one.text, "Outputs can't be “-”.");
});

test("long lists of what a setting takes are cut", () => {
  const names = Array.from({ length: 25 }, (_, n) => `n${n}`);
  assert.equal(takes({ kind: "name", names }), "It takes n0, n1, n2, n3, n4, n5, n6, n7, n8, n9 or one of 15 others.");
  assert.equal(takes({ kind: "whole_number", greatest: "3", names: ["best"] }), "It takes a whole number up to 3, or best.");
  assert.equal(takes({ kind: "number" }), "It takes a number.");
});
