/** A choice for every axis, by its name. */
export type Point = Readonly<Record<string, string | number>>;

/** One setting that is searched. */
export interface Axis {
  readonly name: string;
  /** Ascending where `isOrdered`. */
  readonly values: readonly (string | number)[];
  /** Neighbours in the list are alike: steps go to the next value, not to every other. */
  readonly isOrdered: boolean;
}

/** All that may be tried. */
export interface Space {
  readonly axes: readonly Axis[];
  /** The nearest point that the machine and the model allow, with that axis as it is; undefined: there is none. */
  repair(point: Point, kept: string): Point | undefined;
}

/** What came of one measurement of a point. */
export interface RunOutcome {
  /** Whether the goal was kept. */
  readonly meets: boolean;
  /** Higher is better; compared among outcomes that keep the goal. */
  readonly score: number;
  /** How many times its limit the latency took: at most 1 where the goal was kept. */
  readonly excess: number;
}

/** A point, and what every measurement of it gave. */
export interface Tried<O extends RunOutcome = RunOutcome> {
  readonly point: Point;
  readonly outcomes: readonly O[];
  /** Why it is out, in words; undefined: it is not. */
  readonly rejected: string | undefined;
}

export interface SearchParts<O extends RunOutcome> {
  /** As it is now: always measured, first. */
  readonly current: Point;
  /** What a rule proposes to begin with. */
  readonly seeds: readonly Point[];
  /** Measures once. `best`: of what was measured so far; a loser may end early. A text says why the point cannot be served. */
  measure(point: Point, best: O | undefined): Promise<O | string>;
  /** Whether the time for searching is over. */
  isOver(): boolean;
  /** Called with what is going on: `first round`, `threads`. */
  onStep?(step: string, tried: readonly Tried<O>[]): void;
}

export interface SearchResult<O extends RunOutcome> {
  /** Every point that was measured, the best first. */
  readonly tried: readonly Tried<O>[];
  /** Measurements of all points together. */
  readonly runs: number;
  /** The time was over before the search was. */
  readonly isCut: boolean;
  /** Share by which measurements of the same point differed. */
  readonly noise: number;
}

/** Differences below this may be chance on any machine, and those beyond the other end are not put down to it. */
const LEAST_NOISE = 0.02;
const MOST_NOISE = 0.25;
/** So many go on from round to round, each measured again, to the round of the last. */
const LAST = 2;

/**
 * Looks for the best point: rounds in which the better half of the proposals goes on, then steps along one axis at a time from the best, until
 * none helps or the time is over. The current point wins ties.
 */
export async function search<O extends RunOutcome>(
  { axes, repair }: Space,
  { current, seeds, measure, isOver, onStep = () => {} }: SearchParts<O>,
): Promise<SearchResult<O>> {
  const tried = new Map<string, Tried<O>>();
  let runs = 0;
  let isCut = false;
  const ranked = (): Tried<O>[] => rank([...tried.values()], current);
  const best = (): Tried<O> => ranked()[0]!;

  /** False when the time is over. */
  async function run(point: Point): Promise<boolean> {
    if (runs > 0 && isOver()) {
      isCut = true;
      return false;
    }
    const before = tried.get(keyOf(point)) ?? { point, outcomes: [], rejected: undefined };
    const outcome = await measure(point, runs === 0 ? undefined : middle(best()));
    runs += 1;
    const after =
      typeof outcome === "string"
        ? { ...before, rejected: outcome }
        : { ...before, outcomes: [...before.outcomes, outcome] };
    tried.set(keyOf(point), after);
    return true;
  }

  async function rounds(): Promise<void> {
    const points = [...new Map([current, ...seeds].map((point) => [keyOf(point), point])).values()];
    for (let live = points, round = 1; ; round++) {
      onStep(`round ${round} of ${live.length} proposals`, ranked());
      for (const point of live) if (!(await run(point))) return;
      if (live.length <= LAST) return;
      const keys = new Set(live.map(keyOf));
      const left = ranked().filter(({ point, rejected }) => keys.has(keyOf(point)) && rejected === undefined);
      live = left.slice(0, Math.max(LAST, Math.ceil(live.length / 2))).map(({ point }) => point);
    }
  }

  /** One step along an axis; true when it helped. */
  async function step(axis: Axis): Promise<boolean> {
    const from = best();
    for (const value of neighbours(axis, from.point[axis.name]!)) {
      const to = repair({ ...from.point, [axis.name]: value }, axis.name);
      if (to === undefined || tried.has(keyOf(to))) continue;
      if (!(await run(to))) return false;
      const found = tried.get(keyOf(to))!;
      const [was, is] = [middle(from), middle(found)];
      // What looks better once is measured again: the luckiest of many measurements is not the best point.
      if (is === undefined || (was !== undefined && compare(is, was) >= 0)) continue;
      if (!(await run(to))) return false;
      if (keyOf(best().point) === keyOf(to)) return true;
    }
    return false;
  }

  async function climb(): Promise<void> {
    for (let isBetter = true; isBetter && !isCut; ) {
      isBetter = false;
      for (const axis of axes) {
        onStep(axis.name, ranked());
        while (!isCut && (await step(axis))) isBetter = true;
      }
    }
  }

  await rounds();
  if (!isCut) await climb();
  return { tried: ranked(), runs, isCut, noise: noiseOf([...tried.values()]) };
}

/** Values beside one: of an ordered axis the next in both directions, else all others. */
function neighbours({ values, isOrdered }: Axis, value: string | number): readonly (string | number)[] {
  if (!isOrdered) return values.filter((other) => other !== value);
  const at = values.indexOf(value);
  return [values[at + 1], values[at - 1]].filter((other) => other !== undefined);
}

/** The same for equal points. */
export function keyOf(point: Point): string {
  return Object.keys(point)
    .sort()
    .map((name) => `${name}=${point[name]}`)
    .join(" ");
}

/** The best first: what keeps the goal by its score, then what comes closest to it. What cannot be served comes last. */
function rank<O extends RunOutcome>(tried: readonly Tried<O>[], current: Point): Tried<O>[] {
  const isCurrent = (one: Tried<O>): number => (keyOf(one.point) === keyOf(current) ? 0 : 1);
  return [...tried].sort((a, b) => {
    if (a.rejected !== undefined || b.rejected !== undefined)
      return Number(a.rejected !== undefined) - Number(b.rejected !== undefined);
    const order = compare(middle(a), middle(b));
    return order === 0 ? isCurrent(a) - isCurrent(b) : order;
  });
}

/** Below 0: `a` is better. */
export function compare(a: RunOutcome | undefined, b: RunOutcome | undefined): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined);
  if (a.meets !== b.meets) return a.meets ? -1 : 1;
  return a.meets ? b.score - a.score : a.excess - b.excess;
}

/** The median measurement of a point, of an even number the worse of the two; undefined: there is none. */
export function middle<O extends RunOutcome>({ outcomes }: Tried<O>): O | undefined {
  return [...outcomes].sort(compare)[outcomes.length >> 1];
}

/** By how much measurements of the same point differ: the median over the points, within bounds. */
function noiseOf(tried: readonly Tried[]): number {
  const spreads = tried
    .map(({ outcomes }) => outcomes.filter(({ meets }) => meets).map(({ score }) => score))
    .filter((scores) => scores.length > 1)
    .map((scores) => Math.max(...scores) / Math.min(...scores) - 1)
    .sort((a, b) => a - b);
  return Math.min(MOST_NOISE, Math.max(LEAST_NOISE, spreads[spreads.length >> 1] ?? 0));
}
