/** The lines of a run: only those on screen are in the page, however many there are. */

import type { ComponentChild } from "preact";
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { plural } from "../format";
import type { NodePart } from "./feed";
import { includes, type Line, type LogBook, matcher } from "./logbook";
import { useSearch } from "./search";
import { Tools } from "./tools";

const ROW = 18;
const SHOWN = 16;
const AROUND = 12;

interface LogProps {
  log: LogBook;
  version: number;
  nodes: NodePart[];
}

export function LogView({ log, version, nodes }: LogProps) {
  const [node, setNode] = useState<number>();
  const [following, follow] = useState(true);
  const rows = useRows(log, version, node);
  const scroller = useRef<HTMLDivElement>(null);
  const [top, scrollTo] = useScroll(scroller, rows, following, follow);
  const show = (place: number) => {
    follow(false);
    scrollTo(place);
  };
  const search = useSearch(log, version, rows, show);
  const first = Math.max(0, Math.floor(top / ROW) - AROUND);
  const places = Math.min(SHOWN + 2 * AROUND, rows.length - first);
  const several = nodes.length > 1;
  return (
    <div class="log-view">
      <Tools
        search={search}
        nodes={nodes}
        node={node}
        choose={setNode}
        following={following}
        follow={follow}
      />
      <div
        class="lines"
        ref={scroller}
        role="region"
        aria-label={`Output, ${plural(rows.length, "line")}`}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        tabIndex={0}
        style={{ height: `${Math.min(Math.max(rows.length, 2), SHOWN) * ROW + 8}px` }}
      >
        <div class="all" style={{ height: `${rows.length * ROW}px` }}>
          <div class="window" style={{ transform: `translateY(${first * ROW}px)` }}>
            {Array.from({ length: Math.max(places, 0) }, (_, step) => {
              const number = rows.at(first + step);
              return (
                <Row
                  key={number}
                  line={log.at(number)}
                  labelled={several}
                  query={search.query}
                  current={number === search.current}
                />
              );
            })}
          </div>
        </div>
      </div>
      {log.missing > 0 && <p class="quiet">{plural(log.missing, "line")} came too fast to be kept.</p>}
      {log.first > 0 && <p class="quiet">{plural(log.first, "older line")} not kept.</p>}
    </div>
  );
}

/** The lines that are shown, by their place. */
export interface Rows {
  length: number;
  at(place: number): number;
  /** The place of a line, or of the first one after it. */
  place(number: number): number;
}

function useRows(log: LogBook, version: number, node: number | undefined): Rows {
  return useMemo(() => {
    if (node === undefined) return all(log);
    return some(log.numbers((line) => includes(line.ranks, node)));
  }, [log, version, node]);
}

function all({ first, end }: LogBook): Rows {
  const length = end - first;
  return {
    length,
    at: (place) => first + place,
    place: (number) => Math.min(Math.max(number - first, 0), length),
  };
}

function some(numbers: number[]): Rows {
  const place = (number: number) => {
    let [low, high] = [0, numbers.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((numbers[middle] ?? 0) < number) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return { length: numbers.length, at: (at) => numbers[at] ?? -1, place };
}

/** Where it is scrolled to: the end while following, else the line that was on top stays there. */
function useScroll(
  scroller: { current: HTMLDivElement | null },
  rows: Rows,
  following: boolean,
  follow: (following: boolean) => void,
): [top: number, scrollTo: (place: number) => void] {
  const [top, setTop] = useState(0);
  const anchor = useRef({ number: 0, rest: 0 });
  const state = useRef({ rows, following });
  state.current = { rows, following };
  useLayoutEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    const { number, rest } = anchor.current;
    const wanted = following ? element.scrollHeight : rows.place(number) * ROW + rest;
    if (following || Math.abs(element.scrollTop - wanted) >= ROW) element.scrollTop = wanted;
    if (element.scrollTop !== top) setTop(element.scrollTop);
  });
  useLayoutEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    let before = element.scrollTop;
    const scrolled = () => {
      const { rows: shown, following: wasFollowing } = state.current;
      const now = element.scrollTop;
      const atEnd = element.scrollHeight - now - element.clientHeight < ROW;
      if (wasFollowing && now < before && !atEnd) follow(false);
      else if (!wasFollowing && now > before && atEnd) follow(true);
      before = now;
      anchor.current = { number: shown.at(Math.floor(now / ROW)), rest: now % ROW };
      setTop(now);
    };
    element.addEventListener("scroll", scrolled, { passive: true });
    return () => element.removeEventListener("scroll", scrolled);
  }, [scroller, follow]);
  const scrollTo = (place: number) => {
    const middle = Math.max(0, Math.min(place - SHOWN / 2, rows.length - SHOWN));
    anchor.current = { number: rows.at(middle), rest: 0 };
    setTop(middle * ROW);
  };
  return [top, scrollTo];
}

interface RowProps {
  line: Line | undefined;
  labelled: boolean;
  query: string;
  current: boolean;
}

function Row({ line, labelled, query, current }: RowProps) {
  if (line === undefined) return <div class="line hole">…</div>;
  return (
    <div class={`line${line.wrong ? " wrong" : ""}${current ? " current" : ""}`}>
      {labelled && <span class="who">{line.ranks === "" ? "" : `[${line.ranks}] `}</span>}
      {line.wrong && <span class="stream">err </span>}
      <span>{query === "" ? line.text : marked(line.text, query)}</span>
    </div>
  );
}

function marked(text: string, query: string): ComponentChild[] {
  const parts: ComponentChild[] = [];
  let end = 0;
  for (const match of text.matchAll(matcher(query))) {
    parts.push(text.slice(end, match.index), <mark key={match.index}>{match[0]}</mark>);
    end = match.index + match[0].length;
  }
  return [...parts, text.slice(end)];
}
