/** Who the pool is and how it is: name, state, provider, size, age. */

import { capital, duration, money, plural } from "../format";
import type { Pool } from "../pool";

interface HeaderProps {
  pool: Pool;
  over: boolean;
  /** What was just asked of the pool, for a moment. */
  said: string;
}

export function Header({ pool, over, said }: HeaderProps) {
  const { pool: name, provider, state, nodes, smallest, largest, per_hour, active } = pool.snapshot;
  const elastic = smallest < largest ? ` of ${smallest}–${largest}` : "";
  return (
    <div class="title">
      <span class="name">{name}</span>
      <span class={`badge ${state}`}>{capital(state)}</span>
      <span class="facts">
        {!over && active === true && (
          <span title="Cells and commands that name no pool mean this one">active pool</span>
        )}
        {!over && active === false && (
          <span title={`%sky use ${name} makes it the active pool`}>not the active pool</span>
        )}
        <span>{provider}</span>
        <span title={elastic && `This pool may have ${smallest} to ${largest} nodes`}>
          {plural(nodes.length, "node")}
        </span>
        <span>
          {over ? "ran" : state === "starting" ? "for" : "up"} <span class="age">{duration(pool.age)}</span>
        </span>
        {(per_hour > 0 || pool.spent > 0) && (
          <span class="cost" title="What the nodes cost per hour, and have cost so far">
            {money(per_hour)}/h, {money(pool.spent)} so far
          </span>
        )}
        {said !== "" && <span class="said">{said}</span>}
      </span>
    </div>
  );
}
