// A pipeline's settings as a form: for a new one, or to change one.

import { api, Problem, type End, type Options, type Settings } from "./api";
import { h } from "./dom";
import { inWords, type Fault, type Form } from "./faults";
import { fleet } from "./fleet";
import { pageOf } from "./parts";
import { endsAsText, graphsAsText, graphsOf, linesOf, optionsAsText, optionsOf } from "./text";
import * as words from "./words";

/** What stands in place of a secret. */
const HIDDEN = "***";

interface Field {
  key: string;
  label: string;
  hint: string;
  kind: "line" | "inputs" | "outputs" | "graphs" | "words" | "options" | "check" | string[];
  placeholder?: string;
  more?: boolean;
}

const FIELDS: Field[] = [
  { key: "input", label: "Input", kind: "inputs", hint: "A stream's URL, or a file. Several have a line each.", placeholder: "rtmp://localhost/live/camera" },
  { key: "outputs", label: "Outputs", kind: "outputs", hint: "URLs or files, one a line.", placeholder: "rtmp://localhost/live/camera-edited" },
  {
    key: "command",
    label: "Command",
    kind: "words",
    hint: "Your code: raw frames on its stdin, one back for each on its stdout. Without it, packets are copied.",
    placeholder: "python3 edit.py",
  },
  { key: "on_demand", label: "Run only while somebody plays the output", kind: "check", hint: "" },
  { key: "filter", label: "Filter", kind: "line", hint: "As -vf: a graph of FFmpeg's filters.", placeholder: "scale=960:540", more: true },
  {
    key: "filter_complex",
    label: "Graph",
    kind: "graphs",
    hint: "As -filter_complex: a graph across the inputs. The output option map takes what comes out.",
    placeholder: "[0:v][1:v]hstack[both]",
    more: true,
  },
  { key: "model", label: "Model", kind: "line", hint: "The model of the server's file that the command uses.", placeholder: "faces", more: true },
  { key: "frame_size", label: "Frame size", kind: "line", hint: "What the command gets.", placeholder: "960x540", more: true },
  { key: "frame_format", label: "Frame format", kind: ["", "rgb24", "bgr24", "gray", "rgba", "yuv420p", "nv12"], hint: "What the command gets; rgb24 by default.", more: true },
  { key: "draw", label: "The command gives back", kind: ["", "pixels", "data"], hint: "Frames, or a line of JSON for each, which is drawn.", more: true },
  { key: "frame_transport", label: "Frames go through", kind: ["", "pipe", "shm"], hint: "Pipes, or memory that the command shares.", more: true },
  { key: "on_slow", label: "Where the command is too slow", kind: ["", "latest", "block", "bypass", "hold"], hint: "Drop older frames, wait, send frames unedited, or show the last edited one.", more: true },
  { key: "on_error", label: "Where the command fails", kind: ["", "restart", "bypass", "stop", "hold"], hint: "Start it again, go on unedited, end, or show the last edited frame until it is back.", more: true },
  { key: "on_loss", label: "While the input is lost", kind: ["", "hold", "slate", "end"], hint: "Hold the last picture, show a slate, or end.", more: true },
  { key: "on_untouched", label: "Video that nobody touches", kind: ["", "encode", "copy"], hint: "Encode it with all else, or send the input's packets until a frame is edited (H.264).", more: true },
  { key: "deadline", label: "Deadline", kind: "line", hint: "Frames that the command has had for so long go out unedited.", placeholder: "40ms", more: true },
  { key: "input_options", label: "Input options", kind: "options", hint: "FFmpeg's, one a line: name = value.", placeholder: "rtsp_transport = tcp", more: true },
  { key: "output_options", label: "Output options", kind: "options", hint: "FFmpeg's, one a line: name = value.", placeholder: "c:v = libx264\nb:v = 2M", more: true },
];

/** Inputs stand in one of two keys. */
const valueOf = (field: Field, settings: Settings): unknown => settings[field.key] ?? (field.kind === "inputs" ? settings.inputs : undefined);

type Control = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;

