// All pipelines at a glance.

import type { Pipeline } from "./api";
import { h, say } from "./dom";
import { fleet } from "./fleet";
import * as format from "./format";
import { Badge, Orders, pageOf } from "./parts";
import { keepFresh, Thumbnail } from "./thumbnails";

const FIGURES = [
  ["fps", (p: Pipeline) => format.rate(p.stats?.fps)],
  ["latency", (p: Pipeline) => format.milliseconds(p.stats?.latency_ms)],
  ["bit rate", (p: Pipeline) => format.bitRate(p.stats?.bit_rate)],
  ["dropped", (p: Pipeline) => format.count(p.stats && p.stats.frames_dropped + p.stats.frames_bypassed)],
] as const;

class Card {
  readonly thumbnail: Thumbnail;
  readonly element: HTMLElement;
  private readonly badge = new Badge();
  private readonly orders: Orders;
  private readonly error = h("p", { class: "problem" });
  private readonly figures = FIGURES.map(() => h("dd", {}));

  constructor(name: string) {
    this.thumbnail = new Thumbnail(name);
    this.orders = new Orders(name);
    this.element = h(
      "li",
      { class: "card pipeline", "data-name": name },
      h("a", { class: "picture", href: pageOf(name), tabindex: -1, "aria-hidden": "true" }, this.thumbnail.element),
      h("div", { class: "title" }, h("h2", {}, h("a", { href: pageOf(name) }, name)), this.badge.element),
      h("dl", { class: "figures" }, ...FIGURES.map(([label], index) => h("div", {}, h("dt", {}, label), this.figures[index]!))),
      this.error,
      this.orders.element,
      this.orders.told,
    );
  }

  show(pipeline: Pipeline): void {
    this.badge.show(pipeline);
    this.orders.show(pipeline);
    FIGURES.forEach(([, figure], index) => say(this.figures[index]!, figure(pipeline)));
    const bad = pipeline.state === "failed" || pipeline.state === "restarting";
    say(this.error, (bad && pipeline.error) || "");
  }
}

export function overview(signal: AbortSignal): HTMLElement {
  const cards = new Map<string, Card>();
  const list = h("ul", { class: "cards", "aria-label": "Pipelines" });
  const empty = h(
    "div",
    { class: "empty", hidden: true },
    h("p", {}, "There are no pipelines yet."),
    h("p", {}, h("a", { class: "button", href: "#/add" }, "Add a pipeline")),
  );
  const summary = h("p", { class: "hint" });
  const fileError = h("p", { class: "problem", role: "alert" });

  const show = (name: string, pipeline: Pipeline | null): void => {
    let card = cards.get(name);
    if (!pipeline) {
      card?.thumbnail.forget();
      card?.element.remove();
      cards.delete(name);
      return;
    }
    if (!card) {
      card = new Card(name);
      cards.set(name, card);
      const after = [...cards.keys()].toSorted((a, b) => a.localeCompare(b));
      const next = after[after.indexOf(name) + 1];
      list.insertBefore(card.element, (next && cards.get(next)?.element) || null);
    }
    card.show(pipeline);
  };
  const sum = (): void => {
    const all = fleet.all();
    const running = all.filter(({ state }) => state === "running").length;
    say(summary, all.length ? `${running} of ${all.length} running` : "");
    say(fileError, fleet.fileError ? `The file was not taken when it last changed: ${fleet.fileError}` : "");
    empty.hidden = all.length > 0 || fleet.link === "connecting";
  };

  for (const pipeline of fleet.all()) show(pipeline.name, pipeline);
  sum();
  fleet.changed.on(({ name, pipeline }) => (show(name, pipeline), sum()), signal);
  fleet.measured.on(({ name }) => show(name, fleet.pipelines.get(name) ?? null), signal);
  fleet.linked.on(sum, signal);
  void keepFresh(() => [...cards.values()].map((card) => card.thumbnail), signal);

  return h("div", {}, h("div", { class: "heading" }, h("h1", {}, "Pipelines"), summary), fileError, empty, list);
}
