import { isReady, startChildServer } from "../child-server.ts";
import { median } from "../median.ts";
import { SCONCE } from "../sconce-command.ts";
import { askWhy, type WhyReport } from "./ask-why.ts";
import type { FileCause, LiveCause } from "./why-cause.ts";
import { askUntil, type ClientFigures, type ClientManner, slowWay } from "./why-clients.ts";

/** A row of the table. */
export interface Judgement {
  readonly cause: string;
  /** `1 of 2`: the cause came first, of two findings. */
  readonly place: string;
  /** How many times as fast with the change; `–`: none was tried. */
  readonly gain: string;
  /** What came first. */
  readonly first: string;
  /** The evidence that was given, and what was found besides. */
  readonly said: string;
}

const HEALTHY = "healthy";
const ROUNDS = 3;
const ROUND_MS = 1000;
const START_MS = 1000;

/** A file that `sconce why` serves itself. */
export async function judgeFile(cause: FileCause, folder: string, window: string): Promise<Judgement> {
  const args = [...(await cause.args(folder)), "--window", window];
  const report = await askWhy(cause.mended === undefined ? [...args, "--try"] : args);
  if (cause.mended === undefined) return toJudgement(cause.id, report);
  const means = { before: [] as number[], after: [] as number[] };
  const mended = [...cause.mended(folder), "--window", window];
  for (let round = 0; round < ROUNDS; round++) {
    means.before.push((await askWhy(args)).evidence.load!.meanMs);
    means.after.push((await askWhy(mended)).evidence.load!.meanMs);
  }
  return toJudgement(cause.id, report, median(means.before) / median(means.after));
}

/** A server of its own, with clients of ours. */
export async function judgeLive(cause: LiveCause, folder: string, window: string): Promise<Judgement> {
  const isUp = async (url: string): Promise<boolean> =>
    (await isReady(url)) || (await fetch(`${url}/v2/health/live`).catch(() => undefined))?.ok === true;
  const args = ["serve", ...cause.serve(folder), "--port=0", "--log-level=error"];
  const isLazy = args.includes("--lazy-loading");
  const server = await startChildServer([...SCONCE, ...args], isLazy ? isUp : isReady);
  try {
    const report = await watched(cause, server, window);
    return toJudgement(cause.id, report, await gainOf(cause, server.url));
  } finally {
    await server.stop();
  }
}

/** What `sconce why` says while clients are about it. */
async function watched(
  { manner, meanwhile, model, whyArgs = [], wayMs, startsLate = false }: LiveCause,
  server: { readonly url: string; readonly pid: number },
  window: string,
): Promise<WhyReport> {
  const ended = new AbortController();
  const way = wayMs === undefined ? undefined : await slowWay(server.url, wayMs);
  const others = [];
  const asked = askWhy([model, "--url", way?.url ?? server.url, "--window", window, ...whyArgs]);
  try {
    // The command is to see the first request, too.
    if (startsLate) await new Promise((resolve) => setTimeout(resolve, START_MS));
    if (manner !== undefined) others.push(askUntil(server.url, manner, ended.signal));
    if (meanwhile !== undefined) others.push(meanwhile(server, ended.signal));
    return await asked;
  } finally {
    ended.abort();
    await Promise.all(others);
    await way?.close();
  }
}

async function gainOf({ manner, mended, gainOf }: LiveCause, url: string): Promise<number | undefined> {
  if (manner === undefined || mended === undefined) return undefined;
  const before: ClientFigures[] = [];
  const after: ClientFigures[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    before.push(await oneRound(url, manner));
    after.push(await oneRound(url, mended));
  }
  if (gainOf === "perSecond")
    return median(after.map(({ perSecond }) => perSecond)) / median(before.map(({ perSecond }) => perSecond));
  return median(before.map(({ meanMs }) => meanMs)) / median(after.map(({ meanMs }) => meanMs));
}

function oneRound(url: string, manner: ClientManner): Promise<ClientFigures> {
  return askUntil(url, manner, AbortSignal.timeout(ROUND_MS));
}

function toJudgement(id: string | undefined, { findings }: WhyReport, measured?: number): Judgement {
  const at = findings.findIndex((finding) => finding.id === id);
  const found = findings[at];
  const tried = found?.tried;
  const gain = measured ?? (typeof tried === "object" ? tried.gain : undefined);
  const all = findings.map(({ id: one, costMs }) => `${one} ${costMs.toFixed(2)} ms`).join(", ");
  const isHealthy = id === undefined && findings.length === 0;
  return {
    cause: id ?? HEALTHY,
    place: isHealthy ? "nothing to change" : at < 0 ? "not found" : `${at + 1} of ${findings.length}`,
    gain: gain === undefined ? (typeof tried === "string" ? tried : "–") : gain.toFixed(2),
    first: findings[0]?.id ?? "–",
    said: `${found?.evidence ?? "no evidence of it"} [${all}]`,
  };
}
