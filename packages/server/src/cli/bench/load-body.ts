import { readModelPorts } from "./model-ports.ts";
import { encodeRequest, inputTensors, type RequestBody, verbatimBody } from "./request-body.ts";
import type { Target } from "./target.ts";

/** The request that a load sends: a file as it is where the protocol allows, else tensors of it or made up for the model's signature. Throws ServeError. */
export async function loadBody(
  target: Target,
  made: Parameters<typeof inputTensors>[1],
): Promise<RequestBody> {
  const given = made.input === undefined ? undefined : verbatimBody(target, made.input);
  if (given !== undefined) return given;
  const { signature, hasSequences } = await readModelPorts(target);
  return encodeRequest({ ...target, hasSequences }, await inputTensors(signature, made));
}
