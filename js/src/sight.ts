/** Tells whether an element is on somebody's screen: scrolled into view, in a tab that is looked at. */

export interface SightListener {
  /** Called at each change. */
  seen(visible: boolean): void;
  /** Called once a second, only while visible. */
  second(): void;
}

const SECOND_MS = 1000;

/** Watch `element` until `signal` aborts; the last call then is `seen(false)` if it was visible. */
export function watchSight(element: Element, listener: SightListener, signal: AbortSignal): void {
  let [inView, visible, clock] = [false, false, 0];
  const settle = (now: boolean) => {
    if (now === visible) return;
    visible = now;
    clearInterval(clock);
    if (visible) clock = window.setInterval(() => listener.second(), SECOND_MS);
    listener.seen(visible);
  };
  const look = () => settle(inView && document.visibilityState === "visible" && !signal.aborted);
  const observer = new IntersectionObserver((entries) => {
    inView = entries.at(-1)?.isIntersecting ?? false;
    look();
  });
  observer.observe(element);
  document.addEventListener("visibilitychange", look, { signal });
  window.addEventListener("pagehide", () => settle(false), { signal });
  window.addEventListener("pageshow", look, { signal });
  signal.addEventListener("abort", () => {
    observer.disconnect();
    look();
  });
}
