// Tests models that see, fill in and take apart texts and images against transformers' pipeline.
import { test } from "node:test";
import { comparePredictions, startTaskServer } from "./tasks-equal.kit.ts";

test("tokens, masks, labels and features are transformers' own", async (t) => {
  const made = await startTaskServer(t, [
    "token-classification",
    "fill-mask",
    "zero-shot-classification",
    "feature-extraction",
    "image-feature-extraction",
  ]);
  if (made === undefined) return;
  await comparePredictions(t, made, { absolute: 2e-5, relative: 1e-4 });
});
