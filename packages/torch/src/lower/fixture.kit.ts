import { fileURLToPath } from "node:url";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { openZip, type ZipArchive } from "../archive/zip.ts";
import type { ByteSource } from "../byte-source.ts";
import type { DType } from "../dtype.ts";
import type { Port } from "../graph/port.ts";
import { nodePlatform, openFileSource } from "../node.ts";
import { inputFault } from "../onnx/input-fault.ts";
import type { ScriptInput } from "../torchscript/script-inputs.ts";
import { translate } from "../translate/translate.ts";
import type { Translation } from "../translate/translation.ts";

/** A tensor of a fixture: its place in `io.bin`. */
interface Stored {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly length: number;
}

interface About {
  readonly runs: readonly {
    readonly inputs: readonly Stored[];
    readonly outputs: readonly Stored[];
    /** What PyTorch raises about the values or the sizes of the inputs. */
    readonly raises?: string;
  }[];
  /** What a scripted program's arguments are. */
  readonly inputs?: Readonly<Record<string, ScriptInput>>;
  readonly refused?: string;
  readonly rtol?: number;
  readonly atol?: number;
}

export type Outcome =
  | { readonly status: "pass" }
  | { readonly status: "refused"; readonly reason: string }
  | { readonly status: "wrong"; readonly reason: string }
  | { readonly status: "error"; readonly reason: string };

/** A program with inputs and PyTorch's outputs, as scripts/python/fixture_kit.py writes it. */
export interface Fixture {
  readonly source: ByteSource;
  readonly about: About;
  readonly blob: Uint8Array;
}

/** Reads a fixture from its `.pt2`. */
export function openFixture(source: ByteSource): Fixture {
  const zip: ZipArchive = openZip(source, nodePlatform);
  const path = [...zip.entries.keys()].find((name) => name.endsWith("extra/io.json"))!;
  const about = JSON.parse(new TextDecoder().decode(zip.read(path))) as About;
  return { source, about, blob: zip.read(path.replace(/json$/, "bin")) };
}

/** Translates a fixture, runs it on ONNX Runtime and compares with PyTorch: float32 within rtol 1e-4 / atol 1e-5, others exactly. */
export async function runFixture(fixture: Fixture): Promise<Outcome> {
  const { about } = fixture;
  const translation = translate(fixture.source, nodePlatform, {
    weights: "embedded",
    ...(about.inputs !== undefined && { inputs: new Map(Object.entries(about.inputs)) }),
  });
  const { unsupported } = translation.report;
  if (unsupported.length > 0) {
    const reason = unsupported.map(({ op, reason }) => `${op}: ${reason}`).join("; ");
    if (about.refused !== undefined && unsupported.some(({ op }) => op === about.refused))
      return { status: "pass" };
    return { status: reason.includes("a mistake of Sconce") ? "error" : "refused", reason };
  }
  if (about.refused !== undefined) return { status: "wrong", reason: `${about.refused} should be refused` };
  let session: InferenceSession | undefined;
  try {
    session = await InferenceSession.create(translation.model, { intraOpNumThreads: 1, logSeverityLevel: 3 });
    for (const [i, run] of about.runs.entries()) {
      const reason = await runOnce(session, translation, { fixture, run });
      if (reason !== undefined) return { status: "wrong", reason: `run ${i}: ${reason}` };
    }
    return { status: "pass" };
  } catch (error) {
    return { status: "error", reason: (error as Error).message };
  } finally {
    await session?.release();
  }
}

/** What a fixture's program says is wrong with other inputs; undefined where it answers. Throws what is not about the inputs. */
export async function faultOf(fixture: Fixture, inputs: readonly Tensor[]): Promise<string | undefined> {
  const translation = translate(fixture.source, nodePlatform, { weights: "embedded" });
  const session = await InferenceSession.create(translation.model, { logSeverityLevel: 3 });
  const names = translation.inputs.map(({ name }) => name);
  try {
    await session.run(Object.fromEntries(names.map((name, i) => [name, inputs[i]!])));
    return undefined;
  } catch (error) {
    const fault = inputFault((error as Error).message);
    if (fault === undefined) throw error;
    return fault;
  } finally {
    await session.release();
  }
}

