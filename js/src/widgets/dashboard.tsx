/** The entry of the pool's dashboard: ties the panel to a model and an element. */

import type { RenderProps } from "../model";
import { mount } from "../mount";
import { Panel } from "../parts/panel";
import { Pool } from "../pool";
import type { Command } from "../wire";

function render(props: RenderProps): () => void {
  return mount(props, "dashboard", ({ model, signal, changed }) => {
    const pool = new Pool(model, changed, signal);
    const send = (command: Command) => {
      try {
        model.send(command);
      } catch {
        pool.refuse("The kernel cannot be reached, so nothing was asked of it.");
      }
    };
    return {
      draw: () => <Panel pool={pool} send={send} />,
      over: () => (model.get("ended") as number) > 0,
    };
  });
}

export default { render };
