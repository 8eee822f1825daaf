/** The entry of the view of a collection: ties its card to a model and an element. */

import { Collection } from "../collection";
import type { RenderProps } from "../model";
import { mount } from "../mount";
import { Card } from "../parts/card";
import { widget } from "../place";

function render(props: RenderProps): () => void {
  return mount(props, "collection", (host) => {
    const collection = new Collection(host);
    return {
      draw: () => <Card collection={collection} hearing={host.hearing} />,
      over: () => collection.over,
      seen: () => collection.send(),
    };
  });
}

export default widget(render);
