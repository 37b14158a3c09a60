import assert from "node:assert/strict";
import { test } from "node:test";
import type { ModelDescription } from "../base/model-description.ts";
import { loadConfig } from "../config/load-config.ts";
import { modelCaps } from "../config/model-caps.ts";
import { candidateOf } from "../models/models.kit.ts";
import { ownExecutionTimeoutMs, ownQueueSettings } from "./own-settings.ts";

const caps = modelCaps(loadConfig({}).server, { cores: 4, memoryBytes: 2 ** 30 });
const asks = { maxQueueDelayMs: 50, maxQueueSize: 33, executionTimeoutMs: 1e12 };
// Only what it asks for is read.
const description = { asks } as ModelDescription;

test("what an archive asks for counts where its model.yaml says nothing, within what the operator allows", () => {
  const silent = candidateOf("m");
  assert.deepEqual(ownQueueSettings(description, silent, caps), { maxQueueDelayMs: 50, maxQueueSize: 33 });
  assert.equal(ownExecutionTimeoutMs(description, silent, caps), caps.timeoutMs);
  const settings = { name: "model.yaml", values: { max_queue_size: 5 } };
  const said = candidateOf("m", { settings });
  assert.deepEqual(ownQueueSettings(description, said, caps), { maxQueueDelayMs: 50 });
});
