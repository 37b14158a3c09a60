import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Route } from "./route.ts";
import { createRouteTable } from "./route-table.ts";

const route = (method: Route["method"], ...urls: string[]): Route => ({ method, urls, run: () => {} });
const ROOT = route("GET", "/");
const SERVER = route("GET", "/v2", "/v2/");
const ALL_STATS = route("GET", "/v2/models/stats");
const MODEL = route("GET", "/v2/models/:model", "/v2/models/:model/versions/:version");
const INFER = route("POST", "/v2/models/:model/infer", "/v2/models/:model/versions/:version/infer");
const READ_CONFIG = route("GET", "/config");
const WRITE_CONFIG = route("POST", "/config");

const table = createRouteTable([ROOT, SERVER, MODEL, ALL_STATS, INFER, READ_CONFIG, WRITE_CONFIG]);

function found(method: string, target: string): unknown {
  const match = table.find(method, target);
  return match.route === undefined
    ? [match.error.reason, match.allow]
    : [match.route, Object.values(match.params)];
}

test("URLs lead to their routes, with the names in them", () => {
  const expected: Array<[target: string, route: Route, names: string[]]> = [
    ["/", ROOT, []],
    ["/v2", SERVER, []],
    ["/v2/", SERVER, []],
    ["/v2?x=/models", SERVER, []],
    ["/v2?x=%zz", SERVER, []],
    ["/v2#part", SERVER, []],
    ["/%76%32", SERVER, []],
    ["http://host:80/v2", SERVER, []],
    ["HTTP://host", ROOT, []],
    ["http://host/", ROOT, []],
    ["/v2/models/stats", ALL_STATS, []],
    ["/v2/models/stats/versions/1", MODEL, ["stats", "1"]],
    ["/v2/models/digits", MODEL, ["digits"]],
    ["/v2/models/", MODEL, [""]],
    ["/v2/models/a%2Fb", MODEL, ["a/b"]],
    ["/v2/models/%E2%82%AC", MODEL, ["€"]],
    ["/v2/models/__proto__", MODEL, ["__proto__"]],
    ["/v2/models/digits/versions/3", MODEL, ["digits", "3"]],
  ];
  for (const [target, to, names] of expected) {
    assert.deepEqual(found("GET", target), [to, names], `GET ${target}`);
    assert.deepEqual(found("HEAD", target), [to, names], `HEAD ${target}`);
  }
  assert.deepEqual(found("POST", "/v2/models/stats/infer"), [INFER, ["stats"]]);
});

test("what leads nowhere is not found: other letters, slashes at the end, more or less of a URL", () => {
  const targets = [
    "/V2",
    "/v2//",
    "//",
    "",
    "*",
    "v2",
    "/v2/models",
    "/v2/models//",
    "/v2/models/m/",
    "/v2%2F",
  ];
  for (const target of [
    ...targets,
    "/v2/models/m/versions",
    "/v2/models/m/infer/x",
    "/__proto__",
    "/v2/..",
  ]) {
    assert.deepEqual(found("GET", target), ["no_such_url", undefined], target);
  }
});

test("a wrong method is told which methods the URL has", () => {
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get", ""]) {
    assert.deepEqual(found(method, "/v2"), ["method_not_allowed", "GET, HEAD"], method);
  }
  assert.deepEqual(found("GET", "/v2/models/m/infer"), ["method_not_allowed", "POST"]);
  assert.deepEqual(found("PUT", "/config"), ["method_not_allowed", "GET, HEAD, POST"]);
  assert.deepEqual(found("POST", "/config"), [WRITE_CONFIG, []]);
});

test("a slash too many is told the URL without, by the method that was asked", () => {
  const read = route("GET", "/v1/models/:model");
  const predict = route("POST", "/v1/models/:model");
  const { find } = createRouteTable([read, predict]);
  for (const method of ["GET", "POST"]) {
    const match = find(method, "/v1/models/m:run/");
    assert.ok(match.route === undefined);
    assert.match(match.error.message, new RegExp(`did you mean ${method} /v1/models/m:run\\?`));
  }
});

test("percent-encoding that does not decode is a bad URL, wherever it leads", () => {
  for (const target of ["/%", "/nothing/%zz", "/v2/models/%C3", "/v2/%c0%ae"]) {
    assert.deepEqual(found("GET", target), ["bad_url", undefined], target);
  }
});

test("any name that is encoded into a URL comes back as it was", () => {
  // Graphemes only: half a surrogate pair cannot be encoded.
  const name = fc.string({ unit: "grapheme" });
  fc.assert(
    fc.property(name, name, (model, version) => {
      const url = `/v2/models/${encodeURIComponent(model)}/versions/${encodeURIComponent(version)}/infer`;
      const match = table.find("POST", url);
      assert.equal(match.route, INFER);
      assert.deepEqual(match.params, { model, version });
    }),
  );
});
