// Small things that several views show.

import { api, Problem, type Pipeline, type PlayUrls, type State } from "./api";
import { ALERTS, worst } from "./alerts";
import { copyButton, h, say } from "./dom";
import { inWords } from "./faults";
import { fleet } from "./fleet";
import { sentence } from "./format";

const STATES: Record<State, string> = {
  stopped: "Stopped",
  starting: "Starting",
  running: "Running",
  waiting: "Waiting for a player",
  restarting: "Restarting",
  failed: "Failed",
};

/** How a pipeline gets on: what is wrong with it goes first. */
export function stateOf(pipeline: Pipeline): { text: string; kind: string } {
  const { state } = pipeline;
  const alert = state === "running" ? worst(pipeline) : undefined;
  if (alert) return { text: ALERTS[alert.kind]?.title ?? alert.kind, kind: "alert" };
  return { text: STATES[state], kind: state };
}

export class Badge {
  readonly element = h("span", { class: "badge" });

  show(pipeline: Pipeline): void {
    this.say(stateOf(pipeline));
  }

  /** Shows a state by itself. */
  showState(state: State): void {
    this.say({ text: STATES[state], kind: state });
  }

  private say({ text, kind }: { text: string; kind: string }): void {
    say(this.element, text);
    this.element.dataset.state = kind;
  }
}

/** The name of a pipeline's page. */
export const pageOf = (name: string): string => `#/pipelines/${encodeURIComponent(name)}`;

/** Does what a button says; tells in `told` what went wrong. */
export async function attempt(button: HTMLButtonElement, told: HTMLElement, act: () => Promise<unknown>): Promise<boolean> {
  button.disabled = true;
  told.textContent = "";
  try {
    await act();
    return true;
  } catch (error) {
    told.textContent = error instanceof Problem ? inWords(error.details).text : error instanceof Error ? sentence(error.message) : String(error);
    return false;
  } finally {
    button.disabled = false;
  }
}

/** Start, stop and restart. */
export class Orders {
  readonly told = h("p", { class: "problem", role: "alert" });
  readonly element: HTMLElement;
  private readonly start: HTMLButtonElement;
  private readonly stop: HTMLButtonElement;
  private readonly restart: HTMLButtonElement;

  constructor(private readonly name: string) {
    this.start = this.button("start", "Start");
    this.stop = this.button("stop", "Stop");
    this.restart = this.button("restart", "Restart");
    this.element = h("div", { class: "orders", role: "group", "aria-label": `Orders for ${name}` }, this.start, this.stop, this.restart);
  }

  show({ state }: Pipeline): void {
    const rests = state === "stopped" || state === "failed";
    this.start.hidden = !rests;
    this.stop.hidden = rests;
    this.restart.hidden = rests;
  }

  private button(order: "start" | "stop" | "restart", text: string): HTMLButtonElement {
    const button = h("button", { type: "button", "aria-label": `${text} ${this.name}` }, text);
    button.addEventListener("click", () => attempt(button, this.told, () => api.order(this.name, order)));
    return button;
  }
}

function copyLine(label: string, value: string, of: string): HTMLElement {
  return h("div", { class: "copy" }, h("span", { class: "label" }, label), h("code", {}, value), copyButton(() => value, `${label}: ${of}`));
}

/** Where a stream is published to, with what OBS wants to know. */
export function publishHelp(rtmp: string): HTMLElement {
  const at = rtmp.lastIndexOf("/");
  const [server, key] = [rtmp.slice(0, at), rtmp.slice(at + 1)];
  const withKey = fleet.keys.publish ? `${key}?key=YOUR_PUBLISH_KEY` : key;
  return h(
    "section",
    { class: "card" },
    h("h3", {}, "Publish"),
    copyLine("URL", fleet.keys.publish ? `${rtmp}?key=YOUR_PUBLISH_KEY` : rtmp, "publish"),
    h("p", { class: "hint" }, "In OBS: Settings, Stream, Service: Custom. Then:"),
    copyLine("Server", server, "publish"),
    copyLine("Stream key", withKey, "publish"),
    h("p", { class: "hint" }, "Set the keyframe interval to 2 s, so that players begin quickly."),
    fleet.keys.publish && h("p", { class: "hint" }, "This server asks publishers for its key: put it in place of YOUR_PUBLISH_KEY."),
  );
}

/** Where a stream is played from. */
export function playHelp(title: string, urls: PlayUrls): HTMLElement {
  const keyed = (url: string): string => (fleet.keys.play ? `${url}?key=YOUR_PLAY_KEY` : url);
  return h(
    "section",
    { class: "card" },
    h("h3", {}, title),
    urls.rtmp && copyLine("RTMP", keyed(urls.rtmp), title),
    urls.flv && copyLine("HTTP-FLV", keyed(urls.flv), title),
    h("p", { class: "hint" }, "For VLC, mpv, ffplay, GStreamer, OBS's media source, or a page with mpegts.js."),
    fleet.keys.play && h("p", { class: "hint" }, "This server asks players for its key: put it in place of YOUR_PLAY_KEY."),
  );
}
