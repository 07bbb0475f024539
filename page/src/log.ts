// What a pipeline said, and what states it came to.

import { api, type Line } from "./api";
import { h } from "./dom";
import { fleet } from "./fleet";
import * as format from "./format";

const MOST = 500;

export function log(name: string, signal: AbortSignal): HTMLElement {
  const list = h("ol", { class: "log", tabindex: 0, role: "log", "aria-label": "Events and log" });
  const only = h("input", { type: "checkbox" });
  only.addEventListener("change", () => list.classList.toggle("events-only", only.checked));

  const add = (line: Line): void => {
    const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 30;
    const entry = h("li", {}, h("time", {}, format.timeOfDay(line.time_ms)), h("span", {}, line.text));
    if (line.state) entry.dataset.state = line.state;
    list.append(entry);
    while (list.children.length > MOST) list.firstElementChild?.remove();
    if (isAtEnd) list.scrollTop = list.scrollHeight;
  };
  // What comes while the past is fetched waits for it.
  let waiting: Line[] | null = [];
  let newest = 0;
  const fill = async (): Promise<void> => {
    waiting ??= [];
    try {
      const past = await api.log(name, 200);
      if (signal.aborted) return;
      list.replaceChildren();
      past.forEach(add);
      newest = past.at(-1)?.time_ms ?? 0;
    } catch {
      // It is asked for again when the server is back.
    }
    const late = waiting ?? [];
    waiting = null;
    late.filter((line) => line.time_ms > newest).forEach(add);
  };
  fleet.logged.on((event) => {
    if (event.name !== name) return;
    if (waiting) waiting.push(event.line);
    else add(event.line);
  }, signal);
  fleet.linked.on((link) => link === "connected" && void fill(), signal);
  void fill();

  return h(
    "section",
    { class: "card" },
    h("div", { class: "title" }, h("h3", {}, "Events and log"), h("label", { class: "check" }, only, "Events only")),
    list,
  );
}
