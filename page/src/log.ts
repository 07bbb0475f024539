// What a pipeline said, and what states it came to.

import { api, type Line } from "./api";
import { h } from "./dom";
import { fleet } from "./fleet";
import * as format from "./format";

const MOST = 500;

const LEVELS = [
  ["all", "All lines"],
  ["problems", "Problems"],
  ["events", "Events"],
] as const;

/** Whether a line is about something that went wrong. Of what programs print only their usual words tell. */
export function isProblem({ state, alert, is_over, level, text }: Line): boolean {
  if (state) return state === "failed" || state === "restarting";
  if (alert) return !is_over;
  if (level) return level === "error" || level === "warning";
  return /\b(error|warning|traceback|exception|failed|panicked|critical|fatal)\b|\w(Error|Exception)\b/i.test(text);
}

export function log(name: string, signal: AbortSignal): HTMLElement {
  const list = h("ol", { class: "log", tabindex: 0, role: "log", "aria-label": "Events and log" });
  const level = h("select", { "aria-label": "Which lines" }, ...LEVELS.map(([value, text]) => h("option", { value }, text)));
  const search = h("input", { type: "search", placeholder: "Search the log", "aria-label": "Search the log", autocomplete: "off" });
  const none = h("p", { class: "hint", hidden: true }, "No line is like that.");
  const filter = (entry: HTMLElement): void => {
    const isOf = level.value === "all" || (level.value === "problems" ? entry.dataset.level === "problem" : entry.dataset.event === "");
    const text = entry.textContent?.toLowerCase() ?? "";
    entry.hidden = !isOf || !text.includes(search.value.trim().toLowerCase());
  };
  const refilter = (): void => {
    const entries = [...list.children] as HTMLElement[];
    entries.forEach(filter);
    none.hidden = entries.length === 0 || entries.some((entry) => !entry.hidden);
    list.scrollTop = list.scrollHeight;
  };
  level.addEventListener("change", refilter);
  search.addEventListener("input", refilter);

  const add = (line: Line): void => {
    const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 30;
    const entry = h("li", {}, h("time", {}, format.timeOfDay(line.time_ms)), h("span", {}, line.level ? `${line.level}: ${line.text}` : line.text));
    if (line.state) entry.dataset.state = line.state;
    if (line.state || line.alert) entry.dataset.event = "";
    if (isProblem(line)) entry.dataset.level = "problem";
    filter(entry);
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
    h("div", { class: "title" }, h("h3", {}, "Events and log"), h("div", { class: "filters" }, level, search)),
    list,
    none,
  );
}
