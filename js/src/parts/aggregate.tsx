/** More nodes than anybody reads one by one: a row per state. */

import { capital, cores, count, memory } from "../format";
import { type Cell, total } from "../pool";
import { STATES } from "../wire";
import { Glyph } from "./glyph";

export function Aggregate({ cells }: { cells: Cell[] }) {
  return (
    <table class="aggregate" aria-label="Nodes by state">
      <thead>
        <tr>
          {["State", "Nodes", "Running", "Done", "CPU, cores", "Memory"].map((name) => (
            <th key={name} scope="col">
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {STATES.map((state) => {
          const group = cells.filter((cell) => cell.state === state);
          return (
            <tr key={state}>
              <th scope="row">
                <Glyph state={state} />
                {capital(state)}
              </th>
              <td>{count(group.length)}</td>
              <td>{count(total(group, "running"))}</td>
              <td>{count(total(group, "done"))}</td>
              <td>{cores(total(group, "cpu"))}</td>
              <td>{memory(total(group, "memory"))}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
