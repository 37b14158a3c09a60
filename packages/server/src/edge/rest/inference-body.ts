import { readBody } from "./body.ts";
import type { RestCall } from "./rest-call.ts";

export type ModelName = readonly [name: string, version: string | undefined];

/**
 * Reads the body of an inference, which is counted as one of its model from now on. Throws at once, before the body costs anything,
 * for an unknown model and for one whose queue has no room; else like `readBody`. Not async: a rejection that nobody awaits yet costs
 * more than the rest of a rejection.
 */
export function readInferenceBody(call: RestCall, [model, version]: ModelName): Promise<Buffer> {
  call.model = model;
  const door = call.context.inference.door(model, version);
  return readBody(call, door);
}
