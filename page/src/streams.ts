// What is published to the server, by whom, and how to; one stream, played.

import { api, type ServerStatus, type StreamStatus } from "./api";
import { h, say } from "./dom";
import { fleet } from "./fleet";
import * as format from "./format";
import { playHelp, publishHelp } from "./parts";
import { Player } from "./player";
import { nameOf, pageOfStream } from "./published";
import { pause } from "./signal";

const EVERY_MS = 2_000;

const pathOf = (app: string, name: string): string => `/${nameOf({ app, name }).split("/").map(encodeURIComponent).join("/")}`;

export function streams(signal: AbortSignal): HTMLElement {
  const rows = h("tbody");
  const head = ["Stream", "From", "Since", "Video", "Audio", "Bit rate", "Players"].map((text) => h("th", { scope: "col" }, text));
  const table = h("table", {}, h("thead", {}, h("tr", {}, ...head)), rows);
  const empty = h("p", { class: "hint" }, "Nobody publishes to this server now.");
  const memory = h("p", { class: "hint" });
  const help = h("div");
  // Rows stay where they are, for as long as their streams do: a link may have the focus.
  const known = new Map<string, Row>();
  void (async () => {
    while (!signal.aborted) {
      const status = fleet.link === "connected" && !document.hidden ? await api.status().catch(() => null) : null;
      if (status && !signal.aborted) {
        const names = new Set(status.streams.map(nameOf));
        for (const [name, row] of known) {
          if (names.has(name)) continue;
          row.element.remove();
          known.delete(name);
        }
        for (const stream of status.streams) {
          let row = known.get(nameOf(stream));
          if (!row) {
            row = new Row(stream);
            known.set(nameOf(stream), row);
            rows.append(row.element);
          }
          row.show(stream);
        }
        showMemory(memory, status.memory);
        empty.hidden = status.streams.length > 0;
        table.hidden = !empty.hidden;
      }
      if (help.childElementCount === 0 && fleet.link === "connected") {
        help.append(publishHelp(`${fleet.urls.rtmp ?? `rtmp://${location.hostname}`}/live/NAME`));
      }
      await pause(EVERY_MS, signal);
    }
  })();
  return h(
    "div",
    {},
    h("div", { class: "heading" }, h("h1", {}, "Streams on this server")),
    memory,
    h("div", { class: "card wide" }, table, empty),
    help,
  );
}

/** What connections and streams hold, and whether somebody had to go for it. */
function showMemory(place: HTMLElement, memory: ServerStatus["memory"]): void {
  const [held, limit] = [format.bytes(memory.held_bytes), format.bytes(memory.limit_bytes)];
  const reached = memory.limit_reached;
  const cut = reached === 1 ? "a connection was cut or refused" : `${format.count(reached)} connections were cut or refused`;
  const title = memory.is_at_limit ? "Memory limit reached" : "Memory";
  place.className = memory.is_at_limit ? "problem" : "hint";
  say(place, `${title}: ${held} of ${limit} are held.` + (reached > 0 ? ` For it ${cut} since the server's start.` : ""));
}

class Row {
  readonly element: HTMLElement;
  private readonly cells = Array.from({ length: 6 }, () => h("td", {}));

  constructor(stream: StreamStatus) {
    const link = h("a", { href: pageOfStream(stream) }, nameOf(stream));
    this.element = h("tr", {}, h("th", { scope: "row" }, link), ...this.cells);
  }

  show({ publisher, video, audio, bit_rate, players }: StreamStatus): void {
    const size = video?.width && video.height ? ` ${video.width}x${video.height}` : "";
    const texts = [
      `${publisher.client || "?"} at ${publisher.address}`,
      format.span(publisher.since_seconds * 1000),
      video ? video.codec + size : "–",
      audio?.codec ?? "–",
      format.bitRate(bit_rate),
      String(players.length),
    ];
    texts.forEach((text, index) => (this.cells[index]!.textContent = text));
  }
}

/** One stream, played, with its URLs. */
export function oneStream(app: string, name: string, signal: AbortSignal): HTMLElement {
  const what = nameOf({ app, name });
  const isThere = async (): Promise<boolean> => {
    if (fleet.link !== "connected") return false;
    const status = await api.status();
    return status.streams.some((one) => nameOf(one) === what);
  };
  const flv = `${pathOf(app, name)}.flv`;
  const player = new Player(what, flv, isThere, signal);
  const sound = h("button", { type: "button", class: "small", "aria-pressed": "false", "aria-label": `Sound of ${what}` }, "Sound");
  sound.addEventListener("click", () => {
    player.video.muted = !player.video.muted;
    sound.setAttribute("aria-pressed", String(!player.video.muted));
  });
  const urls = h("div");
  const show = (): void => {
    if (fleet.link !== "connected") return;
    const { rtmp, http } = fleet.urls;
    urls.replaceChildren(playHelp(`Play ${what}`, {
      rtmp: rtmp && `${rtmp}${pathOf(app, name)}`,
      flv: `${http ?? location.origin}${flv}`,
    }));
  };
  show();
  fleet.linked.on(show, signal);
  return h(
    "div",
    {},
    h("div", { class: "heading" }, h("h1", {}, what), h("a", { class: "button", href: "#/streams" }, "All streams")),
    h("figure", { class: "end", "data-end": "stream" }, player.element, h("figcaption", {}, what, h("span", { class: "controls" }, sound))),
    urls,
  );
}
