import { either } from "./either.ts";
import type { Emitter } from "./emitter.ts";
import { requirement } from "./requirement.ts";
import type { Val } from "./tensor.ts";

/** Whether a float tensor may hold NaN, a bool scalar: one pass that adds. Infinities of both signs look like NaN to it. */
export function mayHoldNan(g: Emitter, x: Val): Val {
  return g.op("IsNaN", [g.op("ReduceSum", [x], { keepdims: 0 })]);
}

/** A 0-d int64 0, in a run that fails, in words about `op`, where a float tensor holds NaN. */
export function requireNumbers(g: Emitter, x: Val, op: string): Val {
  g.target = op;
  return either(g, mayHoldNan(g, x), {
    dtypes: ["int64"],
    isShortcut: true,
    yes: (at) => [requirement(at, "inputs without NaN", at.op("IsNaN", [x]))],
    no: (at) => [at.scalar("int64", 0)],
  })[0]!;
}

/** Ops between a convolution and what pools its results, whose layout in memory ONNX Runtime changes for all of them together. */
const LAID_OUT_TOGETHER: ReadonlySet<string> = new Set([
  "Add",
  "AveragePool",
  "BatchNormalization",
  "Cast",
  "Clip",
  "Concat",
  "Div",
  "Elu",
  "Gelu",
  "HardSigmoid",
  "HardSwish",
  "Identity",
  "LeakyRelu",
  "Max",
  "MaxPool",
  "Min",
  "Mul",
  "Pad",
  "PRelu",
  "Relu",
  "Resize",
  "Sigmoid",
  "Softplus",
  "Squeeze",
  "Sub",
  "Tanh",
  "Unsqueeze",
]);
const MOST_STEPS = 64;

/** Whether a value comes out of a convolution without an op between them that would lay it out anew. */
export function comesFromConvolution(g: Emitter, val: Val): boolean {
  const waiting = [val.name];
  const seen = new Set(waiting);
  for (let steps = 0; steps < MOST_STEPS; steps++) {
    const name = waiting.pop();
    if (name === undefined) return false;
    const producer = g.builder.producer(name);
    if (producer === undefined) continue;
    if (producer.type === "Conv" || producer.type === "ConvTranspose") return true;
    if (!LAID_OUT_TOGETHER.has(producer.type)) continue;
    for (const input of producer.inputs) {
      if (input === "" || seen.has(input)) continue;
      seen.add(input);
      waiting.push(input);
    }
  }
  return false;
}