/** A form for a new pipeline, or for the one that is named. */
export function form(name: string | null): HTMLElement {
  const old = name == null ? null : fleet.pipelines.get(name);
  if (name != null && !old) return h("p", { class: "problem" }, `There is no pipeline named ${name}.`);
  const settings = old?.settings ?? {};
  const called = h("input", {
    id: "field-name",
    required: true,
    pattern: "[A-Za-z0-9_\\-][A-Za-z0-9_.\\-]*",
    maxlength: 64,
    value: name ?? "",
    readonly: name != null,
    autocomplete: "off",
    "aria-describedby": "problem-name hint-name",
  });
  const controls = FIELDS.map((field) => [field, control(field, valueOf(field, settings))] as const);
  const marks = new Marks([["name", called], ...controls.map(([field, element]): [string, Control] => [field.key, element])]);
  const rows = (more: boolean): HTMLElement[] =>
    controls.filter(([field]) => !!field.more === more).map(([field, element]) => row(field.key, field.label, element, field.hint, marks));
  const told = h("p", { class: "problem", role: "alert" });
  const submit = h("button", { class: "primary" }, name == null ? "Add" : "Change");
  const hasMore = FIELDS.some((field) => field.more && valueOf(field, settings) != null);
  const element = h(
    "form",
    { class: "card form", novalidate: true },
    row("name", "Name", called, "Letters, digits, and any of _ - .", marks),
    ...rows(false),
    h("details", { open: hasMore }, h("summary", {}, "More settings"), ...rows(true)),
    told,
    h("div", { class: "orders" }, submit, h("a", { class: "button", href: name == null ? "#/" : pageOf(name) }, "Cancel")),
  );
  const tell = (fault: Fault): void => {
    if (!marks.show(fault)) told.textContent = fault.text;
  };
  // What this form was filled with.
  let version = old?.version;
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    marks.clear();
    told.textContent = "";
    const wrong = whatIsMissing(called, controls);
    if (wrong) return tell(wrong);
    submit.disabled = true;
    let sent: Form["sent"] = {};
    try {
      sent = read(controls, settings);
      if (name == null) await api.add({ ...sent, name: called.value });
      else await api.change(name, sent, version);
      location.hash = pageOf(called.value);
    } catch (error) {
      if (!(error instanceof Problem)) return tell(error instanceof FieldError ? error.fault : { text: String(error), field: null, line: null });
      // Whoever was told, and changes it all the same, wants just that.
      if (error.details.kind === "changed") version = undefined;
      tell(inWords(error.details, { label: labelOf, sent: { ...sent, name: called.value } }));
    } finally {
      submit.disabled = false;
    }
  });
  const hidden = JSON.stringify(settings).includes(HIDDEN);
  return h(
    "div",
    {},
    h("div", { class: "heading" }, h("h1", {}, name == null ? "Add a pipeline" : `Change ${name}`)),
    hidden && h("p", { class: "hint" }, `Secrets are shown as ${HIDDEN}. What you leave as it is keeps them.`),
    element,
  );
}

function labelOf(key: string): string | undefined {
  return key === "name" ? "Name" : FIELDS.find((field) => field.key === key)?.label;
}

/** What is wrong with a field before anything is sent. */
class FieldError extends Error {
  readonly fault: Fault;

  constructor(field: string, text: string, line: Fault["line"] = null) {
    super(text);
    this.fault = { field, text, line };
  }
}

/** The sentences below the fields of a form that say what is wrong with them. */
class Marks {
  private readonly notes = new Map<string, HTMLElement>();
  private readonly controls: Map<string, Control>;

  constructor(controls: [string, Control][]) {
    this.controls = new Map(controls);
    for (const [key, element] of controls) element.addEventListener("input", () => this.unmark(key));
  }

  /** The place of a field's sentence. */
  note(key: string): HTMLElement {
    const note = h("p", { class: "problem", role: "alert", id: `problem-${key}` });
    this.notes.set(key, note);
    return note;
  }

  /** Marks the field, and goes to it; false where there is none. */
  show({ field, text, line }: Fault): boolean {
    const element = field == null ? undefined : this.controls.get(field);
    const note = field == null ? undefined : this.notes.get(field);
    if (!element || !note) return false;
    note.textContent = text;
    element.setAttribute("aria-invalid", "true");
    const folded = element.closest("details");
    if (folded) folded.open = true;
    element.focus();
    if (element instanceof HTMLTextAreaElement && line != null) selectLine(element, line);
    return true;
  }

  clear(): void {
    for (const key of this.controls.keys()) this.unmark(key);
  }

  private unmark(key: string): void {
    this.controls.get(key)?.removeAttribute("aria-invalid");
    const note = this.notes.get(key);
    if (note) note.textContent = "";
  }
}

/** Selects a line by its number among those that say something, or by the option that it sets. */
function selectLine(area: HTMLTextAreaElement, wanted: number | string): void {
  let begin = 0;
  let number = 0;
  for (const line of area.value.split("\n")) {
    const name = line.split("=")[0]!.trim();
    if (line.trim() && (wanted === number || wanted === name)) return area.setSelectionRange(begin, begin + line.length);
    if (line.trim()) number += 1;
    begin += line.length + 1;
  }
}

