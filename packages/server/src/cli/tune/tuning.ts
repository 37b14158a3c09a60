import type { Clock } from "../../base/clock.ts";
import { findingsOf } from "../../why/findings.ts";
import { readModelPorts } from "../bench/model-ports.ts";
import type { RequestBody } from "../bench/request-body.ts";
import { observe } from "../why/observe.ts";
import { bindingLimits } from "./binding-limit.ts";
import type { Capacity } from "./capacity.ts";
import { type FinalVerdict, LEAST_ROUNDS, type Round, verdictOf } from "./final-rounds.ts";
import { keyOf, middle, type Point, type SearchResult, type Space, search, type Tried } from "./search.ts";
import {
  measureAt,
  type RunParts,
  type SettingsRuns,
  settingsRuns,
  startWith,
  type TrialServer,
} from "./settings-runs.ts";
import { type SpaceFacts, seedsOf, settingsText } from "./settings-space.ts";
import type { TuneReport } from "./tune-report.ts";

/** What is tuned, and the server that runs it as it is now. */
export interface TuningParts {
  readonly parts: RunParts;
  readonly now: TrialServer;
  readonly body: RequestBody;
  readonly space: Space;
  readonly facts: SpaceFacts;
}

export interface TuningLimits {
  readonly budgetMs: number;
  readonly rounds: number;
  readonly clock: Clock;
  progress(text: string): void;
}

/** The part of the budget that searching may take; the rest is for the last rounds. */
const SEARCH_SHARE = 0.8;
/** So many of the best are put beside the present settings. */
const FINALISTS = 2;

/** Searches, compares the best with the present settings in rounds, and says what limits them. Throws ServeError when the model answers nothing. */
export async function tuned(tuning: TuningParts, limits: TuningLimits): Promise<TuneReport> {
  const { parts, now, body, facts, space } = tuning;
  const { model, goals, rate, maxError } = parts;
  const startMs = limits.clock.nowMs();
  const spentMs = (): number => limits.clock.nowMs() - startMs;
  const runs = settingsRuns(parts, now, body);
  const result = await searched(tuning, runs, {
    ...limits,
    isOver: () => spentMs() >= SEARCH_SHARE * limits.budgetMs,
  });
  const best = result.tried[0]!;
  const isMet = middle(best)?.meets === true;
  const final = isMet
    ? await finals(tuning, result, { ...limits, isOver: () => spentMs() >= limits.budgetMs })
    : undefined;
  const chosen = final?.verdict.isBetter === true ? final.point : isMet ? model.current : best.point;
  limits.progress("looking for what limits it");
  const nextLimits = await limitsOf(
    tuning,
    result.tried.find(({ point }) => keyOf(point) === keyOf(chosen))!,
  );
  return {
    model: model.name,
    goals,
    rate,
    cores: facts.cores,
    current: model.current,
    ...result,
    windows: runs.windows(),
    final,
    chosen,
    isMet,
    errors: Object.fromEntries(maxError === undefined ? [] : runs.errors),
    limits: space.axes.length === 0 ? [] : nextLimits,
    seconds: spentMs() / 1000,
  };
}

interface Pace extends TuningLimits {
  isOver(): boolean;
}

async function searched(
  { parts, space, facts }: TuningParts,
  runs: SettingsRuns,
  { isOver, progress, budgetMs }: Pace,
): Promise<SearchResult<Capacity>> {
  const { current } = parts.model;
  let done = 0;
  let step = "";
  let bestText = "";
  return search(space, {
    current,
    seeds: seedsOf(current, space, facts),
    isOver,
    onStep(next, tried) {
      step = next;
      bestText = tried[0] === undefined ? "" : `; best: ${settingsText(tried[0].point, current)}`;
    },
    async measure(point, best) {
      progress(
        `${step}: run ${++done}, ${settingsText(point, current)}${bestText} (${budgetMs / 1000} s at most)`,
      );
      return runs.measure(point, best);
    },
  });
}

/** The best settings beside the present ones, until one is better; the result of the last. */
async function finals(
  tuning: TuningParts,
  { tried }: SearchResult<Capacity>,
  pace: Pace,
): Promise<{ readonly point: Point; readonly verdict: FinalVerdict } | undefined> {
  const { parts, now } = tuning;
  const { current } = parts.model;
  const isNow = ({ point }: Tried<Capacity>): boolean => keyOf(point) === keyOf(current);
  const level = middle(tried.find(isNow)!)?.level;
  const before = tried.slice(0, tried.findIndex(isNow)).slice(0, FINALISTS);
  let last: { readonly point: Point; readonly verdict: FinalVerdict } | undefined;
  for (const { point, outcomes } of before) {
    if (last !== undefined && pace.isOver()) return last;
    const server = await startWith(parts, point);
    try {
      const sides = {
        now: { server: now, level: level ?? 1 },
        new: { server, level: middle({ point, outcomes, rejected: undefined })!.level },
      };
      pace.progress(`${settingsText(point, current)} and the present settings in turn`);
      const verdict = verdictOf(await rounds(tuning, sides, pace));
      const isFirst = last === undefined;
      if (verdict.isBetter) return { point, verdict };
      if (isFirst) last = { point, verdict };
    } finally {
      await server.stop();
    }
  }
  return last;
}

interface Side {
  readonly server: TrialServer;
  readonly level: number;
}

/** In turn, and each first in every other round, so that what else the machine does falls on both. */
async function rounds(
  { parts, body }: TuningParts,
  sides: Readonly<Record<"now" | "new", Side>>,
  pace: Pace,
): Promise<Round[]> {
  const look = ({ server, level }: Side) => measureAt(parts, { target: server.target, body, level });
  const done: Round[] = [];
  while (done.length < pace.rounds && (done.length < LEAST_ROUNDS || !pace.isOver())) {
    if (done.length % 2 === 0) {
      const first = await look(sides.now);
      done.push({ now: first, new: await look(sides.new) });
    } else {
      const first = await look(sides.new);
      done.push({ now: await look(sides.now), new: first });
    }
  }
  return done;
}

/** Serves the chosen settings once more under their load, and reads what their server says of it. */
async function limitsOf(
  { parts, now, body, space }: TuningParts,
  chosen: Tried<Capacity>,
): Promise<readonly string[]> {
  const capacity = middle(chosen);
  if (capacity === undefined) return [];
  const { rate, maxConnections, windowMs } = parts;
  const known = { axes: space.axes, maxConnections, rate };
  if (rate !== undefined) return bindingLimits({ point: chosen.point, capacity }, { ...known, findings: [] });
  const isNow = keyOf(chosen.point) === keyOf(parts.model.current);
  const server = isNow ? now : await startWith(parts, chosen.point);
  try {
    const { threads } = chosen.point;
    const load = {
      body,
      connections: capacity.level,
      requests: Number.MAX_SAFE_INTEGER,
      forMs: windowMs,
    };
    const evidence = await observe(
      server.target,
      { load, windowMs },
      {
        ports: () => readModelPorts(server.target),
        threads: typeof threads === "number" ? threads : undefined,
      },
    );
    return bindingLimits({ point: chosen.point, capacity }, { ...known, findings: findingsOf(evidence) });
  } finally {
    if (!isNow) await server.stop();
  }
}
