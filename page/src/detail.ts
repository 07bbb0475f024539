// One pipeline: both its ends side by side, its figures, what it said, and its settings.

import { problems } from "./alerts";
import { api, type Pipeline } from "./api";
import { h, say } from "./dom";
import { fleet } from "./fleet";
import * as format from "./format";
import { nameOf } from "./published";
import { log } from "./log";
import { attempt, Badge, Orders, pageOf, playHelp, publishHelp } from "./parts";
import { Player } from "./player";
import { Plots } from "./plots";
import { keepTogether } from "./sync";

/** A figure: what it is called, what it is, and whether it is more than it should be. */
type Figure = readonly [string, (p: Pipeline) => string, ((p: Pipeline) => boolean)?];

const counted = (label: string, of: (p: Pipeline) => number | undefined): Figure => [
  label,
  (p) => format.count(of(p)),
  (p) => (of(p) ?? 0) > 0,
];

const FIGURES: readonly (readonly [string, readonly Figure[]])[] = [
  [
    "Stream",
    [
      ["Frames/s", (p) => format.rate(p.stats?.fps)],
      ["Latency", (p) => format.milliseconds(p.stats?.latency_ms)],
      ["99 % within", (p) => format.milliseconds(p.stats?.latency_p99_ms)],
      ["Bit rate", (p) => format.bitRate(p.stats?.bit_rate)],
      ["Frames in", (p) => format.count(p.stats?.frames_in)],
      ["Frames out", (p) => format.count(p.stats?.frames_out)],
      counted("Packets missed", (p) => p.stats?.packets_dropped),
      counted("Opened again", (p) => p.stats?.reconnects),
    ],
  ],
  [
    "Your code",
    [
      ["Edited", (p) => format.count(p.stats?.frames_edited)],
      counted("Copied untouched", (p) => p.stats?.frames_copied),
      counted("Unedited", (p) => p.stats?.frames_bypassed),
      counted("Dropped", (p) => p.stats?.frames_dropped),
      ["Skipped in bursts", (p) => format.count(p.stats?.frames_skipped)],
      counted("Failures", (p) => p.stats?.errors),
      counted("Code restarts", (p) => p.stats?.restarts),
    ],
  ],
  [
    "Process",
    [
      ["Processor", (p) => format.percent(p.stats?.cpu_percent)],
      ["Memory", (p) => format.bytes(p.stats?.memory_bytes)],
      counted("Restarts", (p) => p.restarts),
    ],
  ],
];

/** A line for each input, where there are several. */
function inputsOf(): { element: HTMLElement; show: (pipeline: Pipeline) => void } {
  const rows = h("tbody", {});
  const heads = ["Input", "State", "Frames in", "Packets in", "Opened again"].map((title) => h("th", { scope: "col" }, title));
  const element = h("section", { class: "card inputs" }, h("h3", {}, "Inputs"), h("div", { class: "wide" }, h("table", {}, h("thead", {}, h("tr", {}, ...heads)), rows)));
  let last = "";
  return {
    element,
    show: (pipeline) => {
      const inputs = pipeline.stats?.inputs ?? [];
      element.hidden = inputs.length < 2;
      const now = JSON.stringify(inputs);
      if (element.hidden || now === last) return;
      last = now;
      rows.replaceChildren(
        ...inputs.map(({ url, state, lost_for_ms, frames_in, packets_in, reconnects }, at) => {
          const told = state === "lost" ? `lost for ${format.span(lost_for_ms ?? 0)}` : "there";
          const cells = [told, format.count(frames_in), format.count(packets_in), format.count(reconnects)];
          return h("tr", { "data-state": state }, h("th", { scope: "row" }, `${at + 1}: ${url}`), ...cells.map((cell) => h("td", {}, cell)));
        }),
      );
    },
  };
}

/** The figures of a pipeline, in groups; what is more than it should be stands out. */
function figures(hasCode: boolean): { element: HTMLElement; show: (pipeline: Pipeline) => void } {
  const shown: [Figure, HTMLElement][] = [];
  const groups = FIGURES.filter(([title]) => hasCode || title !== "Your code").map(([title, list]) => {
    const entries = list.map((figure) => {
      const value = h("dd", {});
      shown.push([figure, value]);
      return h("div", {}, h("dt", {}, figure[0]), value);
    });
    return h("div", { class: "group" }, h("h3", {}, title), h("dl", { class: "figures many" }, ...entries));
  });
  return {
    element: h("div", {}, ...groups),
    show: (pipeline) => {
      for (const [[, text, isOdd], value] of shown) {
        say(value, text(pipeline));
        value.classList.toggle("odd", isOdd?.(pipeline) ?? false);
      }
    },
  };
}

