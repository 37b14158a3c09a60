// Tests docs/protocols.md against the routes and methods of the edges.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { GRPCInferenceService, Health, sconceV1 } from "@sconce/protocol/messages";
import { systemClock } from "../base/clock.ts";
import { memoryInference } from "./rest/memory-inference.kit.ts";
import { openapiRoutes } from "./rest/openapi/openapi-routes.ts";
import { pageRoutes } from "./rest/page-routes.ts";
import { predictRoutes } from "./rest/predict/predict-routes.ts";
import { rpcRoutes } from "./rest/rpc/rpc-routes.ts";
import { STREAM_ROUTE } from "./rest/stream/stream-routes.ts";
import { v1Routes } from "./rest/v1/v1-routes.ts";
import { generateRoutes } from "./rest/v2/generate-routes.ts";
import { v2ReportRoutes } from "./rest/v2/v2-report-routes.ts";
import { v2RepositoryRoutes } from "./rest/v2/v2-repository-routes.ts";
import { v2Routes } from "./rest/v2/v2-routes.ts";
import { v2SettingRoutes } from "./rest/v2/v2-setting-routes.ts";

const page = readFileSync(fileURLToPath(new URL("../../../../docs/protocols.md", import.meta.url)), "utf8");

test("docs/protocols.md lists every REST route, and none that does not exist", () => {
  const routes = [
    ...v2Routes(),
    ...v2ReportRoutes(),
    ...v2RepositoryRoutes(),
    ...predictRoutes(),
    ...generateRoutes(),
    ...v1Routes(),
    ...rpcRoutes(),
    ...v2SettingRoutes(),
    ...pageRoutes(),
    STREAM_ROUTE,
    ...openapiRoutes([], { inference: memoryInference({}), clock: systemClock }),
  ].flatMap(({ method, urls }) => urls.map((url) => `${method} ${url.replace(/:(\w+)/g, "{$1}")}`));
  const listed = [...page.matchAll(/^\| (GET|POST|PUT) \| ([^|]+) \|/gm)].flatMap(([, method, urls = ""]) =>
    [...urls.matchAll(/`([^`]+)`/g)].map(([, url]) => `${method} ${url}`),
  );
  assert.deepEqual(listed.sort(), routes.sort());
});

test("docs/protocols.md lists every gRPC method", () => {
  for (const { methods, typeName } of [GRPCInferenceService, sconceV1.ModelServing, Health]) {
    assert.ok(page.includes(`\`${typeName}\``), typeName);
    for (const { name } of methods) assert.ok(page.includes(`\`${name}\``), name);
  }
});
