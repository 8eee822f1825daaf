/** A barrier: who has come, who has not, and how often it has opened. */

import type { Collection } from "../collection";
import { count } from "../format";
import { Figure } from "./figure";
import { called } from "./people";

/** The most places that are drawn one by one. */
const DRAWN = 64;

export function Barrier({ collection }: { collection: Collection }) {
  const { body } = collection;
  const { parties = 0, came = 0, generation = 0, arrived = [], missing = [] } = body;
  const unknown = Math.max(0, parties - came - missing.length);
  return (
    <>
      <div class="figures">
        <Figure name="Have come" value={count(came)} unit={`of ${count(parties)}`} />
        <Figure name="Opened" value={count(generation)} unit={generation === 1 ? "time" : "times"} />
        <meter class="aside" aria-label="Have come" min={0} max={Math.max(1, parties)} value={came} />
      </div>
      <ul class="places" aria-label="Who has come">
        {arrived.map((person, place) => (
          <li key={`came-${place}`} class="came">
            <span aria-hidden="true">✓</span> {called(person)}
            <span class="aside"> has come</span>
          </li>
        ))}
        {missing.slice(0, DRAWN).map((node) => (
          <li key={`node-${node}`} class="absent">
            <span aria-hidden="true">○</span> node {node}
            <span class="aside"> has not come</span>
          </li>
        ))}
        {unknown > 0 && <li class="absent">{`${count(unknown)} more`} to come</li>}
      </ul>
    </>
  );
}
