import {
  type DType,
  ModelFileError,
  parseScriptInput,
  randomOps,
  type TranslateOptions,
  type Translation,
  translate,
} from "@sconce/torch";
import { nodePlatform } from "@sconce/torch/node";
import { InferenceSession, type Tensor as OrtTensor } from "onnxruntime-node";
import { difference, mayDeclare } from "./compare.ts";
import { type Entrance, entranceOf } from "./entrance.ts";
import { feed } from "./feed.ts";
import type { FixtureRun, FixtureSample } from "./fixture-pack.ts";
import { memorySource } from "./memory-source.ts";
import { optimiserDifference } from "./optimiser.ts";
import type { Verdict } from "./verdict.ts";

/** Of a program without overloads, as TorchScript's are, by name alone. */
const RANDOM = new Set(randomOps().flatMap((op) => [op, op.slice(0, op.lastIndexOf("."))]));

/** How a run ends that is refused for a size which the data decide. */
const REFUSED_SIZES = /check: .*, since the program writes into a copy/;

/** Words of an engine or of our own faults, which no refusal may have. */
const NOT_OURS =
  /a mistake of Sconce|invariant|Cannot read prop|\bundefined\b|\bNaN\b|\[object |is not (?:a function|iterable|defined)|\b(?:Type|Range|Reference|Syntax)Error\b/i;

/** How a sample is judged beyond what PyTorch answers. */
export interface Judging {
  /** Whether ONNX Runtime has to answer alike when it may not rewrite the graph. */
  readonly withoutOptimiser: boolean;
}

/** Translates a program, runs it in ONNX Runtime and compares it with PyTorch. Never throws: whatever goes wrong is the verdict. */
export async function judgeSample(sample: FixtureSample, judging: Judging): Promise<Verdict> {
  const verdict = worded(await judgeAsStated(sample, judging));
  const { inputs, refuses = false } = sample;
  if (refuses) return refusal(verdict, sample);
  if (verdict.kind !== "refused" || inputs === undefined) return verdict;
  // What a refusal advises: the example's sizes as numbers.
  const names = Object.keys(inputs);
  const [first] = sample.runs;
  const numbers = names.map((name, i) => {
    const { dtype, shape } = first!.inputs[i]!;
    return [name, `${dtype}[${shape.join(", ")}]`] as const;
  });
  return worded(await judgeAsStated({ ...sample, inputs: Object.fromEntries(numbers) }, judging));
}

/** PyTorch raises for the dtypes: nobody should have to ask to learn that. */
function refusal(verdict: Verdict, { runs }: FixtureSample): Verdict {
  if (verdict.kind === "refused") return { kind: "pass" };
  if (verdict.kind !== "pass") return verdict;
  return { kind: "error", detail: `only its runs fail; PyTorch raises ${runs[0]?.raises}` };
}

/** A refusal is read by people: one in words of the engine's, or about a fault of ours, is an error. */
function worded(verdict: Verdict): Verdict {
  const isOurs = verdict.kind !== "refused" || !NOT_OURS.test(verdict.detail);
  return isOurs ? verdict : { kind: "error", detail: `refusal: ${verdict.detail}` };
}

async function judgeAsStated(sample: FixtureSample, judging: Judging): Promise<Verdict> {
  const source = memorySource("model.pt2", sample.program);
  let translation: Translation;
  try {
    translation = translate(source, nodePlatform, optionsOf(sample));
  } catch (error) {
    if (error instanceof ModelFileError && error.kind === "unsupported") {
      return { kind: "refused", ops: [], detail: error.message };
    }
    return { kind: "error", detail: `translation: ${textOf(error)}` };
  }
  const { unsupported } = translation.report;
  if (unsupported.length > 0) {
    const detail = unsupported.map(({ op, reason }) => `${op}: ${reason}`).join("; ");
    if (unsupported.every(({ op }) => RANDOM.has(op))) return { kind: "skipped", detail };
    return { kind: "refused", ops: unsupported.map(({ op }) => op), detail };
  }
  const verdict = await judgeTranslation(translation, sample);
  if (verdict.kind !== "pass" || !judging.withoutOptimiser) return verdict;
  const found = await judgeOptimiser(translation, sample);
  return found === undefined ? verdict : { kind: "wrong", detail: found };
}

async function judgeTranslation(translation: Translation, sample: FixtureSample): Promise<Verdict> {
  const [first] = sample.runs;
  let takes: Entrance;
  try {
    takes = entranceOf(translation);
  } catch (error) {
    return { kind: "refused", ops: ["types"], detail: textOf(error) };
  }
  // What PyTorch raises for may be refused at the entrance, and is better refused there.
  if (first !== undefined && first.raises === undefined && !takes(first.inputs))
    return { kind: "refused", ops: ["sizes"], detail: "it does not take the sizes that are stated for it" };
  let session: InferenceSession;
  try {
    session = await InferenceSession.create(translation.model, {
      logSeverityLevel: 4,
      intraOpNumThreads: 1,
      externalData: [{ path: "model.pt2", data: sample.program }],
    });
  } catch (error) {
    return { kind: "error", detail: `session: ${textOf(error)}` };
  }
  try {
    for (const [index, run] of sample.runs.entries()) {
      const asked = { ...run, precision: sample.precision };
      const wrong = await (run.raises === undefined
        ? runDifference(session, translation, asked)
        : unraised(session, { translation, takes }, asked));
      if (wrong !== undefined) return { kind: "wrong", detail: `run ${index}: ${wrong}` };
    }
    if (sample.others === undefined) return { kind: "pass" };
    return await judgeOtherSizes(session, { translation, takes }, sample);
  } catch (error) {
    const detail = `run: ${textOf(error)}`;
    return REFUSED_SIZES.test(detail)
      ? { kind: "refused", ops: ["sizes"], detail }
      : { kind: "error", detail };
  } finally {
    await session.release();
  }
}

async function judgeOptimiser(translation: Translation, sample: FixtureSample): Promise<string | undefined> {
  const run = sample.runs.find(({ raises }) => raises === undefined);
  if (run === undefined) return undefined;
  const types = translation.inputs.map(({ dtype }) => dtype);
  return await optimiserDifference({
    model: translation.model,
    program: sample.program,
    feeds: (inputShape) =>
      run.inputs.map((tensor, i) => feed({ ...tensor, shape: [...inputShape(tensor.shape)] }, types[i]!)),
    outputs: run.outputs,
  });
}

/** A scripted program takes what is declared for it, a traced one what it was traced with. */
function optionsOf({ inputs }: FixtureSample): TranslateOptions {
  if (inputs === undefined) return {};
  const types = Object.entries(inputs).map(([name, text]) => [name, parseScriptInput(text)!] as const);
  return { inputs: new Map(types) };
}

async function judgeOtherSizes(
  session: InferenceSession,
  { translation, takes }: Served,
  { others = [], precision }: FixtureSample,
): Promise<Verdict> {
  const sizes = { equal: 0, fixed: 0, neither: 0, lax: 0 };
  for (const { inputs, outputs } of others) {
    const shapes = `sizes ${inputs.map(({ shape }) => `[${shape}]`).join(", ")}`;
    if (!takes(inputs)) {
      sizes[outputs === null ? "neither" : "fixed"] += 1;
      continue;
    }
    try {
      const run = { inputs, outputs: outputs ?? [], precision, isScaled: true };
      if (outputs === null) {
        await session.run(feedsOf(session, translation, run));
        sizes.lax += 1;
        continue;
      }
      const wrong = await runDifference(session, translation, run);
      if (wrong !== undefined) return { kind: "wrong", detail: `${shapes}: ${wrong}` };
      sizes.equal += 1;
    } catch (error) {
      if (outputs !== null) return { kind: "error", detail: `${shapes}: ${textOf(error)}` };
      sizes.neither += 1;
    }
  }
  return { kind: "pass", sizes };
}

interface Served {
  readonly translation: Translation;
  readonly takes: Entrance;
}

type Run = FixtureRun & { readonly precision: DType | undefined; readonly isScaled?: boolean };

/** What is wrong with an answer to inputs that PyTorch raises for. */
async function unraised(
  session: InferenceSession,
  { translation, takes }: Served,
  run: Run,
): Promise<string | undefined> {
  if (!takes(run.inputs)) return undefined;
  try {
    await session.run(feedsOf(session, translation, run));
  } catch {
    return undefined;
  }
  return `it answers; PyTorch raises ${run.raises}`;
}

async function runDifference(
  session: InferenceSession,
  translation: Translation,
  run: Run,
): Promise<string | undefined> {
  const { inputs, outputs } = translation;
  if (inputs.length !== run.inputs.length) {
    return `${inputs.length} inputs, the program has ${run.inputs.length}`;
  }
  if (outputs.length !== run.outputs.length) {
    return `${outputs.length} outputs, PyTorch gives ${run.outputs.length}`;
  }
  const results = await session.run(feedsOf(session, translation, run));
  for (const [i, { name, dtype }] of outputs.entries()) {
    const got = results[name];
    if (got === undefined) return `output ${name} is missing`;
    const want = run.outputs[i]!;
    if (!mayDeclare(dtype, want.dtype))
      return `output ${name} is declared ${dtype}, PyTorch gives ${want.dtype}`;
    const found = difference(got as OrtTensor, want, run);
    if (found !== undefined) return `output ${name}: ${found}`;
  }
  return undefined;
}

function feedsOf(session: InferenceSession, { inputs }: Translation, run: Run): Record<string, OrtTensor> {
  const types = new Map(session.inputMetadata.map((input) => [input.name, input.isTensor ? input.type : ""]));
  // An input that the program does not use may be absent from the session.
  return Object.fromEntries(
    inputs.flatMap(({ name }, i) =>
      types.has(name) ? [[name, feed(run.inputs[i]!, types.get(name)!)] as const] : [],
    ),
  );
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const place = error.stack?.split("\n").find((line) => line.includes("/torch/"));
  return `${error.name}: ${error.message.split("\n")[0]}${place === undefined ? "" : ` (${place.trim().replace(/^at .*\/(?=[^/]+\.[jt]s)/, "at ")})`}`;
}
