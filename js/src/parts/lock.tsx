/** A lock: who has it, for how long, and who waits. */

import type { Collection } from "../collection";
import { count, duration } from "../format";
import { Figure } from "./figure";
import { called, People } from "./people";

export function Lock({ collection }: { collection: Collection }) {
  const { body, now } = collection;
  const { holder, token, since, waiters = [], waiting = 0 } = body;
  return (
    <>
      <div class="figures">
        <div class="figure">
          <div class="what">Held by</div>
          <div class="value">{holder ? called(holder) : <span class="quiet">nobody</span>}</div>
        </div>
        {holder && <Figure name="For" value={duration(now - (since ?? now))} />}
        {holder && <Figure name="Token" value={String(token ?? "")} />}
        <Figure name="Waiting" value={count(waiting)} />
      </div>
      {waiting > 0 && (
        <dl class="said">
          <div>
            <dt>Waiting for it</dt>
            <dd>
              <People people={waiters} count={waiting} />
            </dd>
          </div>
        </dl>
      )}
    </>
  );
}
