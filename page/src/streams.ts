// What is published to the server, by whom, and how to.

import { api, type StreamStatus } from "./api";
import { h } from "./dom";
import { fleet } from "./fleet";
import * as format from "./format";
import { publishHelp } from "./parts";
import { pause } from "./signal";

const EVERY_MS = 2_000;

export function streams(signal: AbortSignal): HTMLElement {
  const rows = h("tbody");
  const head = ["Stream", "From", "Since", "Video", "Audio", "Bit rate", "Players"].map((text) => h("th", { scope: "col" }, text));
  const table = h("table", {}, h("thead", {}, h("tr", {}, ...head)), rows);
  const empty = h("p", { class: "hint" }, "Nobody publishes to this server now.");
  const help = h("div");
  void (async () => {
    while (!signal.aborted) {
      const status = fleet.link === "connected" && !document.hidden ? await api.status().catch(() => null) : null;
      if (status && !signal.aborted) {
        rows.replaceChildren(...status.streams.map(row));
        empty.hidden = status.streams.length > 0;
        table.hidden = !empty.hidden;
      }
      if (help.childElementCount === 0 && fleet.link === "connected") {
        // The API tells them of streams that pipelines read or write.
        const known = fleet.all().flatMap(({ play }) => [play.input?.rtmp, play.output?.rtmp]).find(Boolean);
        const base = known?.replace(/\/[^/]*\/[^/]*$/, "") ?? `rtmp://${location.hostname}`;
        help.append(publishHelp(`${base}/live/NAME`));
      }
      await pause(EVERY_MS, signal);
    }
  })();
  return h(
    "div",
    {},
    h("div", { class: "heading" }, h("h1", {}, "Streams on this server")),
    h("div", { class: "card wide" }, table, empty),
    help,
  );
}

function row(stream: StreamStatus): HTMLElement {
  const { publisher, video, audio } = stream;
  const size = video?.width && video.height ? ` ${video.width}x${video.height}` : "";
  const cells = [
    `${publisher.client || "?"} at ${publisher.address}`,
    format.span(publisher.since_seconds * 1000),
    video ? video.codec + size : "–",
    audio?.codec ?? "–",
    format.bitRate(stream.bit_rate),
    String(stream.players.length),
  ];
  return h("tr", {}, h("th", { scope: "row" }, `${stream.app}/${stream.name}`), ...cells.map((text) => h("td", {}, text)));
}
