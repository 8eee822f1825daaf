/** A counter: where it stands, how fast it goes, and its last minute. */

import type { Collection } from "../collection";
import { Curve, speed } from "./curve";
import { Figure } from "./figure";

const OVER_S = 5;

export function Counter({ collection }: { collection: Collection }) {
  const { body, now, over } = collection;
  const points = body.curve ?? [];
  const value = grouped(body.value ?? "0");
  const rate = over ? 0 : speed(points, now, OVER_S);
  return (
    <div class="figures">
      <Figure name="Value" value={value} />
      {!over && <Figure name="Per second" value={signed(rate)} />}
      <Curve points={points} now={now} label={`Value in the last minute: now ${value}`} />
    </div>
  );
}

/** A whole number of any size. */
function grouped(digits: string): string {
  return digits.replace(/\B(?=(\d{3})+$)/g, ",");
}

function signed(rate: number): string {
  const size = Math.abs(rate);
  const text = size >= 100 ? Math.round(size).toLocaleString("en") : String(Number(size.toFixed(1)));
  return rate < 0 && text !== "0" ? `−${text}` : text;
}
