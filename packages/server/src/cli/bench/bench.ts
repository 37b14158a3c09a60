import { systemClock } from "../../base/clock.ts";
import { resolveOptions } from "../../config/resolve-options.ts";
import type { Command } from "../command.ts";
import { requireWritable, writeOutput } from "../output-draft.ts";
import { ACCESS_OPTIONS, serverAccess } from "../server-access.ts";
import { randomNumbers } from "../trial-inputs.ts";
import { usageError } from "../usage-error.ts";
import { benchHtml } from "./bench-html.ts";
import { BENCH_OPTIONS } from "./bench-options.ts";
import { benchText } from "./bench-text.ts";
import { loadBody } from "./load-body.ts";
import { loadLevels, parseShare } from "./load-levels.ts";
import { type Measurement, measure } from "./measure.ts";
import { openSenders } from "./open-senders.ts";
import { readRecorded } from "./recorded-requests.ts";
import { type RequestBody, readJsonFile } from "./request-body.ts";
import { parseTarget, type Target } from "./target.ts";

export const benchCommand: Command = {
  name: "bench",
  usage: "TARGET",
  summary: "Puts load on a model of a running server, by name or URL, and reports throughput and latency.",
  tables: [BENCH_OPTIONS, ACCESS_OPTIONS],
  async run(args, terminal) {
    const options = resolveOptions(BENCH_OPTIONS, { flags: args.flags });
    const access = serverAccess(args, terminal);
    const [text, ...others] = args.positionals;
    if (text === undefined || others.length > 0) {
      throw usageError("expected one TARGET: a model's name, or the URL of its endpoint");
    }
    const target = parseTarget(text, { ...options, access });
    const levels = loadLevels(options);
    if (options.html !== undefined) requireWritable(options.html, "--html");
    const stability = parseShare("--stability", options.stability);
    const expected = expectedAnswer(target, options.expected);
    const recorded = options.requests === undefined ? undefined : recordedBodies(target, options.requests);
    const body = recorded?.[0] ?? (await loadBody(target, options));
    const next = recorded && inTurn(recorded);
    const openSender = openSenders(target, { body, next, timeoutMs: options.timeoutMs, expected });
    const random = randomNumbers(options.seed);
    const measurements: Measurement[] = [];
    for (const [i, level] of levels.entries()) {
      terminal.progress?.(`putting load on ${target.model}, ${i + 1} of ${levels.length}`);
      measurements.push(
        await measure(level, { ...options, openSender, clock: systemClock, random, stability }),
      );
    }
    const sent =
      recorded === undefined
        ? `${target.protocol}, ${body.bytes.length} bytes a request`
        : `${recorded.length} recorded requests in turn`;
    const head = `${target.model} at ${target.origin}, ${sent}`;
    if (options.html !== undefined) await writeOutput(options.html, benchHtml(head, measurements), "--html");
    const { origin, model, protocol } = target;
    const report = { origin, model, protocol, requestBytes: body.bytes.length, measurements };
    terminal.stdout.write(options.json ? `${JSON.stringify(report)}\n` : benchText(head, measurements));
    return measurements.every(({ answered }) => answered > 0) ? 0 : 1;
  },
};

function recordedBodies(target: Target, path: string): readonly RequestBody[] {
  if (target.protocol === "grpc" || target.protocol === "grpc-stream")
    throw usageError("--requests needs REST: recorded requests are sent as they are");
  return readRecorded(path);
}

function inTurn<T>(items: readonly T[]): () => T {
  let at = 0;
  return () => items[at++ % items.length]!;
}

function expectedAnswer(target: Target, path: string | undefined): unknown {
  if (path === undefined) return undefined;
  if (target.protocol === "json" || target.protocol === "predict") return readJsonFile(path);
  throw usageError("--expected needs --protocol json or predict");
}
