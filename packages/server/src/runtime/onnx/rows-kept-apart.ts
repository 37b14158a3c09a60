import { batchingWithMixedRows } from "./batching.ts";
import type { OpenedModel } from "./opened-model.ts";

/** The model, without batching where rows of one run are known to change each other's answers. */
export function withRowsKeptApart(opened: OpenedModel): OpenedModel {
  const { signature, rowMixing, warnings } = opened;
  const batching = batchingWithMixedRows(signature.batching, rowMixing);
  if (batching === signature.batching || batching.kind === "on") return opened;
  return {
    ...opened,
    signature: { ...signature, batching },
    warnings: [...warnings, `batching is off: ${batching.reason}`],
  };
}
