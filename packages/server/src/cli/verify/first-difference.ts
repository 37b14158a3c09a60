import { join } from "node:path";
import { exposedValue, type ModelTranslation, type ReadExternal } from "@sconce/torch";
import { compareTensors, type Difference } from "../../base/compare-tensors.ts";
import type { Tensor } from "../../base/tensor.ts";
import { type PlacedTensor, withPlacedTensors } from "../placed-tensor.ts";
import type { LoadTrial } from "../trial-runtime.ts";
import { writeOnnx } from "../write-onnx.ts";

/** What PyTorch gave for one operation, where that lies, and where the operation comes from. */
export interface ObservedValue extends PlacedTensor {
  readonly name: string;
  /** Such as `aten.linear.default`. */
  readonly op: string;
  /** The attribute path of the module that it runs in; "": the model itself, or nobody knows. */
  readonly module: string;
  readonly type: string;
  /** Such as `model.py:26`; "": nobody knows. */
  readonly line: string;
}

/** A program that gives what is inside it as well. */
export type ExposedTranslation = Pick<ModelTranslation, "model" | "outputs">;

/** A search for the first operation that differs. */
export interface Search {
  /** Of the trial that differs, in the order of the program's inputs. */
  readonly inputs: readonly Tensor[];
  /** In the order in which PyTorch calculated them, and the file that they lie in. */
  readonly observed: readonly ObservedValue[];
  readonly values: string;
  readonly tolerance: number;
  /** Translates the program so that it gives these of its values as well. */
  translate(exposes: readonly string[]): ExposedTranslation;
  readonly read: ReadExternal;
  readonly load: LoadTrial;
  /** Models are written into it. */
  readonly folder: string;
}

/** The first operation whose value differs by more than is tolerated. */
export interface FirstDifference extends Omit<ObservedValue, keyof PlacedTensor> {
  readonly difference: Difference;
}

/** Of the values that one run gives. */
const MOST_WINDOW_BYTES = 256 * 1024 * 1024;
const MOST_WINDOW_VALUES = 400;

/**
 * Runs the translation with what is inside it as outputs, so many values at a time as fit into memory, in the order of the program; undefined
 * when none differs by itself: then the difference comes about where operations are joined into one.
 */
export async function firstDifference(search: Search): Promise<FirstDifference | undefined> {
  return withPlacedTensors(search.values, async (read) => {
    for (const [at, window] of windowsOf(search.observed).entries()) {
      const got = await valuesOf(search, window, at);
      for (const { datatype, shape, start, end, ...value } of window) {
        const tensor = got.get(value.name);
        if (tensor === undefined) continue;
        const want = { ...read({ datatype, shape, start, end }), name: value.name };
        const difference = compareTensors({ ...tensor, name: value.name }, want);
        if (difference.error > search.tolerance) return { ...value, difference };
      }
    }
    return undefined;
  });
}

function windowsOf(observed: readonly ObservedValue[]): ObservedValue[][] {
  const windows: ObservedValue[][] = [];
  let bytes = 0;
  for (const value of observed) {
    const size = value.end - value.start;
    const last = windows.at(-1);
    if (last === undefined || bytes + size > MOST_WINDOW_BYTES || last.length >= MOST_WINDOW_VALUES) {
      windows.push([value]);
      bytes = size;
    } else {
      last.push(value);
      bytes += size;
    }
  }
  return windows;
}

/** What the translation gives for those of the values that it has. */
async function valuesOf(
  { translate, read, load, folder, inputs }: Search,
  window: readonly ObservedValue[],
  at: number,
): Promise<ReadonlyMap<string, Tensor>> {
  const { model, outputs } = translate(window.map(({ name }) => name));
  if (model === undefined) return new Map();
  const file = join(folder, `values-${at}.onnx`);
  writeOnnx(file, model, { read });
  const loaded = await load(file);
  try {
    const result = await loaded.run({ label: "", inputs });
    return new Map(
      outputs.flatMap((port, i) => {
        const name = exposedValue(port.name);
        return name === undefined ? [] : [[name, result.outputs[i]!] as const];
      }),
    );
  } finally {
    await loaded.close();
  }
}