/** The first thing that the browser can tell by itself. */
function whatIsMissing(name: HTMLInputElement, controls: (readonly [Field, Control])[]): Fault | null {
  const fault = (kind: string, key: string): Fault => inWords({ status: 422, detail: "", kind, key }, { label: labelOf, sent: {} });
  const is = (key: string): Control => controls.find(([field]) => field.key === key)![1];
  if (name.validity.valueMissing) return fault("missing", "name");
  if (name.validity.patternMismatch) return fault("wrong_name", "name");
  if (is("input").validity.valueMissing) return fault("missing", "input");
  return is("outputs").value.trim() || is("command").value.trim() ? null : fault("missing", "outputs");
}

function row(key: string, label: string, element: Control, hint: string, marks: Marks): HTMLElement {
  const caption = h("label", { for: `field-${key}` }, label);
  const note = hint && h("p", { class: "hint", id: `hint-${key}` }, hint);
  const isCheck = element instanceof HTMLInputElement && element.type === "checkbox";
  return isCheck ? h("div", { class: "row check" }, element, caption, marks.note(key)) : h("div", { class: "row" }, caption, element, marks.note(key), note);
}

function control(field: Field, value: unknown): Control {
  const shared = { id: `field-${field.key}`, "aria-describedby": `problem-${field.key}${field.hint && ` hint-${field.key}`}`, spellcheck: "false" };
  if (Array.isArray(field.kind)) {
    const names = field.kind.map((name) => h("option", { value: name }, name || "As usual"));
    const select = h("select", shared, ...names);
    select.value = typeof value === "string" ? value : "";
    return select;
  }
  if (field.kind === "check") {
    const check = h("input", { ...shared, type: "checkbox" });
    check.checked = value === true;
    return check;
  }
  const text = shown(field, value);
  const placeholder = field.placeholder ?? "";
  if (["inputs", "outputs", "graphs", "options"].includes(field.kind)) {
    const lines = Math.max(field.kind === "inputs" ? 1 : 2, text.split("\n").length);
    const area = h("textarea", { ...shared, rows: lines, placeholder, required: field.kind === "inputs" });
    area.value = text;
    return area;
  }
  return h("input", { ...shared, value: text, placeholder, autocomplete: "off" });
}

function shown(field: Field, value: unknown): string {
  if (value == null) return "";
  switch (field.kind) {
    case "words":
      return words.join(value as string[]);
    case "inputs":
    case "outputs":
      return endsAsText(value as End | End[]);
    case "graphs":
      return graphsAsText(value as string | string[]);
    case "options":
      return optionsAsText(value as Options);
    default:
      return String(value);
  }
}

function read(controls: (readonly [Field, Control])[], old: Settings): Settings {
  // What this form doesn't know stays as it is.
  const known = new Set(["inputs", ...FIELDS.map((field) => field.key)]);
  const settings: Settings = Object.fromEntries(Object.entries(old).filter(([key]) => !known.has(key)));
  for (const [field, element] of controls) {
    if (field.kind === "check") {
      if ((element as HTMLInputElement).checked) settings[field.key] = true;
      continue;
    }
    const text = element.value.trim();
    if (!text) continue;
    const lines = linesOf(text);
    if (field.kind === "words") settings.command = command(text);
    else if (field.kind === "outputs") settings.outputs = ends(field, lines);
    else if (field.kind === "inputs") setInputs(settings, ends(field, lines), old);
    else if (field.kind === "graphs") settings.filter_complex = graphs(text);
    else if (field.kind === "options") settings[field.key] = optionsOf(lines);
    else settings[field.key] = text;
  }
  return settings;
}

function command(line: string): string[] {
  try {
    return words.split(line);
  } catch (error) {
    throw new FieldError("command", (error as Error).message);
  }
}

/** In the key that they stood in; one is a value by itself where it was, or is new. */
function setInputs(settings: Settings, inputs: End[], old: Settings): void {
  const before = old.inputs ?? old.input;
  const isList = inputs.length > 1 || Array.isArray(before);
  const key = old.inputs != null || (old.input == null && isList) ? "inputs" : "input";
  settings[key] = isList ? inputs : inputs[0]!;
}

/** Inputs or outputs, some with options of their own. */
function ends(field: Field, lines: string[]): End[] {
  return lines.map((line, at) => {
    if (!line.startsWith("{")) return line;
    try {
      return JSON.parse(line) as End;
    } catch {
      const what = field.kind === "inputs" ? "An input" : "An output";
      throw new FieldError(field.key, `${what} that begins with { has options of its own. Write it as {"url": "...", "options": {"b:v": "2M"}}.`, at);
    }
  });
}

function graphs(text: string): string | string[] {
  try {
    return graphsOf(text);
  } catch {
    throw new FieldError("filter_complex", `Several graphs are written as ["...", "..."].`);
  }
}
