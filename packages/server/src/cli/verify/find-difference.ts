import { join } from "node:path";
import { translateModel } from "@sconce/torch";
import { detectFile } from "@sconce/torch/formats";
import { nodePlatform, openFileSource } from "@sconce/torch/node";
import { ServeError } from "../../base/errors.ts";
import type { Tensor } from "../../base/tensor.ts";
import type { LoadSpec } from "../../runtime/runtime.ts";
import { type AskedPython, askPython } from "../ask-python.ts";
import { writePlacedTensors } from "../placed-tensor.ts";
import { withTemporaryFolder } from "../temporary-folder.ts";
import { withTrialRuntime } from "../trial-runtime.ts";
import {
  type ExposedTranslation,
  type FirstDifference,
  firstDifference,
  type ObservedValue,
} from "./first-difference.ts";

/** Where a difference begins, or why that cannot be said. */
export type FoundDifference = FirstDifference | { readonly why: string };

/** What is looked into, and with what. */
export interface Looking extends AskedPython {
  readonly spec: LoadSpec;
  /** Of the trial that differs, in the order of the model's inputs. */
  readonly inputs: readonly Tensor[];
  readonly tolerance: number;
  /** What becomes of a translation before it is run. Default: it stays as it is. */
  readonly edit?: (translation: ExposedTranslation) => ExposedTranslation;
}

/** Runs a program operation by operation in PyTorch, and its translation beside it. */
export async function findDifference(looking: Looking): Promise<FoundDifference> {
  const source = openFileSource(looking.spec.file);
  try {
    return await withTemporaryFolder("verify", (folder) => lookedInto(source, folder, looking));
  } catch (error) {
    return { why: ServeError.from(error).message };
  } finally {
    source.close();
  }
}

async function lookedInto(
  source: ReturnType<typeof openFileSource>,
  folder: string,
  looking: Looking,
): Promise<FoundDifference> {
  const { spec, inputs, tolerance, edit = (translation) => translation } = looking;
  const why = detectFile(source) === "pt2" ? changedBy(spec) : "only a .pt2 can be looked into";
  if (why !== undefined) return { why };
  const [tensors, values] = [join(folder, "inputs.bin"), join(folder, "values.bin")];
  const request = { file: spec.file, tensors, inputs: writePlacedTensors(tensors, inputs), output: values };
  const { values: observed } = await askPython<{ readonly values: readonly ObservedValue[] }>(
    "values",
    request,
    looking,
  );
  const found = await withTrialRuntime(looking.env, (load) =>
    firstDifference({
      ...{ inputs, observed, values, tolerance, load, folder },
      translate: (exposes) => edit(translateModel(source, nodePlatform, { exposes })),
      read: ({ offset, byteLength }) => source.read(offset, byteLength),
    }),
  );
  return (
    found ?? {
      why: "no operation differs by itself, so that it comes about where several are joined into one",
    }
  );
}

/** What the settings make of the program, which then is another one than the file's. */
function changedBy({ options }: LoadSpec): string | undefined {
  if (options.weightsFile !== undefined) return "its weights are replaced by those of another file";
  return options.precision === "float32" ? undefined : `its precision is ${options.precision}`;
}