/** A fixture of a pack of this package. */
export function fixtureOf(pack: string, name: string): Fixture {
  const path = fileURLToPath(new URL(`../../fixtures/${pack}.zip`, import.meta.url));
  return openFixture(openZip(openFileSource(path), nodePlatform).open(`${name}.pt2`));
}

interface Run {
  readonly fixture: Fixture;
  readonly run: About["runs"][number];
}

async function runOnce(
  session: InferenceSession,
  { inputs, outputs }: Translation,
  { fixture, run }: Run,
): Promise<string | undefined> {
  const feeds: Record<string, Tensor> = {};
  for (const [i, port] of inputs.entries()) feeds[port.name] = toOrt(fixture, run.inputs[i]!);
  if (run.raises !== undefined) return await unraised(session, feeds, run.raises);
  const results = await session.run(feeds);
  if (outputs.length !== run.outputs.length)
    return `${outputs.length} outputs, PyTorch has ${run.outputs.length}`;
  for (const [i, port] of outputs.entries()) {
    const difference = compare(results[port.name]!, port, { fixture, stored: run.outputs[i]! });
    if (difference !== undefined) return `output ${port.name}: ${difference}`;
  }
  return undefined;
}

/** What is wrong where PyTorch raises: an answer, or an error that does not tell what is wrong with the inputs. */
async function unraised(
  session: InferenceSession,
  feeds: Record<string, Tensor>,
  raises: string,
): Promise<string | undefined> {
  try {
    await session.run(feeds);
  } catch (error) {
    const { message } = error as Error;
    return inputFault(message) === undefined ? message : undefined;
  }
  return `it answers; PyTorch raises: ${raises}`;
}

function bytesOf({ blob }: Fixture, { offset, length }: Stored): Uint8Array {
  return new Uint8Array(blob.subarray(offset, offset + length));
}

const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int16: Int16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const;

type Numbers = InstanceType<(typeof ARRAYS)[keyof typeof ARRAYS]>;

function typed(dtype: DType, bytes: Uint8Array): Numbers {
  return new ARRAYS[dtype as keyof typeof ARRAYS](bytes.buffer as ArrayBuffer);
}

function toOrt(fixture: Fixture, stored: Stored): Tensor {
  const data = typed(stored.dtype, bytesOf(fixture, stored));
  return new Tensor(stored.dtype as Tensor.Type, data as Tensor.DataType, stored.shape);
}

interface Expected {
  readonly fixture: Fixture;
  readonly stored: Stored;
}

/** What differs, in words; undefined when nothing does. */
function compare(actual: Tensor, port: Port, { fixture, stored }: Expected): string | undefined {
  if (port.dtype !== stored.dtype) return `${port.dtype}, PyTorch has ${stored.dtype}`;
  if (actual.type !== stored.dtype) return `ONNX Runtime gives ${actual.type}, not ${stored.dtype}`;
  if (actual.dims.join() !== stored.shape.join())
    return `shape [${actual.dims}], PyTorch has [${stored.shape}]`;
  const declared = port.dims.every((dim, i) => typeof dim !== "number" || dim === stored.shape[i]);
  if (!declared || port.dims.length !== stored.shape.length) return "the declared shape does not fit";
  const expected = numbers(stored.dtype, typed(stored.dtype, bytesOf(fixture, stored)));
  const got = numbers(stored.dtype, actual.data as Numbers);
  const { rtol = stored.dtype === "float16" ? 2e-3 : 1e-4, atol = stored.dtype === "float16" ? 1e-3 : 1e-5 } =
    fixture.about;
  const isFloat = stored.dtype.startsWith("float");
  for (const [i, want] of expected.entries()) {
    const have = got[i]!;
    if (
      Object.is(have, want) ||
      have === want ||
      (Number.isNaN(have as number) && Number.isNaN(want as number))
    )
      continue;
    const isClose = isFloat && Math.abs(Number(have) - Number(want)) <= atol + rtol * Math.abs(Number(want));
    if (!isClose) return `element ${i} is ${have}, PyTorch has ${want}`;
  }
  return undefined;
}

function numbers(dtype: DType, data: Numbers): (number | bigint)[] {
  const values = Array.from(data as Iterable<number | bigint>);
  return dtype === "float16" ? values.map((bits) => half(Number(bits))) : values;
}

function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
