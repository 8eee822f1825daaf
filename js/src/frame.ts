/** Paint at most once per animation frame. */

/** Return a function that asks for `paint` at the next frame; nothing is painted after `signal` aborts. */
export function perFrame(paint: () => void, signal: AbortSignal): () => void {
  let asked = 0;
  signal.addEventListener("abort", () => cancelAnimationFrame(asked), { once: true });
  return () => {
    if (asked !== 0 || signal.aborted) return;
    asked = requestAnimationFrame(() => {
      asked = 0;
      paint();
    });
  };
}
