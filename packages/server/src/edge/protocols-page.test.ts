// Tests docs/protocols.md against the routes and methods of the edges.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { GRPCInferenceService, Health, sconceV1 } from "@sconce/protocol/messages";
import { ModelService, PredictionService } from "@sconce/protocol/tensorflow";
import { systemClock } from "../base/clock.ts";
import type { RestContext } from "./rest/call/rest-context.ts";
import { restRoutes } from "./rest/rest-routes.ts";

const page = readFileSync(fileURLToPath(new URL("../../../../docs/protocols.md", import.meta.url)), "utf8");

test("docs/protocols.md lists every REST route, and none that does not exist", () => {
  const context = { clock: systemClock } as unknown as RestContext; // nothing of it is asked here
  const routes = restRoutes(context, undefined).flatMap(({ method, urls }) =>
    urls.map((url) => `${method} ${url.replace(/:(\w+)/g, "{$1}")}`),
  );
  const listed = [...page.matchAll(/^\| (GET|POST|PUT) \| ([^|]+) \|/gm)].flatMap(([, method, urls = ""]) =>
    [...urls.matchAll(/`([^`]+)`/g)].map(([, url]) => `${method} ${url}`),
  );
  assert.deepEqual(listed.sort(), routes.sort());
});

test("docs/protocols.md lists every gRPC method", () => {
  for (const { methods, typeName } of [
    GRPCInferenceService,
    sconceV1.ModelServing,
    Health,
    PredictionService,
    ModelService,
  ]) {
    assert.ok(page.includes(`\`${typeName}\``), typeName);
    for (const { name } of methods) assert.ok(page.includes(`\`${name}\``), name);
  }
});
