// The models of the server's file: each a process that several pipelines use.

import { api, type Model } from "./api";
import { h, say } from "./dom";
import { fleet } from "./fleet";
import * as format from "./format";
import { attempt, Badge } from "./parts";

const FIGURES = [
  ["Clients", (m: Model) => format.count(m.stats?.clients)],
  ["Queue", (m: Model) => format.count(m.stats?.queue)],
  ["Frames/s", (m: Model) => format.rate(m.stats?.fps)],
  ["A batch", (m: Model) => format.milliseconds(m.stats?.batch_ms)],
  ["Processor", (m: Model) => format.percent(m.pid == null ? null : m.cpu_percent)],
  ["Memory", (m: Model) => format.bytes(m.pid == null ? null : m.memory_bytes)],
  ["Restarts", (m: Model) => format.count(m.restarts)],
] as const;

class Row {
  readonly element: HTMLElement;
  private readonly badge = new Badge();
  private readonly figures = FIGURES.map(() => h("td", {}));
  private readonly told = h("p", { class: "problem", role: "alert" });
  private readonly error = h("p", { class: "problem" });

  constructor(name: string) {
    const restart = h("button", { type: "button", class: "small", "aria-label": `Restart ${name}` }, "Restart");
    restart.addEventListener("click", () => attempt(restart, this.told, () => api.restartModel(name)));
    this.element = h(
      "tr",
      { "data-model": name },
      h("th", { scope: "row" }, name, this.error, this.told),
      h("td", {}, this.badge.element),
      ...this.figures,
      h("td", {}, restart),
    );
  }

  show(model: Model): void {
    this.badge.showState(model.state);
    FIGURES.forEach(([, figure], index) => say(this.figures[index]!, figure(model)));
    say(this.error, model.error == null ? "" : format.sentence(model.error));
  }
}

/** A section with a row for each model; hidden where there are none. */
export function models(signal: AbortSignal): HTMLElement {
  // Rows stay where they are, for as long as their models do: a button may have the focus.
  const rows = new Map<string, Row>();
  const body = h("tbody");
  const heads = ["Model", "State", ...FIGURES.map(([label]) => label), ""].map((text) => h("th", { scope: "col" }, text));
  const table = h("table", {}, h("thead", {}, h("tr", {}, ...heads)), body);
  const element = h("section", { class: "card wide models", "aria-label": "Models" }, h("h2", {}, "Models"), table);

  const show = (name: string, model: Model | null): void => {
    let row = rows.get(name);
    if (!model) {
      row?.element.remove();
      rows.delete(name);
    } else {
      if (!row) {
        row = new Row(name);
        rows.set(name, row);
        const after = [...rows.keys()].toSorted().find((other) => other > name);
        body.insertBefore(row.element, after == null ? null : rows.get(after)!.element);
      }
      row.show(model);
    }
    element.hidden = rows.size === 0;
  };
  element.hidden = true;
  for (const model of fleet.models.values()) show(model.name, model);
  fleet.modelChanged.on(({ name, model }) => show(name, model), signal);
  return element;
}
