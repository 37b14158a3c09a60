import type { CancelSignal } from "../../base/call-signal.ts";
import type { Clock } from "../../base/clock.ts";
import { NO_PARAMETERS } from "../../base/infer-request.ts";
import { Timeline } from "../../base/timeline.ts";
import type { Inference } from "../../infer/inference.ts";
import { handlerInputs, handlerResponse, takesAnyBody } from "./handler-call.ts";

/** What a handler knows by that it is asked for what it says of itself. */
const DESCRIBE = { describe: "True" };

/** Asks a model's handler what it says of itself; undefined: it has none, or says nothing that is JSON. */
export async function describeItself(
  { inference, clock, makeId }: { readonly inference: Inference; readonly clock: Clock; makeId(): string },
  [model, version]: readonly [model: string, version: string],
  signal: CancelSignal,
): Promise<unknown> {
  if (!takesAnyBody(inference.loadedInputs(model, version) ?? [])) return undefined;
  const response = await inference.infer({
    model,
    version,
    id: undefined,
    inputs: handlerInputs([], { id: makeId(), headers: DESCRIBE }),
    outputs: undefined,
    parameters: NO_PARAMETERS,
    priority: 0,
    deadlineMs: undefined,
    signal,
    timeline: new Timeline(clock.nowMs()),
  });
  try {
    // As TorchServe's own JSON, which leaves out what is nothing.
    return JSON.parse(
      Buffer.from(handlerResponse(response).body).toString(),
      (_, value: unknown) => value ?? undefined,
    );
  } catch {
    return undefined;
  }
}
