/** Round moments of the reader's clock on an axis. */

export interface Tick {
  /** In seconds since the epoch. */
  moment: number;
  label: string;
}

/** From a second on, clocks do not count in tens. */
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];
const MINUTE = 60;
const DAY = 86400;

/** The seconds between two of at most `most` ticks on `seconds`. */
export function stepOf(seconds: number, most: number): number {
  const least = seconds / most;
  if (least <= 0.5) {
    const size = 10 ** Math.floor(Math.log10(Math.max(least, 1e-6)));
    const found = [1, 2, 5, 10].find((step) => step * size >= least * (1 - 1e-9)) ?? 10;
    return Number((found * size).toPrecision(1));
  }
  return STEPS.find((step) => step >= least) ?? Math.ceil(least / DAY) * DAY;
}

/** The ticks from `start` on. */
export function ticks(start: number, seconds: number, most: number): Tick[] {
  const step = stepOf(seconds, most);
  // Local clocks differ from the epoch's by whole minutes; round is what is round on the reader's.
  const away = -new Date(start * 1000).getTimezoneOffset() * MINUTE;
  const first = Math.ceil((start + away) / step - 1e-6);
  const count = Math.floor((start + away + seconds) / step + 1e-6) - first + 1;
  return Array.from({ length: Math.max(count, 0) }, (_, at) => {
    const moment = (first + at) * step - away;
    return { moment, label: told(moment, step) };
  });
}

/** A moment as the reader's clock shows it, as exactly as a step asks for. */
export function told(moment: number, step: number): string {
  const digits = step < 1 ? Math.min(6, Math.ceil(-Math.log10(step) - 1e-9)) : 0;
  const rounded = Number(moment.toFixed(digits));
  const clock = new Date(Math.floor(rounded + 1e-9) * 1000);
  if (step >= DAY) return clock.toLocaleDateString("en-GB", { day: "numeric", month: "short" });
  const pad = (value: number) => String(value).padStart(2, "0");
  const minutes = `${pad(clock.getHours())}:${pad(clock.getMinutes())}`;
  if (step >= MINUTE) return minutes;
  const rest = digits > 0 ? (rounded - Math.floor(rounded + 1e-9)).toFixed(digits).slice(1) : "";
  return `${minutes}:${pad(clock.getSeconds())}${rest}`;
}
