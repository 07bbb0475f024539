// All pipelines at a glance.

import { summary as wrong, worst } from "./alerts";
import { api, type Pipeline } from "./api";
import { h, say } from "./dom";
import { fleet } from "./fleet";
import * as format from "./format";
import { models } from "./models";
import { Badge, Orders, pageOf } from "./parts";
import { nameOf, pageOfStream, without } from "./published";
import { pause } from "./signal";
import { keepFresh, Thumbnail } from "./thumbnails";

const FIGURES = [
  ["fps", (p: Pipeline) => format.rate(p.stats?.fps)],
  ["latency", (p: Pipeline) => format.milliseconds(p.stats?.latency_ms)],
  ["bit rate", (p: Pipeline) => format.bitRate(p.stats?.bit_rate)],
  ["dropped", (p: Pipeline) => format.count(p.stats?.frames_dropped)],
  ["unedited", (p: Pipeline) => format.count(p.stats?.frames_bypassed)],
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
      this.error,
      h("dl", { class: "figures" }, ...FIGURES.map(([label], index) => h("div", {}, h("dt", {}, label), this.figures[index]!))),
      this.orders.element,
      this.orders.told,
    );
  }

  show(pipeline: Pipeline): void {
    this.badge.show(pipeline);
    this.orders.show(pipeline);
    FIGURES.forEach(([, figure], index) => say(this.figures[index]!, figure(pipeline)));
    say(this.error, wrong(pipeline));
    const isLost = pipeline.alerts?.some(({ kind }) => kind === "input_lost" || kind === "process_ended" || kind === "process_hung");
    this.element.classList.toggle("lost", !!isLost);
    this.element.classList.toggle("wrong", !!worst(pipeline));
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

  const published = h("section", { class: "card wide", hidden: true, "aria-label": "Streams without a pipeline" });

  // What is wrong stands first. Nothing is moved that stands where it belongs: a button may have the focus.
  const order = (): void => {
    const isWrong = (name: string): number => (cards.get(name)!.element.classList.contains("wrong") ? 0 : 1);
    const names = [...cards.keys()].toSorted((a, b) => isWrong(a) - isWrong(b) || a.localeCompare(b));
    names.forEach((name, index) => {
      const { element } = cards.get(name)!;
      if (list.children[index] !== element) list.insertBefore(element, list.children[index] ?? null);
    });
  };
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
    }
    card.show(pipeline);
    order();
  };
  const sum = (): void => {
    const all = fleet.all();
    const running = all.filter(({ state }) => state === "running").length;
    const bad = all.filter((pipeline) => worst(pipeline)).length;
    say(summary, all.length ? `${running} of ${all.length} running${bad ? `, ${bad} with a problem` : ""}` : "");
    say(fileError, fleet.fileError ? `The file was not taken when it last changed: ${fleet.fileError}` : "");
    empty.hidden = all.length > 0 || fleet.link === "connecting";
  };

  for (const pipeline of fleet.all()) show(pipeline.name, pipeline);
  sum();
  fleet.changed.on(({ name, pipeline }) => (show(name, pipeline), sum()), signal);
  fleet.measured.on(({ name }) => show(name, fleet.pipelines.get(name) ?? null), signal);
  fleet.linked.on(sum, signal);
  void (async () => {
    while (!signal.aborted) {
      const status = fleet.link === "connected" && !document.hidden ? await api.status().catch(() => null) : null;
      if (status && !signal.aborted) {
        const alone = without(status.streams, fleet.all());
        const links = alone.map((stream) => h("li", {}, h("a", { href: pageOfStream(stream) }, nameOf(stream))));
        const names = alone.map(nameOf).join("\n");
        if (published.dataset.names !== names) {
          published.dataset.names = names;
          published.replaceChildren(
            h("h2", {}, "Published, without a pipeline"),
            h("ul", { class: "links" }, ...links),
          );
        }
        published.hidden = alone.length === 0;
      }
      await pause(2_000, signal);
    }
  })();
  void keepFresh(() => [...cards.values()].map((card) => card.thumbnail), signal);

  return h("div", {}, h("div", { class: "heading" }, h("h1", {}, "Pipelines"), summary), fileError, published, models(signal), empty, list);
}
