import type { GraphRecorder } from "./graph-recorder.ts";
import { unsupportedOp } from "./unsupported-op.ts";

/**
 * Refuses writes of a branch or loop that something else of it would have to see, or that outlive the call: `written` and `used` name
 * tensors around it.
 */
export function requireApart(
  { sharing, weights }: GraphRecorder,
  written: readonly string[],
  used: readonly string[],
): void {
  for (const name of written) {
    if (weights.has(name))
      unsupportedOp("it writes into a weight where only the run decides, which would outlive the call");
    if (sharing.isKept(name))
      unsupportedOp(
        "it writes into a tensor that a list holds whose length only the run knows; append a clone",
      );
    if ([...used, ...written].some((other) => other !== name && sharing.mayShare(name, other)))
      unsupportedOp(
        "it writes into memory that two of its tensors may share where only the run decides; write into a clone",
      );
  }
}
