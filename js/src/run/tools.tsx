/** What a person can do with the log: search it, see one node's lines, follow its end. */

import { count } from "../format";
import type { NodePart } from "./feed";
import type { Search } from "./search";

/** So many nodes can be chosen from; of more, search finds the lines. */
const LISTED = 1024;

interface ToolsProps {
  search: Search;
  nodes: NodePart[];
  node: number | undefined;
  choose: (node: number | undefined) => void;
  following: boolean;
  follow: (following: boolean) => void;
}

export function Tools({ search, nodes, node, choose, following, follow }: ToolsProps) {
  return (
    <div class="tools">
      <search class="finder">
        <input
          type="search"
          placeholder="Search"
          aria-label="Search the output"
          value={search.query}
          onInput={(event) => search.ask(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter") search.go(event.shiftKey ? -1 : 1);
            else if (event.key === "Escape") search.ask("");
          }}
        />
        <Step label="Previous match" sign="↑" by={-1} search={search} />
        <Step label="Next match" sign="↓" by={1} search={search} />
        <span class="quiet found" role="status">
          {search.query !== "" && told(search)}
        </span>
      </search>
      {nodes.length > 1 && <Chooser nodes={nodes} node={node} choose={choose} />}
      <button
        type="button"
        aria-pressed={following}
        title="Keep the end in sight while lines come"
        onClick={() => follow(!following)}
      >
        {following ? "Following" : "Paused"}
      </button>
    </div>
  );
}

function Step({ label, sign, by, search }: { label: string; sign: string; by: 1 | -1; search: Search }) {
  return (
    <button
      type="button"
      class="step"
      aria-label={label}
      disabled={search.matches === 0}
      onClick={() => search.go(by)}
    >
      {sign}
    </button>
  );
}

function told({ matches, place }: Search): string {
  if (matches === 0) return "no match";
  return place > 0
    ? `${count(place)} of ${count(matches)}`
    : `${count(matches)} ${matches === 1 ? "line" : "lines"}`;
}

function Chooser({ nodes, node, choose }: Pick<ToolsProps, "nodes" | "node" | "choose">) {
  return (
    <select
      aria-label="Lines of"
      value={node === undefined ? "" : String(node)}
      onChange={(event) => {
        const { value } = event.currentTarget;
        choose(value === "" ? undefined : Number(value));
      }}
    >
      <option value="">All nodes</option>
      {nodes.slice(0, LISTED).map(([rank]) => (
        <option key={rank} value={String(rank)}>
          Node {rank}
        </option>
      ))}
    </select>
  );
}
