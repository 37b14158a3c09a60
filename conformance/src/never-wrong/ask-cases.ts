import { startServerProcess } from "../server-process.ts";
import { type Case, type CaseTensor, readCases } from "./case-folder.ts";
import { parseExactJson } from "./exact-json.ts";

interface V2Tensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly data: readonly unknown[];
}

interface Metadata {
  readonly inputs: readonly { readonly name: string; readonly datatype: string }[];
}

type Run = Case["runs"][number];

/** Runs a server on a folder of cases and asks all of them. */
export async function askCases(folder: string): Promise<{ problems: string[]; passed: number }> {
  // One model at a time: a folder may hold hundreds.
  const lazily = [
    "--lazy-loading",
    "--max-loaded-models",
    "2",
    "--readiness",
    "settled",
    "--log-level",
    "error",
  ];
  const server = await startServerProcess([folder, ...lazily]);
  const problems: string[] = [];
  let passed = 0;
  try {
    for (const { name, runs } of readCases(folder)) {
      for (const [i, run] of runs.entries()) {
        const problem = await askRun(`${server.url}/v2/models/${name}`, run);
        if (problem === undefined) passed += 1;
        else problems.push(`${name}, run ${i}: ${problem}`);
      }
    }
  } finally {
    await server.stop();
  }
  return { problems, passed };
}

/** What is wrong with the answer to one run, in a sentence; undefined: the same as PyTorch. */
async function askRun(modelUrl: string, run: Run): Promise<string | undefined> {
  // A lazily loaded model says what it takes once it was asked for.
  await fetch(`${modelUrl}/infer`, { method: "POST", body: '{"inputs":[]}' });
  const described = await fetch(modelUrl);
  const text = await described.text();
  if (!described.ok) return `the model is not served: ${text}`;
  const { inputs } = JSON.parse(text) as Metadata;
  const answer = await fetch(`${modelUrl}/infer`, {
    method: "POST",
    body: requestText(inputs, run.inputs),
  });
  const response = await answer.text();
  if ("raises" in run.wanted) {
    return answer.status === 400
      ? undefined
      : `PyTorch raises (${run.wanted.raises}), answered ${answer.status}: ${response.slice(0, 200)}`;
  }
  if (answer.status !== 200) return `answered ${answer.status}: ${response.slice(0, 300)}`;
  const { outputs } = parseExactJson(response) as { outputs: V2Tensor[] };
  return firstDifference(outputs, run.wanted);
}

function requestText(inputs: Metadata["inputs"], tensors: readonly CaseTensor[]): string {
  const parts = tensors.map(({ shape, data }, i) => {
    const { name, datatype } = inputs[i]!;
    const values = data.map((value) => jsonText(value));
    return `{"name":${JSON.stringify(name)},"datatype":"${datatype}","shape":[${shape}],"data":[${values}]}`;
  });
  return `{"inputs":[${parts}]}`;
}

const BARE_WORDS: Readonly<Record<string, string>> = { nan: "NaN", inf: "Infinity", "-inf": "-Infinity" };

function jsonText(value: number | boolean | string): string {
  if (Object.is(value, -0)) return "-0";
  return BARE_WORDS[String(value)] ?? String(value);
}

function firstDifference(got: readonly V2Tensor[], wanted: readonly CaseTensor[]): string | undefined {
  if (got.length !== wanted.length) return `${got.length} outputs instead of ${wanted.length}`;
  for (const [i, want] of wanted.entries()) {
    const have = got[i]!;
    if (have.shape.join() !== want.shape.join()) return `shape [${have.shape}] instead of [${want.shape}]`;
    const tolerance = toleranceOf(want);
    const at = want.data.findIndex((value, k) => !isEqual(have.data[k], value, tolerance));
    if (at >= 0) return `output ${i} at ${at} is ${have.data[at]}, PyTorch gives ${want.data[at]}`;
  }
  return undefined;
}

/** How far a float may be off, relative to itself; undefined for types that are exact. */
const RELATIVE: Readonly<Record<string, number>> = {
  float32: 1e-4,
  float64: 1e-4,
  float16: 2e-3,
  bfloat16: 1e-2,
};
const ABSOLUTE = 1e-5;

interface Tolerance {
  readonly relative: number;
  readonly absolute: number;
}

/** Half floats are rounded after every op by PyTorch and at the end by us: small results of large terms differ by the terms' precision. */
function toleranceOf({ dtype, data }: CaseTensor): Tolerance | undefined {
  const relative = RELATIVE[dtype];
  if (relative === undefined) return undefined;
  if (!dtype.endsWith("float16")) return { relative, absolute: ABSOLUTE };
  const sizes = data.map((value) => Math.abs(numberOf(value))).filter(Number.isFinite);
  return { relative, absolute: relative * sizes.reduce((a, b) => Math.max(a, b), 0) };
}

function isEqual(got: unknown, want: number | boolean | string, tolerance: Tolerance | undefined): boolean {
  if (tolerance === undefined) return integerText(got) === integerText(want);
  const [a, b] = [numberOf(got), numberOf(want)];
  const { relative, absolute } = tolerance;
  return Object.is(a, b) || a === b || Math.abs(a - b) <= relative * Math.abs(b) + absolute;
}

/** Booleans count as 0 and 1; digits beyond a double's are compared as text. */
function integerText(value: unknown): string {
  return typeof value === "boolean" ? String(Number(value)) : String(value);
}

function numberOf(value: unknown): number {
  const text = String(value);
  return text === "nan" ? Number.NaN : Number(text.replace(/^(-?)inf$/, "$1Infinity"));
}
