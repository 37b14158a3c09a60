import type { ModelDescription } from "../../../base/model-description.ts";
import type { RunInput } from "../../../base/run.ts";
import type { TensorSpec } from "../../../base/signature.ts";
import type { NamedTensor, Tensor } from "../../../base/tensor.ts";
import type { HostedModel } from "../../model-host.ts";
import type { TaskLoad } from "../../runtime.ts";
import { isObject, type SideFiles } from "../side-files.ts";
import type { HandlerInput, HandlerTensor, TransformTensors } from "./define-handler.ts";
import { guarded } from "./guarded.ts";
import { fromTensor, toTensor } from "./handler-tensors.ts";
import { loadTransform } from "./load-handler.ts";

/** Code that makes tensors of tensors, as a model. Throws `failed_precondition` when it does not load. */
export async function hostTransform(
  { handler = "", inputs, outputs }: Pick<TaskLoad, "handler" | "inputs" | "outputs">,
  files: SideFiles,
): Promise<HostedModel> {
  const startedMs = performance.now();
  const transform = await loadTransform(files, handler);
  const description: ModelDescription = {
    signature: {
      inputs,
      outputs,
      batching: { kind: "off", reason: "its code sees one request at a time" },
    },
    platform: "javascript",
    runtime: "js",
    runtimeReason: `${handler} makes its outputs`,
    parameterCount: 0,
    weightBytes: 0,
    digest: "",
    warnings: [],
    loadMs: { code: performance.now() - startedMs },
  };
  return {
    description,
    files: files.stamps,
    async run(given) {
      const beganMs = performance.now();
      const made = await guarded("transform", async () =>
        outputsOf(outputs, await transform(namedInputs(inputs, given))),
      );
      return { outputs: made, computeMs: performance.now() - beganMs };
    },
  };
}

function namedInputs(specs: readonly TensorSpec[], given: readonly Tensor[]): TransformTensors["inputs"] {
  const entries = specs.map(({ name }, i): readonly [string, HandlerTensor] => [
    name,
    fromTensor({ ...given[i]!, name }),
  ]);
  return Object.fromEntries(entries);
}

/** Throws an Error that says what does not fit. */
function outputsOf(specs: readonly TensorSpec[], made: unknown): RunInput[] {
  if (!isObject(made)) throw new Error("transform gave no object of outputs");
  const surplus = Object.keys(made).find((name) => !specs.some((spec) => spec.name === name));
  if (surplus !== undefined)
    throw new Error(`model.yaml says no output ${JSON.stringify(surplus.slice(0, 64))}`);
  return specs.map((spec) => {
    const value = made[spec.name];
    if (value === undefined) throw new Error(`transform gave no ${JSON.stringify(spec.name)}`);
    const tensor = toTensor(spec, value as HandlerInput);
    checkShape(spec, tensor);
    return { datatype: tensor.datatype, shape: tensor.shape, chunks: [tensor.bytes] };
  });
}

function checkShape({ name, dims }: TensorSpec, { shape }: NamedTensor): void {
  const fits =
    shape.length === dims.length && dims.every((dim, i) => typeof dim !== "number" || dim === shape[i]);
  if (fits) return;
  const said = dims.map((dim) => (typeof dim === "number" ? dim : dim.symbol)).join(", ");
  throw new Error(`${name} has the shape [${shape.join(", ")}], and model.yaml says [${said}]`);
}
