// One pipeline: both its ends side by side, its figures, what it said, and its settings.

import { api, type Pipeline } from "./api";
import { h, say } from "./dom";
import { fleet } from "./fleet";
import * as format from "./format";
import { log } from "./log";
import { attempt, Badge, Orders, pageOf, playHelp, publishHelp } from "./parts";
import { Player } from "./player";
import { Plots } from "./plots";
import { keepTogether } from "./sync";

const FIGURES = [
  ["Frames in", (p: Pipeline) => format.count(p.stats?.frames_in)],
  ["Frames out", (p: Pipeline) => format.count(p.stats?.frames_out)],
  ["Edited", (p: Pipeline) => format.count(p.stats?.frames_edited)],
  ["Dropped", (p: Pipeline) => format.count(p.stats?.frames_dropped)],
  ["Bypassed", (p: Pipeline) => format.count(p.stats?.frames_bypassed)],
  ["Frames/s", (p: Pipeline) => format.rate(p.stats?.fps)],
  ["Latency", (p: Pipeline) => format.milliseconds(p.stats?.latency_ms)],
  ["99 %", (p: Pipeline) => format.milliseconds(p.stats?.latency_p99_ms)],
  ["Bit rate", (p: Pipeline) => format.bitRate(p.stats?.bit_rate)],
  ["Reconnects", (p: Pipeline) => format.count(p.stats?.reconnects)],
  ["Restarts", (p: Pipeline) => format.count(p.restarts)],
  ["Processor", (p: Pipeline) => format.percent(p.stats?.cpu_percent)],
  ["Memory", (p: Pipeline) => format.bytes(p.stats?.memory_bytes)],
] as const;

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
  const error = h("p", { class: "problem" });
  const figures = FIGURES.map(() => h("dd", {}));
  const plots = new Plots(signal);

  const show = (): void => {
    const pipeline = fleet.pipelines.get(name);
    if (!pipeline) return;
    badge.show(pipeline);
    orders.show(pipeline);
    say(since, `for ${format.span(Date.now() - pipeline.since_ms)}${pipeline.pid ? `, process ${pipeline.pid}` : ""}`);
    say(error, (pipeline.state !== "running" && pipeline.error) || "");
    FIGURES.forEach(([, figure], index) => say(figures[index]!, figure(pipeline)));
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
      h("a", { class: "button", href: `${pageOf(name)}/edit` }, "Edit"),
      removal(name),
    ),
    orders.told,
    error,
    ...screens(first, signal),
    h(
      "section",
      { class: "card" },
      h("dl", { class: "figures many" }, ...FIGURES.map(([label], index) => h("div", {}, h("dt", {}, label), figures[index]!))),
      plots.element,
    ),
    h("div", { class: "columns" }, log(name, signal), h("div", {}, ...addresses(first), written(first))),
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
      behindMs != null && `${(behindMs / 1000).toFixed(1)} s behind the live edge`,
      apartMs != null && `both show the same moment, ${Math.abs(apartMs) < 50 ? "to a picture" : `to ${Math.round(Math.abs(apartMs))} ms`}`,
    ].filter(Boolean);
    say(told, parts.join("; "));
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
    const sound = h("button", { type: "button", class: "small", "aria-pressed": "false" }, "Sound");
    sound.addEventListener("click", () => {
      video.muted = !video.muted;
      sound.setAttribute("aria-pressed", String(!video.muted));
    });
    const full = h("button", { type: "button", class: "small" }, "Full screen");
    full.addEventListener("click", () => void video.requestFullscreen());
    caption.append(h("span", { class: "controls" }, sound, full));
    figure.prepend(player.element);
  };
  // To play it would start it: that is the viewer's to say.
  const waits = what === "Output" && pipeline.settings["on_demand"] === true && pipeline.state !== "running";
  if (waits) {
    const button = h("button", { type: "button" }, "Play, and start it");
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
  return streams.some(({ app, name }) => `/${app}/${name}.flv` === path);
}

function still(name: string, what: "Input" | "Output", signal: AbortSignal): HTMLElement {
  const image = h("img", { alt: `${what} of ${name}`, hidden: true });
  const note = h("p", { class: "note" }, what === "Input" ? "The input is not on this server." : "No output is on this server.");
  const told = h("p", { class: "problem", role: "alert" });
  const button = h("button", { type: "button" }, "Take a picture");
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
  const sure = h("button", { type: "button", class: "danger" }, "Remove");
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
  const open = h("button", { type: "button", click: () => dialog.showModal() }, "Remove …");
  return h("span", {}, open, dialog);
}
