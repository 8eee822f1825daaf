/** Says that what is shown is only what was seen last, why, and what to do. */

import { clock } from "../format";
import type { Hearing, Standing } from "../hearing";

/** `attach` names what helps when the kernel is gone; empty where nothing does. */
export function Cut({ hearing, attach = "" }: { hearing: Hearing; attach?: string }) {
  const { standing } = hearing;
  return (
    <p class={`cut ${standing}`} role="status" hidden={standing === "live"}>
      {standing !== "live" && said(standing, clock(hearing.last), attach)}
    </p>
  );
}

function said(standing: Standing, at: string, attach: string): string {
  switch (standing) {
    case "gone":
      return `The kernel is gone: this is what was seen last, at ${at}.${attach === "" ? "" : ` ${attach}`}`;
    case "away":
      return `The connection to the kernel is broken: this is what was seen last, at ${at}. It goes on when the connection is back.`;
    case "silent":
      return `The kernel does not answer: this is what was seen last, at ${at}. It goes on when the kernel is heard again.`;
    case "busy":
      return `The kernel is busy and lets nothing else run: this is as of ${at}.`;
    default:
      return "";
  }
}
