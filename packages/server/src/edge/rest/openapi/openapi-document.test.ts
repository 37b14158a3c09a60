import assert from "node:assert/strict";
import { test } from "node:test";
import { DATATYPES } from "@sconce/protocol";
import { ADD_SUB, identity, memoryInference } from "../memory-inference.kit.ts";
import { type Listening, listen, send } from "../rest-sockets.kit.ts";
import { OPERATIONS } from "./operations.ts";

const served = (): Promise<Listening> =>
  listen(
    memoryInference({ ...Object.fromEntries(DATATYPES.map((type) => [type, identity(type)])), ADD_SUB }),
  );

interface Operation {
  readonly summary: string;
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly example?: unknown }>> };
}

async function operations(edge: Listening): Promise<Map<string, Operation>> {
  const { status, body } = await send(edge.port, { method: "GET", url: "/openapi.json" });
  assert.equal(status, 200);
  const { openapi, paths } = JSON.parse(body.toString()) as {
    readonly openapi: string;
    readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  };
  assert.equal(openapi, "3.1.0");
  return new Map(
    Object.entries(paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => [`${method.toUpperCase()} ${path}`, operation]),
    ),
  );
}

test("every operation that the table describes is there, and no description is left over", async () => {
  const found = await operations(await served());
  for (const [key, { suffix = "", summary }] of Object.entries(OPERATIONS)) {
    const path = `${key.replaceAll(/:(\w+)/g, "{$1}")}${suffix}`;
    assert.equal(found.get(path)?.summary, summary, path);
  }
});

test("routes of models, predictions and health have a description of their own", async () => {
  for (const [path, { summary }] of await operations(await served())) {
    if (!/ \/(predict|v2\/(models|health|repository))/.test(path) || path.includes("trace")) continue;
    assert.ok(!/^(GET|POST|PUT) \//.test(summary), `${path}: give it a line in operations.ts`);
  }
});

test("a served model has paths of its own, whose examples it answers", async () => {
  const edge = await served();
  const found = await operations(edge);
  const names = [...DATATYPES, "ADD_SUB"];
  for (const path of names.flatMap((name) => [`/predict/${name}`, `/v2/models/${name}/infer`])) {
    const operation = found.get(`POST ${path}`);
    const example = operation?.requestBody?.content["application/json"]?.example;
    assert.ok(example !== undefined, path);
    const { status } = await send(edge.port, { method: "POST", url: path, payload: JSON.stringify(example) });
    assert.equal(status, 200, path);
  }
});
