// Tests the built server: models whose own files mean to stop it (hostile-models.ts), beside one that serves.
import assert from "node:assert/strict";
import { test } from "node:test";
import { serveHostileModels } from "./hostile-models.ts";

test("model.yaml files that stop their reader, and links out of the folder, cost their own models only", async () => {
  assert.deepEqual(await serveHostileModels(), []);
});
