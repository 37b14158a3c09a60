import type { QuantizedPrecision } from "@sconce/torch";
import { ServeError } from "../../base/errors.ts";
import type { LoadOptions } from "../runtime.ts";

/** What weights become at load; undefined: they stay as they are. Throws for what ONNX Runtime does not calculate in. */
export function weightPrecision({
  precision,
}: Pick<LoadOptions, "precision">): QuantizedPrecision | undefined {
  if (precision === "float32") return undefined;
  if (precision !== "bfloat16") return precision;
  throw new ServeError(
    "failed_precondition",
    "precision bfloat16 is for models that PyTorch runs: leave runtime: onnx out, or choose float16",
    { reason: "option_unsupported" },
  );
}
