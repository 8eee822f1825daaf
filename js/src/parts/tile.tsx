/** One node. Its last line opens its address, process and boot log. */

import { Component } from "preact";
import { count, memory, percent } from "../format";
import type { Cell } from "../pool";
import type { Gpu } from "../wire";
import { Glyph } from "./glyph";

interface TileProps {
  cell: Cell;
  over: boolean;
  /** For how long it has been at its phase, where that tells something. */
  time: string;
  log: string[];
  gpus: Gpu[] | undefined;
}

export class Tile extends Component<TileProps, { open: boolean }> {
  override state = { open: false };

  /** A hundred nodes change ten times a second, few of them each time. */
  override shouldComponentUpdate(next: TileProps, state: { open: boolean }): boolean {
    if (state.open !== this.state.open || next.over !== this.props.over) return true;
    if (next.time !== this.props.time) return true;
    if (state.open && (next.log !== this.props.log || next.gpus !== this.props.gpus)) return true;
    const [before, after] = [this.props.cell, next.cell];
    return (Object.keys(after) as (keyof Cell)[]).some((key) => before[key] !== after[key]);
  }

  override render({ cell, over, time, log, gpus }: TileProps, { open }: { open: boolean }) {
    const live = cell.known && !over && cell.state !== "lost";
    // What a node was doing when its pool ended says nothing any more; that it was lost does.
    const ended = over && cell.state !== "lost";
    // A node that is not ready does something that is worth the place of its numbers.
    const busy = !ended && (cell.state === "waiting" || cell.state === "lost" || !cell.reachable);
    const phase = (!ended && !busy && cell.phase) || "details";
    return (
      <div
        role="row"
        class={`tile ${ended ? "ended" : cell.state}${busy ? " telling" : ""}${open ? " open" : ""}`}
      >
        <span role="rowheader" class="rank">
          <span class="aside">Node </span>
          {cell.rank}
          {busy && cell.address !== "" && <span class="where">{cell.address}</span>}
        </span>
        <span role="cell" class="state">
          {!ended && <Glyph state={cell.state} />}
          {ended ? "ended" : cell.state}
        </span>
        {busy ? <Doing cell={cell} time={time} /> : <Usage cell={cell} live={live} />}
        <div role="cell" class="more">
          <details open={open} onToggle={(event) => this.setState({ open: event.currentTarget.open })}>
            <summary title={`${phase}: address, process and boot log`}>
              <span class="aside">Node {cell.rank}: </span>
              <span class="phase">{phase}</span>
            </summary>
            {open && <Details cell={cell} log={log} gpus={gpus ?? []} />}
          </details>
        </div>
      </div>
    );
  }
}

function Usage({ cell, live }: { cell: Cell; live: boolean }) {
  return (
    <>
      <Load cell={cell} shown={live} />
      <span role="cell" class="memory">
        {live && cell.memory > 0 ? memory(cell.memory) : "–"}
      </span>
      <span role="cell" class="tasks">
        <span>
          {count(cell.done)} done
          {cell.failed > 0 && `, ${count(cell.failed)} failed`}
          {cell.cancelled > 0 && `, ${count(cell.cancelled)} cancelled`}
        </span>
        {live && cell.running > 0 && <b>{count(cell.running)} running</b>}
      </span>
    </>
  );
}

/** What a node does that is not ready, for how long, and the last line that came of it. */
function Doing({ cell, time }: { cell: Cell; time: string }) {
  return (
    <span role="cell" class="doing" aria-colspan={3} title={cell.said || cell.phase}>
      <span class="now">
        <span class="what-now">{cell.phase}</span>
        {time !== "" && <span class="time">{time}</span>}
      </span>
      {cell.said !== "" && <code class="last">{cell.said}</code>}
    </span>
  );
}

/** CPU as a share of what the node's slots can use; the number is the truth where it uses more. */
function Load({ cell, shown }: { cell: Cell; shown: boolean }) {
  const share = shown ? Math.min(cell.cpu / Math.max(cell.slots, 1), 100) : 0;
  return (
    <span role="cell" class="load">
      <span class="bar" aria-hidden="true">
        <i style={{ transform: `scaleX(${(share / 100).toFixed(3)})` }} />
      </span>
      <span class="cpu">
        <span class="aside">CPU </span>
        {shown ? percent(cell.cpu) : "–"}
      </span>
    </span>
  );
}

/** What a GPU does, as far as its driver says. */
function said({ busy, memory: used, total }: Gpu): string {
  const parts = [
    busy !== null && `${percent(busy)} busy`,
    used !== null && (total !== null ? `${memory(used)} of ${memory(total)}` : memory(used)),
  ];
  return parts.filter(Boolean).join(", ") || "–";
}

function Details({ cell, log, gpus }: { cell: Cell; log: string[]; gpus: Gpu[] }) {
  const facts = [
    ["Address", cell.address || "–"],
    ["Process", cell.pid > 0 ? String(cell.pid) : "–"],
    ["Slots", `${count(cell.busy)} of ${count(cell.slots)} busy`],
    ...gpus.map((gpu) => [`GPU ${gpu.index}`, said(gpu)]),
  ];
  return (
    <div class="details">
      <dl>
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <pre class="log" role="region" tabIndex={0} aria-label={`Boot log of node ${cell.rank}`}>
        {log.length > 0 ? log.join("\n") : "The boot log is empty."}
      </pre>
    </div>
  );
}
