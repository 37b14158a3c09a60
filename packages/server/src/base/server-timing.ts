import { STAGES, stageMs, type Timeline } from "./timeline.ts";

/** The value of a `Server-Timing` header (W3C Server Timing): every stage that the request went through, in milliseconds. */
export function serverTiming(timeline: Timeline): string {
  let text = "";
  for (let i = 0; i < STAGES.length; i++) {
    const stage = STAGES[i]!;
    const ms = stageMs(timeline, stage);
    if (ms >= 0) text += `${text === "" ? "" : ", "}${stage};dur=${threeDecimals(ms)}`;
  }
  return text;
}

/** Like `toFixed(3)`, at a tenth of its cost. */
function threeDecimals(ms: number): string {
  const micros = Math.round(ms * 1000);
  const whole = Math.floor(micros / 1000);
  const rest = micros - whole * 1000;
  return `${whole}.${rest < 10 ? "00" : rest < 100 ? "0" : ""}${rest}`;
}
