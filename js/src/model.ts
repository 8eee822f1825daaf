/** The part of anywidget's model that the widgets use. */

type Callback = (...parts: never[]) => void;

export interface Model {
  get(name: string): unknown;
  on(event: string, callback: Callback): void;
  off(event: string, callback: Callback): void;
  send(content: object): void;
  /** What the host has for all its models; what it is differs from host to host. */
  widget_manager?: unknown;
}

export interface RenderProps {
  model: Model;
  el: HTMLElement;
}

/** Call `callback` at each `event` until `signal` aborts. */
export function listen(model: Model, event: string, callback: Callback, signal: AbortSignal): void {
  model.on(event, callback);
  signal.addEventListener("abort", () => model.off(event, callback), { once: true });
}
