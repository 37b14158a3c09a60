import type { TensorSpec } from "../../base/signature.ts";
import type { NamedTensor } from "../../base/tensor.ts";
import { readSound } from "./audio/read-sound.ts";
import { resample } from "./audio/resample.ts";
import { countParameter, wordParameter } from "./parameters.ts";
import { bad } from "./read-request.ts";
import {
  floatsOf,
  outputPlace,
  readConfig,
  readLabels,
  SCORE_FUNCTIONS,
  scoresOf,
  topScores,
} from "./scores.ts";
import { type SideFiles, unfit } from "./side-files.ts";
import type { TaskContext, TaskInput, TaskProcessor } from "./task-processor.ts";

const FILE = "preprocessor_config.json";
const EXTRACTOR = "Wav2Vec2FeatureExtractor";

/** A sound's classes with their scores, best first. */
export function makeAudioClassification(context: TaskContext): TaskProcessor {
  const read = createSoundReader(context.files, context.inputs);
  const place = outputPlace(context, ["logits"]);
  const { names } = readLabels(readConfig(context.files), undefined);
  return {
    takes: "bytes",
    parameters: ["top_k", "function_to_apply"],
    async prepare(input, parameters) {
      countParameter(parameters, "top_k");
      wordParameter(parameters, "function_to_apply", SCORE_FUNCTIONS);
      return { runs: [await read(input)] };
    },
    finish([outputs], { parameters }) {
      const kind = wordParameter(parameters, "function_to_apply", SCORE_FUNCTIONS) ?? "softmax";
      const scores = scoresOf(floatsOf(outputs![place]!), kind);
      const best = topScores(scores, countParameter(parameters, "top_k") ?? scores.length);
      return best.map((id) => ({ score: scores[id]!, label: names[id] ?? `LABEL_${id}` }));
    },
  };
}

/** Finds out how sounds become the model's inputs. Throws `failed_precondition`. */
function createSoundReader(
  files: SideFiles,
  inputs: readonly TensorSpec[],
): (input: TaskInput) => Promise<readonly NamedTensor[]> {
  const config = files.needJson(FILE, "how sounds are sampled and normalised");
  const { feature_extractor_type: type, sampling_rate: rate, do_normalize: normalizes = true } = config;
  if (type !== EXTRACTOR)
    throw unfit(
      `${FILE}: feature_extractor_type ${JSON.stringify(type ?? null)} is not known; there is ${EXTRACTOR}`,
    );
  if (typeof rate !== "number" || !Number.isInteger(rate) || rate < 1000 || rate > 192_000)
    throw unfit(`${FILE}: sampling_rate is no whole number from 1000 to 192000`);
  const values =
    inputs.find(({ name }) => name === "input_values") ?? (inputs.length === 1 ? inputs[0] : undefined);
  const mask = inputs.find(({ name }) => name === "attention_mask");
  const surplus = inputs.find((spec) => spec !== values && spec !== mask);
  if (values === undefined || values.dims.length !== 2 || values.datatype !== "FP32" || surplus !== undefined)
    throw unfit(
      "the model takes no sound: expected an input input_values, FP32 [batch, samples], and perhaps attention_mask; name them in model.yaml (rename)",
    );
  return async (input) => {
    if (input.kind !== "bytes")
      throw bad("input", "expected a WAV, FLAC or MP3 file: its bytes, or a text of base64");
    const samples = resample(await readSound(input.bytes), rate);
    const tensors = [floats(values.name, normalizes === true ? normalized(samples) : samples)];
    if (mask !== undefined) tensors.push(ones(mask, samples.length));
    return tensors;
  };
}

/** Mean 0 and variance 1. */
function normalized(samples: Float32Array): Float32Array {
  let sum = 0;
  for (const sample of samples) sum += sample;
  const mean = sum / samples.length;
  let squares = 0;
  for (const sample of samples) squares += (sample - mean) ** 2;
  const deviation = Math.sqrt(squares / samples.length + 1e-7);
  return samples.map((sample) => (sample - mean) / deviation);
}

function floats(name: string, values: Float32Array): NamedTensor {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return { name, datatype: "FP32", shape: [1, values.length], bytes };
}

/** All of it is sound. */
function ones({ name, datatype }: TensorSpec, length: number): NamedTensor {
  const values = datatype === "INT32" ? new Int32Array(length).fill(1) : new BigInt64Array(length).fill(1n);
  return { name, datatype, shape: [1, length], bytes: new Uint8Array(values.buffer) };
}
