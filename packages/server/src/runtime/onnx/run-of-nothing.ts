import { ServeError } from "../../base/errors.ts";
import type { RunInput } from "../../base/run.ts";
import { rowAxis, type Signature } from "../../base/signature.ts";
import { elementBytes, elementCount, type Tensor } from "../../base/tensor.ts";
import type { HostedModel, HostedResult } from "../model-host.ts";

/** Nodes that the engine's optimiser puts into a graph; the translation's own have other names. */
const OPTIMISERS_NODE = /while running \w+ node\. Name:'\w+_token_\d+'/;

type Run = HostedModel["run"];

/**
 * ONNX Runtime keeps images in blocks of channels between convolutions, and the nodes that it puts in for that fail on a batch of none of
 * them. Where each row has an answer of its own, a row of zeros gives the shapes, and is left out of the answer.
 */
export function alsoOfNothing(run: Run, { batching, inputs: ins, outputs: outs }: Signature): Run {
  if (batching.kind === "off") return run;
  const { symbol } = batching;
  const axes = ins.map((spec) => rowAxis(spec, symbol));
  const without = ({ outputs, computeMs }: HostedResult): HostedResult => ({
    outputs: outputs.map((output, i) => withoutRows(output, rowAxis(outs[i]!, symbol))),
    computeMs,
  });
  const rescue = (error: unknown, inputs: readonly Tensor[]): HostedResult | Promise<HostedResult> => {
    if (!isOptimisersFault(error) || inputs.some(({ shape }, i) => shape[axes[i]!] !== 0)) throw error;
    const result = run(inputs.map((tensor, i) => rowOfZeros(tensor, axes[i]!)));
    return result instanceof Promise ? result.then(without) : without(result);
  };
  return (inputs) => {
    try {
      const result = run(inputs);
      return result instanceof Promise ? result.catch((error) => rescue(error, inputs)) : result;
    } catch (error) {
      return rescue(error, inputs);
    }
  };
}

function isOptimisersFault(error: unknown): boolean {
  const cause = error instanceof ServeError ? error.cause : error;
  return cause instanceof Error && OPTIMISERS_NODE.test(cause.message);
}

function rowOfZeros({ datatype, shape }: Tensor, axis: number): Tensor {
  const one = shape.with(axis, 1);
  const bytes = datatype === "BYTES" ? 0 : elementBytes(datatype) * elementCount(one);
  return { datatype, shape: one, bytes: new Uint8Array(bytes) };
}

function withoutRows(output: RunInput, axis: number): RunInput {
  return { ...output, shape: output.shape.with(axis, 0), chunks: [] };
}
