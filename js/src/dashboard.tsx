/** The entry of the pool's dashboard: ties the panel to a model, an element and the person's sight. */

import { render as draw } from "preact";
import { perFrame } from "./frame";
import type { RenderProps } from "./model";
import { Panel } from "./parts/panel";
import { Pool } from "./pool";
import { watchSight } from "./sight";
import type { Command, Sight } from "./wire";

/** The kernel forgets a view that has not renewed its sight for three times as long. */
const RENEW_S = 20;

function render({ model, el }: RenderProps): () => void {
  const controller = new AbortController();
  const { signal } = controller;
  const root = document.createElement("div");
  root.className = "skyward-dashboard";
  // JupyterLab takes keys in the capture phase unless an ancestor says this.
  root.dataset.lmSuppressShortcuts = "true";
  root.addEventListener("keydown", (event) => event.stopPropagation(), { signal });
  el.append(root);
  const send = (command: Command) => {
    try {
      model.send(command);
    } catch {
      pool.refuse("The kernel cannot be reached, so nothing was asked of it.");
    }
  };
  const paint = () => draw(<Panel pool={pool} send={send} />, root);
  const ask = perFrame(paint, signal);
  const pool = new Pool(model, ask, signal);
  paint();
  tellSight(root, model, ask, signal);
  return () => {
    controller.abort();
    draw(null, root);
    root.remove();
  };
}

/** Tell the kernel when this view is seen, and now and then that it still is. */
function tellSight(root: Element, model: RenderProps["model"], paint: () => void, signal: AbortSignal): void {
  const view = crypto.getRandomValues(new Uint32Array(2)).join("-");
  const tell = (visible: boolean) => model.send({ kind: "visible", visible, view } satisfies Sight);
  let seconds = 0;
  const seen = (visible: boolean) => {
    seconds = 0;
    tell(visible);
    paint();
  };
  const second = () => {
    if (model.get("ended") as number) return;
    seconds += 1;
    if (seconds % RENEW_S === 0) tell(true);
    paint();
  };
  watchSight(root, { seen, second }, signal);
}

export default { render };
