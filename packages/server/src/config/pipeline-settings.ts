import { ServeError } from "../base/errors.ts";
import { nearestWord } from "../base/nearest-word.ts";
import type { Pipeline, PipelineStep } from "../base/pipeline.ts";
import type { YamlFile } from "./yaml-file.ts";

/** The key of model.yaml that makes a folder without a model file a pipeline. */
export const PIPELINE_KEY = "pipeline";
/** What a model.yaml may say beside it: everything else is the steps' own business. */
const BESIDE: readonly string[] = [
  PIPELINE_KEY,
  "version_policy",
  "labels",
  "max_batch_size",
  "batching",
  "task",
  "task_workers",
];

const MAX_STEPS = 64;
const MAX_TENSORS = 256;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const MAX_TENSOR_NAME = 256;

type Mapping = Readonly<Record<string, unknown>>;

/** The names of the models of a pipeline's steps, as far as they can be read; none for settings of any other model. */
export function pipelineModels(file: YamlFile | undefined): readonly string[] {
  const steps = asMapping(file?.values[PIPELINE_KEY])?.["steps"];
  if (!Array.isArray(steps)) return [];
  return steps.slice(0, MAX_STEPS).flatMap((step) => {
    const model = asMapping(step)?.["model"];
    return typeof model === "string" ? [model] : [];
  });
}

/** Reads `pipeline` of a model.yaml. Throws `invalid_argument`/`bad_config_file` that names the step and the key. */
export function readPipeline(file: YamlFile): Pipeline {
  const reader = new Reader(file.name);
  const stray = Object.keys(file.values).find((key) => !BESIDE.includes(key));
  if (stray !== undefined)
    throw reader.fail(
      `${JSON.stringify(stray.slice(0, 80))} has no effect on a pipeline, which runs nothing itself: set it for the models of its steps`,
    );
  const pipeline = reader.mapping(file.values[PIPELINE_KEY], PIPELINE_KEY);
  reader.only(pipeline, ["steps", "inputs", "outputs"], PIPELINE_KEY);
  const { steps } = pipeline;
  if (!Array.isArray(steps) || steps.length === 0)
    throw reader.fail("pipeline.steps: expected a list of steps, such as - model: NAME");
  if (steps.length > MAX_STEPS)
    throw reader.fail(`pipeline.steps: ${steps.length} steps, and ${MAX_STEPS} are allowed`);
  const names = new Set<string>();
  return {
    steps: steps.map((step: unknown, i) => readStep(reader, step, { place: `step ${i + 1}`, names })),
    inputs: reader.tensorList(pipeline["inputs"], "pipeline.inputs"),
    outputs: reader.tensorList(pipeline["outputs"], "pipeline.outputs"),
  };
}

function readStep(
  reader: Reader,
  value: unknown,
  { place, names }: { readonly place: string; readonly names: Set<string> },
): PipelineStep {
  const step = reader.mapping(value, place);
  reader.only(step, ["model", "version", "name", "inputs", "outputs"], place);
  const { model, version, name } = step;
  if (typeof model !== "string" || !NAME.test(model))
    throw reader.fail(`${place}: model: expected the name of a model`);
  if (name !== undefined && (typeof name !== "string" || !NAME.test(name)))
    throw reader.fail(`${place}: name: expected letters, digits, '.', '_' and '-'`);
  const own = name ?? freeName(model, names);
  if (names.has(own)) throw reader.fail(`${place}: two steps are called ${own}: give one another name`);
  names.add(own);
  return {
    name: own,
    model,
    version: readVersion(reader, version, place),
    inputs: reader.tensorMap(step["inputs"], `${place} (${own}): inputs`),
    outputs: reader.tensorMap(step["outputs"], `${place} (${own}): outputs`),
  };
}

/** The model's name, with a number from the second step on that has this model. */
function freeName(model: string, names: ReadonlySet<string>): string {
  if (!names.has(model)) return model;
  let number = 2;
  while (names.has(`${model}-${number}`)) number++;
  return `${model}-${number}`;
}

function readVersion(reader: Reader, version: unknown, place: string): string | undefined {
  if (version === undefined || version === null) return undefined;
  const text = String(version);
  if (!/^[1-9][0-9]{0,17}$/.test(text))
    throw reader.fail(`${place}: version: expected a whole number from 1 on`);
  return text;
}

class Reader {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  fail(why: string): ServeError {
    return new ServeError("invalid_argument", `${this.#file}: ${why}`, { reason: "bad_config_file" });
  }

  mapping(value: unknown, where: string): Mapping {
    const mapping = asMapping(value);
    if (mapping === undefined) throw this.fail(`${where}: expected keys and values`);
    return mapping;
  }

  only(mapping: Mapping, known: readonly string[], where: string): void {
    const stray = Object.keys(mapping)
      .find((key) => !known.includes(key))
      ?.slice(0, 80);
    if (stray === undefined) return;
    const near = nearestWord(stray, known);
    const hint = near === undefined ? `known are ${known.join(", ")}` : `did you mean ${near}?`;
    throw this.fail(`${where}: unknown key ${JSON.stringify(stray)}; ${hint}`);
  }

  /** Undefined where nothing is said. */
  tensorList(value: unknown, where: string): readonly string[] | undefined {
    if (value === undefined || value === null) return undefined;
    if (!Array.isArray(value) || value.length === 0 || value.length > MAX_TENSORS)
      throw this.fail(`${where}: expected a list of 1 to ${MAX_TENSORS} names of tensors`);
    const names = value.map((name: unknown) => this.#tensor(name, where));
    const twice = names.find((name, i) => names.indexOf(name) < i);
    if (twice !== undefined) throw this.fail(`${where}: ${JSON.stringify(twice)} stands there twice`);
    return names;
  }

  /** Undefined where nothing is said. */
  tensorMap(value: unknown, where: string): ReadonlyMap<string, string> | undefined {
    if (value === undefined || value === null) return undefined;
    const entries = Object.entries(this.mapping(value, where));
    if (entries.length === 0 || entries.length > MAX_TENSORS)
      throw this.fail(`${where}: expected 1 to ${MAX_TENSORS} of the model's names and the tensors they are`);
    return new Map(
      entries.map(([port, tensor]) => [port, this.#tensor(tensor, `${where}.${port.slice(0, 80)}`)]),
    );
  }

  #tensor(value: unknown, where: string): string {
    if (typeof value === "string" && value !== "" && value.length <= MAX_TENSOR_NAME) return value;
    throw this.fail(`${where}: expected the name of a tensor`);
  }
}

function asMapping(value: unknown): Mapping | undefined {
  const isMapping = typeof value === "object" && value !== null && !Array.isArray(value);
  return isMapping ? (value as Mapping) : undefined;
}
