import { systemClock } from "../../base/clock.ts";
import { ServeError } from "../../base/errors.ts";
import { measure } from "../bench/measure.ts";
import { openSenders } from "../bench/open-senders.ts";
import type { inputTensors, RequestBody } from "../bench/request-body.ts";
import type { BenchProtocol, Target } from "../bench/target.ts";
import { precisionError } from "../private/precision-error.ts";
import { type PrivateServer, startPrivateServer } from "../private/private-server.ts";
import { OPEN_ACCESS } from "../server-access.ts";
import { type Capacity, findCapacity, judged, type LoadedWindow } from "./capacity.ts";
import { keyOf, type Point } from "./search.ts";
import { changedSettings } from "./settings-space.ts";
import type { Goal } from "./slo.ts";
import type { TunedModel } from "./tuned-model.ts";

/** What all measurements have in common. */
export interface RunParts {
  readonly model: TunedModel;
  /** As for `sconce serve`. */
  readonly flags: Readonly<Record<string, string>>;
  readonly goals: readonly Goal[];
  /** Requests per second; undefined: as many as there is room for. */
  readonly rate: number | undefined;
  readonly maxConnections: number;
  readonly windowMs: number;
  readonly protocol: BenchProtocol;
  readonly made: Parameters<typeof inputTensors>[1];
  /** Undefined: precision does not change. */
  readonly maxError: number | undefined;
  random(): number;
}

/** A private server with some settings. */
export interface TrialServer extends PrivateServer {
  readonly target: Target;
}

/** Starts the model with the settings of a point. Throws ServeError when it does not load so. */
export async function startWith({ model, flags, protocol }: RunParts, point: Point): Promise<TrialServer> {
  const settings = { [model.name]: changedSettings(point, model.current) };
  const server = await startPrivateServer(model.path, flags, settings);
  const { origin } = server;
  const target = { origin, model: server.model, version: undefined, protocol, access: OPEN_ACCESS };
  return { ...server, target };
}

const WINDOWS = 3;
const TIMEOUT_MS = 30_000;
/** Requests before a window; they do not count. */
const WARM_UP_SHARE = 0.2;
/** More connections than this wait for nothing: with a rate that is given, these are what requests may take. */
const RATE_CONNECTIONS = 128;
/** A first short window that breaks the goal by so much is the last. */
const HOPELESS = 2;
/** What is below the best by less may still become the best. */
const MARGIN = 0.1;

/** One window at a level: connections, or with a rate, that rate. */
export async function measureAt(
  { rate, goals, windowMs, maxConnections, random }: RunParts,
  { target, body, level }: { readonly target: Target; readonly body: RequestBody; readonly level: number },
): Promise<LoadedWindow> {
  const load =
    rate === undefined
      ? ({ kind: "closed", connections: level } as const)
      : ({ kind: "open", rate, connections: Math.min(maxConnections, RATE_CONNECTIONS) } as const);
  const measured = await measure(load, {
    openSender: openSenders(target, { body, timeoutMs: TIMEOUT_MS, expected: undefined }),
    clock: systemClock,
    random,
    arrival: "poisson",
    warmUpMs: WARM_UP_SHARE * windowMs,
    windowMs: windowMs / WINDOWS,
    // Never so alike that it would end before its time.
    stability: 0,
    durationMs: windowMs,
    maxRequests: Number.MAX_SAFE_INTEGER,
  });
  return judged(measured, goals, { at: level, rate });
}

/** Measures points, each in a server of its own beside the one that runs as it is now. */
export interface SettingsRuns {
  /** A text says why it cannot be served. */
  measure(point: Point, best: Capacity | undefined): Promise<Capacity | string>;
  /** How far answers were off, by precision. */
  readonly errors: ReadonlyMap<string, number>;
  /** Windows of load so far. */
  windows(): number;
}

/** `now`: the server that runs with the current settings; whoever started it stops it. */
export function settingsRuns(parts: RunParts, now: TrialServer, body: RequestBody): SettingsRuns {
  const errors = new Map<string, number>();
  let windows = 0;

  async function tooFar(server: TrialServer, point: Point): Promise<string | undefined> {
    const precision = String(point["precision"]);
    if (parts.maxError === undefined || precision === parts.model.current["precision"]) return undefined;
    const error = errors.get(precision) ?? (await precisionError(now, server, parts.made));
    errors.set(precision, error);
    return error <= parts.maxError ? undefined : offText(precision, error);
  }

  async function carried(server: TrialServer, best: Capacity | undefined): Promise<Capacity> {
    const at = (level: number, part: RunParts = parts): Promise<LoadedWindow> =>
      measureAt(part, { target: server.target, body, level });
    if (parts.rate === undefined) {
      return findCapacity(at, {
        start: best?.level ?? Math.min(FIRST_LEVEL, parts.maxConnections),
        most: parts.maxConnections,
        best: best?.meets === true ? best.perSecond : 0,
        margin: MARGIN,
      });
    }
    const first = await at(parts.rate, { ...parts, windowMs: parts.windowMs / WINDOWS });
    const isStopped = best?.meets === true && first.excess > HOPELESS;
    const window = isStopped ? first : await at(parts.rate);
    return { ...window, broken: undefined, isStopped, windows: isStopped ? 1 : 2 };
  }

  return {
    errors,
    windows: () => windows,
    async measure(point, best) {
      const known = errors.get(String(point["precision"]));
      if (known !== undefined && parts.maxError !== undefined && known > parts.maxError)
        return offText(String(point["precision"]), known);
      const isNow = keyOf(point) === keyOf(parts.model.current);
      const server = isNow ? now : await startWith(parts, point).catch(ServeError.from);
      if (server instanceof ServeError) return server.message;
      try {
        const off = await tooFar(server, point);
        if (off !== undefined) return off;
        const capacity = await carried(server, best);
        windows += capacity.windows;
        return capacity;
      } catch (error) {
        return ServeError.from(error).message;
      } finally {
        if (!isNow) await server.stop();
      }
    },
  };
}

const FIRST_LEVEL = 4;

function offText(precision: string, error: number): string {
  return `answers in ${precision} are off by ${error.toExponential(1)}, more than --max-error`;
}