export function detail(name: string, signal: AbortSignal): HTMLElement {
  const view = h("div", { class: "detail" });
  let shown: AbortController | null = null;
  let settings = "";

  // Built anew where its settings change, as its streams may be others then.
  const show = (pipeline: Pipeline | null): void => {
    const now = pipeline ? JSON.stringify([pipeline.settings, pipeline.play]) : "";
    if (shown && now === settings) return;
    settings = now;
    shown?.abort();
    shown = new AbortController();
    if (pipeline) view.replaceChildren(...build(pipeline, AbortSignal.any([signal, shown.signal])));
    else if (fleet.link === "connecting") view.replaceChildren(h("p", { class: "hint" }, "Asking the server …"));
    else view.replaceChildren(gone(name));
  };
  show(fleet.pipelines.get(name) ?? null);
  fleet.changed.on((event) => event.name === name && show(event.pipeline), signal);
  fleet.linked.on(() => show(fleet.pipelines.get(name) ?? null), signal);
  return view;
}

function gone(name: string): HTMLElement {
  return h(
    "div",
    { class: "empty" },
    h("p", {}, `There is no pipeline named ${name}.`),
    h("p", {}, h("a", { class: "button", href: "#/" }, "All pipelines")),
  );
}

function build(first: Pipeline, signal: AbortSignal): HTMLElement[] {
  const { name } = first;
  const badge = new Badge();
  const orders = new Orders(name);
  const since = h("span", { class: "hint" });
  const counts = figures(["command", "filter", "filter_complex"].some((key) => first.settings[key] != null));
  const inputs = inputsOf();
  const plots = new Plots(signal);

  const stale = h("p", { class: "problem stale" });
  const screensShown = h("div", {}, ...screens(first, signal));

  const show = (): void => {
    const pipeline = fleet.pipelines.get(name);
    if (!pipeline) return;
    badge.show(pipeline);
    orders.show(pipeline);
    say(since, `for ${format.span(Date.now() - pipeline.since_ms)}${pipeline.pid ? `, process ${pipeline.pid}` : ""}`);
    counts.show(pipeline);
    inputs.show(pipeline);
    screensShown.classList.toggle("lost", pipeline.state !== "running" || pipeline.stats?.input === "lost");
    const lost = pipeline.alerts?.find(({ kind }) => kind === "input_lost");
    const which = lost?.input == null ? "The input" : `Input ${lost.input + 1}`;
    say(stale, lost ? `${which} is lost since ${format.timeOfDay(lost.since_ms)}: what you see is the last picture.` : "");
  };
  const draw = async (): Promise<void> => {
    const history = await api.history(name).catch(() => null);
    if (history && !signal.aborted) plots.set(history);
  };
  show();
  void draw();
  fleet.changed.on((event) => event.name === name && show(), signal);
  fleet.measured.on((event) => {
    if (event.name !== name) return;
    show();
    if (event.point) plots.push(event.point);
  }, signal);
  fleet.linked.on((link) => link === "connected" && void draw(), signal);

  return [
    h(
      "div",
      { class: "heading" },
      h("h1", {}, name),
      badge.element,
      since,
      orders.element,
      h("a", { class: "button", href: `${pageOf(name)}/edit`, "aria-label": `Edit ${name}` }, "Edit"),
      removal(name),
    ),
    orders.told,
    problems(name, signal),
    stale,
    screensShown,
    log(name, signal),
    inputs.element,
    h("section", { class: "card" }, counts.element, plots.element),
    h("div", { class: "columns" }, h("div", {}, ...addresses(first)), written(first)),
  ];
}

/** Input and output side by side. */
function screens(pipeline: Pipeline, signal: AbortSignal): HTMLElement[] {
  const { input, output } = pipeline.play;
  const ends = { input: end(pipeline, "Input", input?.flv, signal), output: end(pipeline, "Output", output?.flv, signal) };
  const told = h("p", { class: "hint sync" });
  const offset = (): number | null => fleet.pipelines.get(pipeline.name)?.stats?.input_offset_ms ?? null;
  keepTogether({ input: ends.input.player, output: ends.output.player }, offset, ({ behindMs, apartMs }) => {
    const parts = [
      behindMs != null && `You see what was live ${(behindMs / 1000).toFixed(1)} s ago.`,
      apartMs != null && (Math.abs(apartMs) < 100 ? "Both pictures show the same moment." : "The pictures are brought to the same moment …"),
    ].filter(Boolean);
    say(told, parts.join(" "));
    told.dataset.apart = apartMs == null ? "" : String(Math.round(apartMs));
  }, signal);
  return [h("div", { class: "screens" }, ends.input.element, ends.output.element), told];
}

