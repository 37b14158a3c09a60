import { closeSync, fstatSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { ServeError } from "../base/errors.ts";
import { onFile } from "../base/file-fault.ts";
import type { InitialState, KeptState } from "../base/kept-state.ts";
import { openBelow } from "../base/open-below.ts";
import type { Signature, StatePair } from "../base/signature.ts";
import type { ModelConfig } from "../config/model-options.ts";
import { type ControlPlan, compileControls } from "../infer/sequences/sequence-controls.ts";
import { compileStatePlan, type StatePlan } from "../infer/sequences/state-plan.ts";
import type { ModelCandidate } from "../models/model-candidate.ts";

const MAX_FILE_BYTES = 64 * 1024 * 1024;
const ZEROS = /^\s*zeros\s*\[([^[\]]{0,400})\]\s*$/;
const SIZE = /^(?:\d{1,15}|[A-Za-z_][A-Za-z0-9_.]{0,63})$/;
/** Triton has such files in a folder of their own. */
const FILE_NAME = /^(?:initial_state\/)?[A-Za-z0-9_][A-Za-z0-9._-]{0,254}$/;

export interface ModelState {
  readonly plan: StatePlan;
  readonly controls: ControlPlan | undefined;
  /** What the plan was made of. */
  readonly kept: KeptState;
}

/**
 * What a model keeps between the requests of a sequence: what its program does by itself, and what its settings name. Undefined: nothing.
 * Throws `invalid_argument`/`invalid_config` when that does not fit the model, and what reading a file throws.
 */
export function modelState(
  config: ModelConfig,
  candidate: ModelCandidate,
  signature: Signature,
): ModelState | undefined {
  const stated = Object.entries(config.state ?? {}).map(([input, output]): StatePair => ({ input, output }));
  const own = (signature.state ?? []).filter((pair) => stated.every(({ input }) => input !== pair.input));
  const pairs = [...own, ...stated];
  const asked = candidate.settings?.controls ?? [];
  if (pairs.length === 0 && asked.length === 0) {
    if (config.initialState !== undefined) throw invalid("initial_state needs 'state' beside it");
    return undefined;
  }
  if (config.padSymbol !== undefined)
    throw invalid(
      "pad_symbol and state exclude each other: what padding adds would become part of the state",
    );
  const initial = new Map(
    Object.entries(config.initialState ?? {}).map(([name, text]) => {
      return [name, initialOf(name, text, candidate)] as const;
    }),
  );
  const controls = asked.length === 0 ? undefined : compileControls(signature, asked);
  const plan = compileStatePlan(controls?.others ?? signature, pairs, initial);
  return { plan, controls, kept: { pairs, initial, controls: asked } };
}

function initialOf(name: string, text: string, candidate: ModelCandidate): InitialState {
  const sizes = ZEROS.exec(text)?.[1];
  if (sizes !== undefined) {
    const dims = sizes.trim() === "" ? [] : sizes.split(",").map((size) => size.trim());
    if (dims.every((size) => SIZE.test(size)))
      return { dims: dims.map((size) => (/^\d/.test(size) ? Number(size) : size)) };
  }
  if (!FILE_NAME.test(text))
    throw invalid(
      `initial_state of "${name.slice(0, 64)}": expected zeros[2, 1, 128] or the name of a file beside model.yaml, got ${JSON.stringify(text.slice(0, 80))}`,
    );
  const { root, configFile, foreignFile, file } = candidate;
  return { bytes: readInitial(root, join(dirname(configFile ?? foreignFile ?? file), text)) };
}

function readInitial(root: string, path: string): Uint8Array {
  const { fd } = openBelow(root, path);
  try {
    if (onFile(path, () => fstatSync(fd)).size > MAX_FILE_BYTES)
      throw invalid(`${basename(path)} has more than ${MAX_FILE_BYTES} bytes`);
    return new Uint8Array(onFile(path, () => readFileSync(fd)));
  } finally {
    closeSync(fd);
  }
}

function invalid(message: string): ServeError {
  return new ServeError("invalid_argument", message, { reason: "invalid_config" });
}
