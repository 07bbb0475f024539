/** Something that happens, and who listens to it. */
export class Signal<T> {
  private listeners = new Set<(value: T) => void>();

  /** Listens until `signal` is aborted. */
  on(listener: (value: T) => void, signal: AbortSignal): void {
    if (signal.aborted) return;
    this.listeners.add(listener);
    signal.addEventListener("abort", () => this.listeners.delete(listener), { once: true });
  }

  tell(value: T): void {
    for (const listener of [...this.listeners]) listener(value);
  }
}

/** Waits, unless `signal` is aborted before. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