/** One end of a pipeline: played where it is on this server, otherwise as a picture to ask for. */
function end(
  pipeline: Pipeline,
  what: "Input" | "Output",
  flv: string | null | undefined,
  signal: AbortSignal,
): { element: HTMLElement; player: () => Player | null } {
  const caption = h("figcaption", {}, what);
  const figure = h("figure", { class: "end", "data-end": what.toLowerCase() }, caption);
  if (!flv) {
    figure.append(still(pipeline.name, what, signal));
    return { element: figure, player: () => null };
  }
  let player: Player | null = null;
  const isThere = async (): Promise<boolean> => (await isPublished(flv)) || (what === "Output" && isDemanded(pipeline.name));
  const play = (): void => {
    player = new Player(`${what} of ${pipeline.name}`, new URL(flv).pathname, isThere, signal);
    const { video } = player;
    const sound = h("button", { type: "button", class: "small", "aria-pressed": "false", "aria-label": `Sound, ${what.toLowerCase()} of ${pipeline.name}` }, "Sound");
    sound.addEventListener("click", () => {
      video.muted = !video.muted;
      sound.setAttribute("aria-pressed", String(!video.muted));
    });
    const full = h("button", { type: "button", class: "small", "aria-label": `Full screen, ${what.toLowerCase()} of ${pipeline.name}` }, "Full screen");
    full.addEventListener("click", () => void video.requestFullscreen());
    caption.append(h("span", { class: "controls" }, sound, full));
    figure.prepend(player.element);
  };
  // To play it would start it: that is the viewer's to say.
  const waits = what === "Output" && pipeline.settings["on_demand"] === true && pipeline.state !== "running";
  if (waits) {
    const button = h("button", { type: "button", "aria-label": `Play, and start it: ${pipeline.name}` }, "Play, and start it");
    const room = h("div", { class: "screen" }, h("p", { class: "note" }, "It runs while somebody plays it."), button);
    button.addEventListener("click", () => {
      room.remove();
      // It is there as soon as it is asked for.
      demanded.add(pipeline.name);
      play();
    });
    figure.prepend(room);
  } else {
    play();
  }
  return { element: figure, player: () => player };
}

/** Pipelines on demand that were asked for here. */
const demanded = new Set<string>();

/** Whether the server holds whoever asks for its output until that is there. */
function isDemanded(name: string): boolean {
  return fleet.link === "connected" && fleet.pipelines.get(name)?.state === "waiting" && demanded.has(name);
}

async function isPublished(flv: string): Promise<boolean> {
  if (fleet.link !== "connected") return false;
  const path = decodeURIComponent(new URL(flv).pathname);
  const { streams } = await api.status();
  return streams.some((stream) => `/${nameOf(stream)}.flv` === path);
}

function still(name: string, what: "Input" | "Output", signal: AbortSignal): HTMLElement {
  const image = h("img", { alt: `${what} of ${name}`, hidden: true });
  const note = h("p", { class: "note" }, what === "Input" ? "The input is not on this server." : "No output is on this server.");
  const told = h("p", { class: "problem", role: "alert" });
  const button = h("button", { type: "button", "aria-label": `Take a picture of the ${what.toLowerCase()} of ${name}` }, "Take a picture");
  button.addEventListener("click", () =>
    attempt(button, told, async () => {
      const picture = await api.picture(name, what === "Input" ? "input" : "output", signal);
      if (image.src) URL.revokeObjectURL(image.src);
      image.src = URL.createObjectURL(picture);
      image.hidden = false;
      note.hidden = true;
    }),
  );
  signal.addEventListener("abort", () => image.src && URL.revokeObjectURL(image.src), { once: true });
  return h("div", {}, h("div", { class: "screen" }, image, note), h("div", { class: "still" }, button, told));
}

function addresses({ play }: Pipeline): HTMLElement[] {
  const all: HTMLElement[] = [];
  if (play.input?.rtmp) all.push(publishHelp(play.input.rtmp));
  if (play.output) all.push(playHelp("Play the output", play.output));
  if (play.input) all.push(playHelp("Play the input", play.input));
  return all;
}

function written({ settings }: Pipeline): HTMLElement {
  const text = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));
  return h(
    "section",
    { class: "card" },
    h("h3", {}, "Settings"),
    h("dl", { class: "settings" }, ...Object.entries(settings).map(([key, value]) => h("div", {}, h("dt", {}, key), h("dd", {}, h("code", {}, text(value)))))),
  );
}

function removal(name: string): HTMLElement {
  const told = h("p", { class: "problem", role: "alert" });
  const sure = h("button", { type: "button", class: "danger", "aria-label": `Remove ${name}` }, "Remove");
  const dialog = h(
    "dialog",
    { "aria-label": `Remove ${name}?` },
    h("p", {}, `Remove the pipeline ${name}? It is stopped, and its settings are forgotten.`),
    told,
    h("div", { class: "orders" }, sure, h("button", { type: "button", click: () => dialog.close() }, "Keep it")),
  );
  sure.addEventListener("click", async () => {
    if (await attempt(sure, told, () => api.remove(name))) {
      dialog.close();
      location.hash = "#/";
    }
  });
  const open = h("button", { type: "button", click: () => dialog.showModal(), "aria-label": `Remove ${name} …` }, "Remove …");
  return h("span", {}, open, dialog);
}
