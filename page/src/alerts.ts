// States that a person must act on: what each is called, and what can be done.

import { api, type Alert, type AlertKind, type Pipeline } from "./api";
import { h, say } from "./dom";
import { fleet } from "./fleet";
import * as format from "./format";

/** The log's lines that are shown beside code that fails. */
const LAST_LINES = 12;

export const ALERTS: Record<AlertKind, { title: string; act: string }> = {
  input_lost: { title: "Input lost", act: "Look at the camera, the network, and who publishes. It is opened again by itself." },
  output_lost: { title: "Output lost", act: "Look at the server that it publishes to. It is opened again by itself." },
  code_failing: { title: "Code failing", act: "Mend the command: its last lines are shown here. It is started again by itself." },
  code_hanging: { title: "Code hanging", act: "The command takes a frame and gives none back. It is killed and started again where on_error allows it." },
  recording_stopped: { title: "Recording stopped", act: "The other outputs go on. It is begun again, under a name of its own, as soon as it can be." },
  disk_full: { title: "Disk full", act: "Make room on the disk: at least 16 MiB must be free before it is begun again." },
  memory_limit: { title: "Memory limit reached", act: "Raise the server's memory limit, or look at who publishes and plays." },
  process_hung: { title: "Process hung", act: "It was killed and is started again. If it hangs again, look at the machine's load and disks." },
  process_ended: { title: "Process ended", act: "It is started again by itself, unless its settings can't be run." },
};

/** What is wrong with a pipeline, the longest first. */
export function worst({ alerts }: Pipeline): Alert | undefined {
  return (alerts ?? []).toSorted((a, b) => a.since_ms - b.since_ms)[0];
}

const title = (alert: Alert): string => ALERTS[alert.kind]?.title ?? alert.kind;

/** A line about what is wrong. */
export function summary(pipeline: Pipeline): string {
  const alert = worst(pipeline);
  return alert ? `${title(alert)} for ${format.span(Date.now() - alert.since_ms)}` : "";
}

/** All that is wrong with a pipeline, kept up. */
export function problems(name: string, signal: AbortSignal): HTMLElement {
  const list = h("section", { class: "alerts", "aria-label": "What is wrong", role: "status" });
  let shown = "";
  let spans: (() => void)[] = [];
  const show = (): void => {
    const alerts = fleet.pipelines.get(name)?.alerts ?? [];
    const now = JSON.stringify(alerts);
    if (now !== shown) {
      shown = now;
      spans = [];
      list.replaceChildren(...alerts.map((alert) => one(alert)));
    }
    list.hidden = alerts.length === 0;
    spans.forEach((update) => update());
  };
  const one = (alert: Alert): HTMLElement => {
    const since = h("span", { class: "hint" });
    spans.push(() => say(since, `for ${format.span(Date.now() - alert.since_ms)}, since ${format.timeOfDay(alert.since_ms)}`));
    const isCode = alert.kind === "code_failing" || alert.kind === "code_hanging";
    const last = isCode && h("pre", { class: "last", "aria-label": "The last lines of the log", hidden: true });
    if (last) {
      void api.log(name, 200).then((lines) => {
        const said = lines.filter((line) => !line.state && !line.alert).slice(-LAST_LINES);
        last.textContent = said.map((line) => line.text).join("\n");
        last.hidden = said.length === 0;
      }, () => undefined);
    }
    return h(
      "article",
      { class: "alert", "data-kind": alert.kind },
      h("div", { class: "title" }, h("h2", {}, title(alert)), since),
      h("p", {}, alert.text.charAt(0).toUpperCase() + alert.text.slice(1) + (/[.!?)]$/.test(alert.text) ? "" : ".")),
      last,
      h("p", { class: "hint" }, ALERTS[alert.kind]?.act ?? ""),
    );
  };
  show();
  fleet.changed.on((event) => event.name === name && show(), signal);
  fleet.measured.on((event) => event.name === name && show(), signal);
  return list;
}
