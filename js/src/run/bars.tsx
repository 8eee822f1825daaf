/** Progress bars: one for all nodes that draw the same, which opens to a row for each of them. */

import { percent } from "../format";
import type { Bar, BarPart } from "./feed";

export function Bars({ bars, texts }: { bars: Bar[]; texts: string[] }) {
  if (bars.length === 0 && texts.length === 0) return null;
  return (
    <div class="bars">
      {bars.map((bar) => (
        <One key={bar.key} bar={bar} />
      ))}
      {texts.length > 0 && <pre class="texts">{texts.join("\n")}</pre>}
    </div>
  );
}

function One({ bar }: { bar: Bar }) {
  const head = <Head bar={bar} />;
  if (bar.nodes.length < 2) return <div class={`bar-group ${bar.state}`}>{head}</div>;
  return (
    <details class={`bar-group ${bar.state}`}>
      <summary>{head}</summary>
      <ul class="bar-nodes" aria-label={`${bar.label || "Progress"} by node`}>
        {bar.nodes.map((part) => (
          <Part key={part[0]} part={part} of={bar.label} />
        ))}
      </ul>
    </details>
  );
}

function Head({ bar }: { bar: Bar }) {
  return (
    <span class="bar-head">
      <span class="bar-name">
        <span class="who">[{bar.ranks}]</span> {bar.label}
      </span>
      <Track share={bar.share} name={`${bar.label || "Progress"} of nodes ${bar.ranks}`} />
      <span class="bar-share">{bar.share === null ? "" : percent(Math.floor(bar.share * 100))}</span>
      <span class="bar-facts">
        {[bar.count, bar.left === "" ? bar.elapsed : `${bar.elapsed}, ${bar.left} left`, bar.rate, bar.note]
          .filter((fact) => fact !== "")
          .map((fact) => (
            <span key={fact}>{fact}</span>
          ))}
        {bar.slowest !== null && <Extreme word="slowest" extreme={bar.slowest} />}
        {bar.fastest !== null && <Extreme word="fastest" extreme={bar.fastest} />}
        {bar.endings !== "" && <b class="ending">{bar.endings}</b>}
      </span>
    </span>
  );
}

function Extreme({ word, extreme: [rank, rate] }: { word: string; extreme: [number, string] }) {
  return (
    <span>
      {word} <span class="who">[{rank}]</span> {rate}
    </span>
  );
}

function Part({ part: [rank, label, state, share, count, rate], of }: { part: BarPart; of: string }) {
  const ended = state === "failed" ? "failed" : state === "stopped" ? "unfinished" : "";
  return (
    <li class={state}>
      <span class="who">[{rank}]</span>
      <Track share={share} name={`Progress of node ${rank}`} />
      <span class="bar-share">{share === null ? "" : percent(Math.floor(share * 100))}</span>
      <span class="bar-facts">
        {label !== of && <span>{label}</span>}
        <span>{count}</span>
        {rate !== "" && <span>{rate}</span>}
        {ended !== "" && <b class="ending">{ended}</b>}
      </span>
    </li>
  );
}

/** How far it is; where nobody knows how far it goes there is nothing to draw. */
function Track({ share, name }: { share: number | null; name: string }) {
  if (share === null) return <span class="track none" />;
  return (
    <span
      class="track"
      role="progressbar"
      aria-label={name}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.floor(share * 100)}
    >
      <i style={{ transform: `scaleX(${share.toFixed(3)})` }} />
    </span>
  );
}
