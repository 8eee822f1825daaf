/** Numbers as a person reads them. */

const counts = new Intl.NumberFormat("en");

export function count(value: number): string {
  return counts.format(Math.round(value));
}

export function plural(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}

export function rate(value: number): string {
  return value >= 10 || value === 0 ? count(value) : value.toFixed(1);
}

/** `mebibytes` with three significant digits at most. */
export function memory(mebibytes: number): string {
  if (mebibytes < 1024) return `${Math.round(mebibytes)} MiB`;
  const gibibytes = mebibytes / 1024;
  return gibibytes < 100 ? `${gibibytes.toFixed(1)} GiB` : `${count(gibibytes)} GiB`;
}

export function percent(value: number): string {
  return `${Math.round(value)}%`;
}

/** `percentOfOneCore` as a number of cores. */
export function cores(percentOfOneCore: number): string {
  return (percentOfOneCore / 100).toFixed(1);
}

export function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [days, hours] = [Math.floor(whole / 86400), Math.floor((whole % 86400) / 3600)];
  const [minutes, rest] = [Math.floor((whole % 3600) / 60), whole % 60];
  if (days > 0) return `${days}d ${hours}h`;
  if (hours > 0) return `${hours}h ${pad(minutes)}m`;
  return minutes > 0 ? `${minutes}m ${pad(rest)}s` : `${rest}s`;
}

/** A length of time with three significant digits, from microseconds on. */
export function span(seconds: number): string {
  if (seconds >= 60) return duration(seconds);
  if (seconds >= 1) return `${significant(seconds)} s`;
  return seconds >= 1e-3
    ? `${significant(seconds * 1e3)} ms`
    : `${Math.round(Math.max(seconds, 0) * 1e6)} µs`;
}

/** A moment (milliseconds) as the reader's clock shows it. */
export function clock(moment: number): string {
  const at = new Date(moment);
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map(pad).join(":");
}

export function money(dollars: number): string {
  return `$${dollars.toFixed(2)}`;
}

export function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

function significant(value: number): string {
  return String(Number(value.toPrecision(3)));
}

function pad(value: number): string {
  return String(value).padStart(2, "0");
}
