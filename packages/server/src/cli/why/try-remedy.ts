import type { Remedy } from "../../why/finding.ts";
import { readModelPorts } from "../bench/model-ports.ts";
import { encodeRequest, inputTensors } from "../bench/request-body.ts";
import type { Target } from "../bench/target.ts";
import { startPrivateServer } from "../private/private-server.ts";
import { type Load, runLoad } from "./observe.ts";

/** What a remedy did, side by side with the model as it is: medians of rounds in turn. */
export interface TrialResult {
  readonly before: TrialFigures;
  readonly after: TrialFigures;
  /** Mean latency before by that after: 2 is twice as fast. */
  readonly gain: number;
  readonly helped: boolean;
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

/** Measures a private server with the remedy and the one without, in turn. Throws ServeError when the model does not load so. */
export async function tryRemedy(remedy: Remedy, base: TrialBase): Promise<TrialResult> {
  const { target, load } = base;
  if (remedy.kind === "protocol") {
    const changed: Target = { ...target, protocol: remedy.protocol };
    const { signature, hasSequences } = await readModelPorts(target);
    const body = encodeRequest({ ...changed, hasSequences }, await inputTensors(signature, base.made));
    return compare({ target, load }, { target: changed, load: { ...load, body } });
  }
  const server = await startPrivateServer(base.path, { ...base.flags, ...remedy.flags });
  try {
    return await compare({ target, load }, { target: { ...target, origin: server.origin }, load });
  } finally {
    await server.stop();
  }
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
