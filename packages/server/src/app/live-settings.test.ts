import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfig } from "../config/load-config.ts";
import type { ServerConfig } from "../config/server-options.ts";
import { createLiveSettings } from "./live-settings.ts";

const configured = (...flags: [string, string][]): ServerConfig =>
  loadConfig({ env: {}, flags: new Map(flags) }).server;

test("quota and log level change, and what needs a restart is named", () => {
  const live = createLiveSettings(configured(["--tenant-quota", "5"]));
  assert.deepEqual(live.tenantRate, { perSecond: 5, burst: 10 });
  const next = configured(["--tenant-quota", "7"], ["--tenant-quota-burst", "3"], ["--log-level", "debug"]);
  assert.deepEqual(live.apply(next), []);
  assert.deepEqual([live.tenantRate, live.logLevel], [{ perSecond: 7, burst: 3 }, "debug"]);
  assert.deepEqual(live.apply(configured(["--port", "9"], ["--host", "::1"])), ["--host", "--port"]);
  assert.deepEqual([live.tenantRate, live.logLevel], [undefined, "info"]);
});
