// What a pipeline did over the last ten minutes, drawn.

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Point } from "./api";
import { h } from "./dom";
import * as format from "./format";

/** Seconds that are drawn. */
const WINDOW_S = 600;
const HEIGHT = 150;

interface Curve {
  label: string;
  /** A custom property of the style sheet. */
  color: string;
  value: (point: Point, before: Point | null) => number | null;
}

interface Drawing {
  title: string;
  unit: (value: number | null) => string;
  /** Where nothing happens, the axis still goes up to this. */
  least: number;
  /** What the axis is marked in, where it is no power of ten. */
  step?: number;
  curves: Curve[];
}

/** A count's rise within a second; a pipeline that was started anew begins at 0. */
const rise = (of: (point: Point) => number) => (point: Point, before: Point | null): number =>
  before && of(point) >= of(before) ? of(point) - of(before) : of(point) && before ? of(point) : 0;

const DRAWINGS: Drawing[] = [
  {
    title: "Latency",
    unit: format.milliseconds,
    least: 10,
    curves: [
      { label: "median", color: "--plot-1", value: (point) => point.latency_median_ms },
      { label: "99 %", color: "--plot-2", value: (point) => point.latency_p99_ms },
    ],
  },
  {
    title: "Frames a second",
    unit: format.rate,
    least: 5,
    curves: [{ label: "out", color: "--plot-1", value: (point) => point.fps }],
  },
  {
    title: "Frames dropped and bypassed a second",
    unit: format.count,
    least: 5,
    curves: [
      { label: "dropped", color: "--plot-3", value: rise((point) => point.frames_dropped) },
      { label: "bypassed", color: "--plot-2", value: rise((point) => point.frames_bypassed) },
    ],
  },
  {
    title: "Bit rate",
    unit: format.bitRate,
    least: 100_000,
    curves: [{ label: "out", color: "--plot-1", value: (point) => point.bits_per_second }],
  },
  {
    title: "Processor",
    unit: format.percent,
    least: 10,
    curves: [{ label: "of one core", color: "--plot-4", value: (point) => point.cpu_percent }],
  },
  {
    title: "Memory",
    unit: format.bytes,
    least: 10 << 20,
    step: 1 << 20,
    curves: [{ label: "resident", color: "--plot-4", value: (point) => point.memory_bytes }],
  },
];

/** Round numbers of a drawing's step. */
function marks({ step }: Drawing): { incrs?: number[] } {
  if (!step) return {};
  return { incrs: [1, 10, 100, 1000, 10_000].flatMap((tens) => [1, 2, 5].map((one) => one * tens * step)) };
}

export class Plots {
  readonly element = h("div", { class: "plots" });
  private points: Point[] = [];
  private plots: { drawing: Drawing; plot: uPlot; room: HTMLElement }[] = [];
  private readonly scheme = matchMedia("(prefers-color-scheme: dark)");

  constructor(signal: AbortSignal) {
    this.scheme.addEventListener("change", () => this.build(), { signal });
    const resized = new ResizeObserver(() => this.fit());
    resized.observe(this.element);
    signal.addEventListener("abort", () => (resized.disconnect(), this.clear()), { once: true });
  }

  /** Takes the past, and then each second as it comes. */
  set(points: Point[]): void {
    this.points = points;
    if (this.plots.length === 0) this.build();
    else this.draw();
  }

  push(point: Point): void {
    const last = this.points.at(-1);
    if (last && point.time_ms <= last.time_ms) return;
    this.points.push(point);
    this.points = this.points.filter(({ time_ms }) => time_ms > point.time_ms - WINDOW_S * 1000);
    if (this.plots.length === 0) this.build();
    else this.draw();
  }

  private clear(): void {
    for (const { plot } of this.plots) plot.destroy();
    this.plots = [];
    this.element.replaceChildren();
  }

  private build(): void {
    this.clear();
    const style = getComputedStyle(document.documentElement);
    const color = (name: string): string => style.getPropertyValue(name).trim();
    for (const drawing of DRAWINGS) {
      const room = h("figure", { class: "plot" }, h("figcaption", {}, drawing.title));
      this.element.append(room);
      const axis = {
        stroke: color("--muted"),
        grid: { stroke: color("--line"), width: 1 },
        ticks: { stroke: color("--line"), width: 1 },
        font: "11px system-ui",
      };
      const plot = new uPlot(
        {
          width: Math.max(200, room.clientWidth),
          height: HEIGHT,
          cursor: { sync: { key: "pipeline" }, drag: { x: false, y: false } },
          scales: {
            x: {
              time: true,
              range: () => {
                const end = (this.points.at(-1)?.time_ms ?? Date.now()) / 1000;
                return [end - this.span(), end];
              },
            },
            y: { range: (_plot, _low, high) => [0, Math.max(drawing.least, (high ?? 0) * 1.1)] },
          },
          axes: [
            { ...axis, space: 70, values: (_plot, ticks) => ticks.map((tick) => format.timeOfDay(tick * 1000)) },
            { ...axis, size: 70, ...marks(drawing), values: (_plot, ticks) => ticks.map((tick) => drawing.unit(tick)) },
          ],
          series: [
            { value: (_plot, value) => (value == null ? "–" : format.timeOfDay(value * 1000)), label: "at" },
            ...drawing.curves.map((curve) => ({
              label: curve.label,
              stroke: color(curve.color),
              width: 1.5,
              points: { show: false },
              value: (_plot: uPlot, value: number | null) => drawing.unit(value),
            })),
          ],
        },
        this.columns(drawing),
        room,
      );
      this.showLast(plot);
      this.plots.push({ drawing, plot, room });
    }
  }

  /** A pipeline that is new fills the width all the same. */
  private span(): number {
    const [first, last] = [this.points[0], this.points.at(-1)];
    return Math.min(WINDOW_S, Math.max(30, ((last?.time_ms ?? 0) - (first?.time_ms ?? 0)) / 1000));
  }

  private columns({ curves }: Drawing): uPlot.AlignedData {
    const before = (index: number): Point | null => this.points[index - 1] ?? null;
    return [
      this.points.map((point) => point.time_ms / 1000),
      ...curves.map((curve) => this.points.map((point, index) => curve.value(point, before(index)))),
    ];
  }

  private draw(): void {
    for (const { drawing, plot } of this.plots) {
      plot.setData(this.columns(drawing));
      this.showLast(plot);
    }
  }

  /** Where nobody points at a moment, the legend tells of the last one. */
  private showLast(plot: uPlot): void {
    if ((plot.cursor.left ?? -1) < 0 && this.points.length > 0) plot.setLegend({ idx: this.points.length - 1 });
  }

  private fit(): void {
    for (const { plot, room } of this.plots) {
      const width = room.clientWidth;
      if (width > 0 && width !== plot.width) plot.setSize({ width, height: HEIGHT });
    }
  }
}
