import { setTimeout as sleep } from "node:timers/promises";
import { type Addresses, ask } from "./ask.ts";
import type { RecordedCall } from "./recorded-call.ts";

/** What the handler of measured.mar reports, and what is reported of every handler. */
const NAMES =
  /^(?:# (?:HELP|TYPE) )?(?:InferenceRequestCount|RequestBatchSize|SizeOfText\w*|StepTime|TextSize|Share|Letters|Odd|Refused|HandlerTime|PredictionTime)\b/;
const OF_OTHERS = /ModelName="(?!measured")/;
const TIMES = /^(HandlerTime|PredictionTime)/;
const LIMIT_MS = 30_000;

const call = (method: string, path: string, port: RecordedCall["port"], text?: string): RecordedCall => ({
  name: path,
  port,
  method,
  path,
  closeness: "status",
  ...(text !== undefined && { body: Buffer.from(text), headers: { "content-type": "text/plain" } }),
});

/** Registers measured.mar, asks it three texts and reads the metrics port: what it shows of the handler's numbers, in an order of its own, without times and names of hosts. */
export async function measuredMetrics(addresses: Addresses): Promise<readonly string[]> {
  const register = call("POST", "/models?url=measured.mar&initial_workers=1&synchronous=true", "management");
  await ask(register, addresses);
  for (const text of ["abc", "de", "raise"])
    await ask(call("POST", "/predictions/measured", "inference", text), addresses);
  const endMs = performance.now() + LIMIT_MS;
  // TorchServe reads its workers' log for them, in its own time.
  for (;;) {
    const text = await (await fetch(`${addresses.metrics}/metrics`)).text();
    if (/^Refused/m.test(text) && /^PredictionTime/m.test(text)) return linesOf(text);
    if (performance.now() > endMs) throw new Error(`the metrics never came:\n${text}`);
    await sleep(100);
  }
}

function linesOf(text: string): readonly string[] {
  return text
    .split("\n")
    .filter((line) => NAMES.test(line) && !/_created\b/.test(line) && !OF_OTHERS.test(line))
    .map((line) =>
      line
        .replace(/Hostname="[^"]*"/, 'Hostname="…"')
        .replace(/,\}/, "}")
        .replace(/ (\d+)\.0$/, " $1")
        .replace(/le="(\d+)\.0"/, 'le="$1"')
        .replace(TIMES.test(line) ? / [\d.]+$/ : /$^/, " …"),
    )
    .sort();
}
