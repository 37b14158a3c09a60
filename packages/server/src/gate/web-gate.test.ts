import assert from "node:assert/strict";
import { test } from "node:test";
import { createWebGate, type WebGateOptions } from "./web-gate.ts";

const LOCAL: WebGateOptions = {
  boundHost: "127.0.0.1",
  isLoopback: true,
  corsOrigins: [],
  allowedHosts: [],
};
const PUBLIC = { ...LOCAL, boundHost: "0.0.0.0", isLoopback: false };

function hosts(options: Partial<WebGateOptions>, names: readonly string[]): string[] {
  const gate = createWebGate({ ...LOCAL, ...options });
  return names.filter((name) => gate.check(name, undefined) === undefined);
}

const OURS = [
  "localhost",
  "LOCALHOST:8080",
  "localhost.",
  "api.localhost:1",
  "127.0.0.1",
  "127.0.0.1:8080",
  "127.255.1.2",
  "[::1]",
  "[::1]:8080",
];
const FOREIGN = [
  "evil.example",
  "localhost.evil.example",
  "127.0.0.1.evil.example",
  "127.evil.example:8080",
  "evil-localhost",
  "0.0.0.0:8080",
  "10.0.0.1",
  "[::2]",
  "[fe80::1]:80",
  "[::1",
  "",
  "::1.evil.example",
];

test("a server on a loopback address is known by names that mean this machine, and by no others", () => {
  assert.deepEqual(hosts({}, OURS), OURS);
  assert.deepEqual(hosts({}, FOREIGN), []);
});

test("the bound address and the names that are listed are known, with any port", () => {
  assert.deepEqual(hosts({ boundHost: "box.lan" }, ["box.lan", "BOX.lan:80", "other.lan"]), [
    "box.lan",
    "BOX.lan:80",
  ]);
  const allowedHosts = ["api.example", "*.models.example", "10.0.0.1"];
  const asked = [
    "API.example:443",
    "x.api.example",
    "models.example",
    "a.models.example",
    "a.b.models.example.",
    "10.0.0.1",
  ];
  assert.deepEqual(hosts({ allowedHosts }, asked), [asked[0], asked[3], asked[4], asked[5]]);
  assert.deepEqual(hosts({ allowedHosts: ["*"] }, FOREIGN), FOREIGN);
});

test("a public address has any name until some are listed; then still every address, for probes", () => {
  assert.deepEqual(hosts(PUBLIC, FOREIGN), FOREIGN);
  const asked = ["api.example", "evil.example", "10.0.0.1:8080", "[fe80::1]:80", "localhost"];
  assert.deepEqual(hosts({ ...PUBLIC, allowedHosts: ["api.example"] }, asked), asked.toSpliced(1, 1));
});

test("a host that is known does not make the next one known", () => {
  const gate = createWebGate(LOCAL);
  for (let i = 0; i < 3; i++) {
    assert.equal(gate.check("localhost", undefined), undefined);
    assert.equal(gate.check("evil.example", undefined)?.reason, "foreign_host");
  }
  assert.equal(gate.check(undefined, undefined), undefined, "HTTP/1.0 names none");
});

test("pages of the server's own origin come in, those of others when they are listed", () => {
  const check = (origin: string, corsOrigins: string[] = [], host = "localhost:8080"): string | undefined =>
    createWebGate({ ...LOCAL, corsOrigins }).check(host, origin)?.reason;
  assert.equal(check("http://localhost:8080"), undefined);
  assert.equal(check("https://localhost:8080"), undefined, "a proxy ends TLS");
  for (const origin of [
    "https://evil.example",
    "http://localhost:3000",
    "http://localhost",
    "http://127.0.0.1:8080",
    "null",
    "",
    "http://localhost:8080.evil.example",
    "http://localhost:8080, https://evil.example",
    "file://",
  ]) {
    assert.equal(check(origin), "foreign_origin", origin);
    assert.equal(check(origin, ["*"]), undefined, origin);
  }
  const listed = ["https://App.example:443", "http://localhost:3000", "vscode-webview://abc"];
  assert.equal(check("https://app.example", listed), undefined);
  assert.equal(check("http://localhost:3000", listed), undefined);
  assert.equal(check("vscode-webview://abc", listed), undefined);
  for (const origin of ["http://app.example", "https://app.example:8443", "https://x.app.example", "null"])
    assert.equal(check(origin, listed), "foreign_origin", origin);
});

test("credentials are for pages that are listed, never for all", () => {
  const headers = (corsOrigins: string[], origin?: string): string =>
    createWebGate({ ...LOCAL, corsOrigins })
      .responseHeaders(origin)
      .join(" ");
  assert.equal(headers([], "https://app.example"), "");
  assert.equal(headers(["https://app.example"]), "Vary Origin");
  assert.equal(headers(["https://app.example"], "https://evil.example"), "Vary Origin");
  assert.match(
    headers(["https://app.example"], "https://app.example"),
    /^Vary Origin Access-Control-Allow-Origin https:\/\/app\.example Access-Control-Allow-Credentials true /,
  );
  for (const list of [["*"], ["https://app.example", "*"]]) {
    assert.match(headers(list, "https://app.example"), /^Access-Control-Allow-Origin \* /);
    assert.doesNotMatch(headers(list, "https://app.example"), /Credentials/);
  }
});

test("an option that cannot be what was meant is refused", () => {
  for (const origin of [
    "app.example",
    "https://app.example/",
    "https://app.example/x",
    "https://u@a",
    "null",
    "http://",
    "",
  ])
    assert.throws(() => createWebGate({ ...LOCAL, corsOrigins: [origin] }), { reason: "bad_option" }, origin);
  for (const host of ["a:80", "http://a", "a/b", "*.*", "**", "a b", "", "*.", ".a"])
    assert.throws(() => createWebGate({ ...LOCAL, allowedHosts: [host] }), { reason: "bad_option" }, host);
});
