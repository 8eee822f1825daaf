/** A queue: how many items wait, which one is next, who waits for one. */

import type { Collection } from "../collection";
import { count } from "../format";
import { Curve } from "./curve";
import { Figure } from "./figure";
import { People } from "./people";

export function Queue({ collection }: { collection: Collection }) {
  const { body, now } = collection;
  const length = body.length ?? 0;
  return (
    <>
      <div class="figures">
        <Figure name="Items" value={count(length)} />
        <Figure name="Waiting for one" value={count(body.taking ?? 0)} />
        <Curve
          points={body.curve ?? []}
          now={now}
          label={`Length in the last minute: now ${count(length)}`}
        />
      </div>
      <dl class="said">
        <div>
          <dt>Next</dt>
          <dd>{next(collection)}</dd>
        </div>
        {(body.taking ?? 0) > 0 && (
          <div>
            <dt>Waiting for an item</dt>
            <dd>
              <People people={body.takers ?? []} count={body.taking ?? 0} />
            </dd>
          </div>
        )}
      </dl>
    </>
  );
}

function next({ body }: Collection) {
  if (!body.front)
    return <span class="quiet">{body.length ? "It is being taken." : "Nothing is in it."}</span>;
  const [text, type, odd] = body.front;
  return (
    <code class={odd ? "odd" : ""} title={type}>
      {text}
    </code>
  );
}
