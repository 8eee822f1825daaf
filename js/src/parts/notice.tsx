/** What is said to the person: the pool's refusals, its note, and for a screen reader its state. */

import { capital, count, plural } from "../format";
import type { Pool } from "../pool";

export function Refusal({ pool }: { pool: Pool }) {
  return (
    <div role="alert" class="refusal" hidden={pool.refusal === ""}>
      <span>{capital(pool.refusal)}</span>
      {pool.refusal !== "" && (
        <button type="button" aria-label="Dismiss" onClick={() => pool.refuse("")}>
          ×
        </button>
      )}
    </div>
  );
}

export function Note({ note }: { note: string }) {
  return note === "" ? null : <p class="note">{capital(note)}</p>;
}

/** Changes only with the slow state, so that a screen reader is not flooded by live numbers. */
export function Spoken({ pool, said }: { pool: Pool; said: string }) {
  const { pool: name, state, nodes, note } = pool.snapshot;
  const lost = nodes.filter((node) => node.state === "lost").length;
  const parts = [`Pool ${name} is ${state} with ${plural(nodes.length, "node")}`];
  if (lost > 0) parts.push(`${count(lost)} lost`);
  if (note !== "") parts.push(note);
  if (said !== "") parts.push(said);
  return (
    <p class="aside" role="status" aria-live="polite">
      {parts.join(". ")}
    </p>
  );
}
