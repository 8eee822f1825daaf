/** The entry of a run's live view: ties the panel to a model and an element. */

import type { RenderProps } from "../model";
import { mount } from "../mount";
import { widget } from "../place";
import { Feed, type Snapshot } from "../run/feed";
import { Panel } from "../run/panel";

function render(props: RenderProps): () => void {
  return mount(props, "run", (host) => {
    const feed = Feed.of(host);
    return {
      draw: () => <Panel model={host.model} feed={feed} hearing={host.hearing} />,
      over: () => (host.model.get("snapshot") as Snapshot).state !== "running",
    };
  });
}

export default widget(render);
