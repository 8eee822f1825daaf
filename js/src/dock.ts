/** JupyterLab's side area, of which a notebook has one: a new one takes the place of what a former kernel left there. */

import { listen, type Model } from "./model";

/** What the side area is known by. */
const DOCK = ".jupyterlab-sidecar";
/** The area of each notebook of this page, for all scripts: each view has its own. */
const AREAS = Symbol.for("skyward.areas");

/** What a notebook has its models in, in JupyterLab: it outlives the kernel. */
interface Manager {
  get_model(id: string): Promise<{ close(byKernel: boolean): Promise<void> }>;
  has_model(id: string): boolean;
}

/** Tell the kernel if `root` is in the side area; `failed` is called when it cannot be told. */
export function tellDocked(model: Model, root: Element, signal: AbortSignal, failed: () => void): void {
  if (root.closest(DOCK) === null) return;
  const answered = (content: { kind: string; id: string }) => {
    if (content.kind === "area") void takePlace(model.widget_manager as Manager, content.id);
  };
  listen(model, "msg:custom", answered, signal);
  try {
    model.send({ kind: "docked" });
  } catch {
    failed();
  }
}

/** Close the area that the notebook had before this one; a kernel that is gone cannot. */
async function takePlace(manager: Manager, id: string): Promise<void> {
  const page = globalThis as { [AREAS]?: WeakMap<Manager, string> };
  page[AREAS] ??= new WeakMap();
  const former = page[AREAS].get(manager);
  page[AREAS].set(manager, id);
  if (former === undefined || former === id || !manager.has_model(former)) return;
  await (await manager.get_model(former)).close(true);
}
