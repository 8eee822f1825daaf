/** The entry of the pool's dashboard: ties the panel to a model and an element. */

import type { RenderProps } from "../model";
import { mount } from "../mount";
import { Panel } from "../parts/panel";
import { widget } from "../place";
import { Pool } from "../pool";
import type { Command, Drawn } from "../wire";

/** Said instead of how many tasks are known, when none are drawn. */
const FOLDED = -1;

function render(props: RenderProps): () => void {
  return mount(props, "dashboard", (host) => {
    const { model, view, hearing } = host;
    let folded = false;
    const pool = new Pool(host);
    const send = (command: Command | Drawn) => {
      try {
        model.send(command);
      } catch {
        pool.refuse("The kernel cannot be reached, so nothing was asked of it.");
      }
    };
    const over = () => (model.get("ended") as number) > 0;
    // From here on tasks are sent with the numbers, as long as the view is seen.
    const seen = () => {
      if (!over()) send({ kind: "tasks", after: folded ? FOLDED : pool.tasks.next, view });
    };
    const fold = (now: boolean) => {
      folded = now;
      seen();
    };
    return { draw: () => <Panel pool={pool} hearing={hearing} send={send} fold={fold} />, over, seen };
  });
}

export default widget(render);
