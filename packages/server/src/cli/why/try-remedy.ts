import { ServeError } from "../../base/errors.ts";
import type { Remedy } from "../../why/finding.ts";
import { readModelPorts } from "../bench/model-ports.ts";
import { encodeRequest, inputTensors } from "../bench/request-body.ts";
import type { Target } from "../bench/target.ts";
import { precisionError } from "../private/precision-error.ts";
import { startPrivateServer, type TrialSettings } from "../private/private-server.ts";
import { type Load, runLoad } from "./observe.ts";

/** What a remedy did, side by side with the model as it is: medians of rounds in turn. */
export interface TrialResult {
  readonly before: TrialFigures;
  readonly after: TrialFigures;
  /** Mean latency before by that after: 2 is twice as fast. */
  readonly gain: number;
  readonly helped: boolean;
  /** Of another precision: the largest difference of a value by the largest value of its output. */
  readonly error?: number;
}

interface TrialFigures {
  readonly meanMs: number;
  readonly perSecond: number;
}

/** What the remedy starts from. */
export interface TrialBase {
  readonly path: string;
  readonly flags: Readonly<Record<string, string>>;
  readonly target: Target;
  readonly load: Load;
  readonly made: Parameters<typeof inputTensors>[1];
}

const ROUNDS = 3;
/** A smaller gain may be chance. */
const HELPED = 1.05;

/** Measures a private server with the remedy and the one without, in turn. Text: why that could not be done. */
export async function tryRemedy(remedy: Remedy, base: TrialBase): Promise<TrialResult | string> {
  try {
    return remedy.kind === "options" ? await trySettings(remedy.flags, base) : await tryRequest(remedy, base);
  } catch (thrown) {
    if (thrown instanceof ServeError) return `not possible: ${thrown.message}`;
    throw thrown;
  }
}

/** The same server, asked in another way. */
async function tryRequest(
  remedy: Exclude<Remedy, { kind: "options" }>,
  { target, load, made }: TrialBase,
): Promise<TrialResult> {
  const protocol = remedy.kind === "protocol" ? remedy.protocol : target.protocol;
  const outputs = remedy.kind === "outputs" ? remedy.outputs : undefined;
  const changed: Target = { ...target, protocol };
  const { signature, hasSequences } = await readModelPorts(target);
  const body = encodeRequest({ ...changed, hasSequences, outputs }, await inputTensors(signature, made));
  return compare({ target, load }, { target: changed, load: { ...load, body } });
}

/** Another server, with settings that come before those of the model's own files. */
async function trySettings(
  flags: Readonly<Record<string, string>>,
  { path, flags: given, target, load, made }: TrialBase,
): Promise<TrialResult> {
  const server = await startPrivateServer(path, { ...given, ...flags }, settingsOf(target.model, flags));
  try {
    const changed = { ...target, origin: server.origin };
    const result = await compare({ target, load }, { target: changed, load });
    return "--precision" in flags
      ? { ...result, error: await precisionError(target, changed, made) }
      : result;
  } finally {
    await server.stop();
  }
}

/** Flags as keys of model.yaml: `--pad-buckets 5,10` is `pad_buckets: [5, 10]`. */
function settingsOf(model: string, flags: Readonly<Record<string, string>>): TrialSettings {
  const entries = Object.entries(flags).map(([flag, text]) => {
    const key = flag.slice(2).replaceAll("-", "_");
    return [key, text.includes(",") ? text.split(",").map(scalar) : scalar(text)] as const;
  });
  return { [model]: Object.fromEntries(entries) };
}

function scalar(text: string): string | number | boolean {
  if (text === "true" || text === "false") return text === "true";
  return /^\d+$/.test(text) ? Number(text) : text;
}

interface Side {
  readonly target: Target;
  readonly load: Load;
}

async function compare(before: Side, after: Side): Promise<TrialResult> {
  const rounds: { readonly before: TrialFigures; readonly after: TrialFigures }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    rounds.push({ before: await figures(before), after: await figures(after) });
  }
  const was = medians(rounds.map((round) => round.before));
  const is = medians(rounds.map((round) => round.after));
  const gain = is.meanMs > 0 ? was.meanMs / is.meanMs : 0;
  return { before: was, after: is, gain, helped: gain >= HELPED };
}

async function figures({ target, load }: Side): Promise<TrialFigures> {
  const { latencyMs, perSecond } = await runLoad(target, load);
  return { meanMs: latencyMs.mean, perSecond };
}

function medians(rounds: readonly TrialFigures[]): TrialFigures {
  const middle = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
  return {
    meanMs: middle(rounds.map(({ meanMs }) => meanMs)),
    perSecond: middle(rounds.map(({ perSecond }) => perSecond)),
  };
}
