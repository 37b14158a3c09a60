import assert from "node:assert/strict";
import { test } from "node:test";
import { identity, memoryInference } from "../memory-inference.kit.ts";
import { BODY, listen, raw, statusOf } from "../rest-sockets.kit.ts";

const { port } = await listen(memoryInference({ echo: identity("FP32") }));

/** What a request is answered with; `lines` follow the request line. */
function ask(requestLine: string, ...lines: string[]): Promise<string> {
  return raw(
    port,
    `${requestLine}\r\n${lines.map((line) => `${line}\r\n`).join("")}Connection: close\r\n\r\n`,
  );
}

test("a request that names two hosts, or none that can be one, is not guessed about", async () => {
  for (const host of [
    "a",
    "a.example:8080",
    "127.0.0.1",
    "[::1]:80",
    "[fe80::1]",
    "xn--e1afmkfd.example",
    "a_b",
    "a:",
  ])
    assert.equal(statusOf(await ask("GET /v2 HTTP/1.1", `Host: ${host}`)), 200, host);
  for (const host of [
    "",
    "a b",
    "a/b",
    "user@a",
    "a:b",
    "a:123456",
    "a,b",
    "[::1",
    "::1",
    "http://a",
    "a?",
    "a#b",
  ]) {
    const answer = await ask("GET /v2 HTTP/1.1", `Host: ${host}`);
    assert.equal(statusOf(answer), host === "a,b" ? 200 : 400, host);
  }
  for (const version of ["1.1", "1.0"]) {
    const answer = await ask(`GET /v2 HTTP/${version}`, "Host: a", "X-Between: 1", "hOST: a");
    assert.match(answer, /^HTTP\/1\.1 400 .*two Host headers/s, version);
  }
});

test("HTTP/1.0 and 1.1 are spoken; any other version is 505", async () => {
  assert.equal(statusOf(await ask("GET /v2 HTTP/1.0")), 200);
  for (const version of ["0.9", "1.2", "2.0", "3.0", "9.9"])
    assert.equal(statusOf(await ask(`GET /v2 HTTP/${version}`, "Host: a")), 505, version);
  for (const version of ["x", "1", "1.10", "11.1", "-1.1"])
    assert.match(await ask(`GET /v2 HTTP/${version}`, "Host: a"), /^HTTP\/1\.1 (400|505) /, version);
});

test("TRACE and CONNECT are not taken, whatever they name", async () => {
  for (const target of ["/v2", "/nothing", "*", "a.example:443"]) {
    for (const method of ["TRACE", "CONNECT"]) {
      const answer = await ask(`${method} ${target} HTTP/1.1`, "Host: a");
      if (method === "CONNECT" && target !== "a.example:443")
        assert.match(answer, /^HTTP\/1\.1 40[05] /, target);
      else if (target === "a.example:443" && method === "TRACE") assert.match(answer, /^HTTP\/1\.1 40[05] /);
      else assert.match(answer, /^HTTP\/1\.1 405 .*\r\nAllow: GET, HEAD/s, `${method} ${target}`);
    }
  }
});

test("Expect is not for HTTP/1.0: no interim response comes, and no strange expectation fails", async () => {
  const head = `POST /v2/models/echo/infer HTTP/1.0\r\nContent-Length: ${BODY.length}\r\n`;
  for (const expect of ["100-continue", "something else"]) {
    const answer = await raw(port, `${head}Expect: ${expect}\r\n\r\n`, BODY);
    assert.match(answer, /^HTTP\/1\.1 200 OK\r\n/, expect);
    assert.doesNotMatch(answer, /100 Continue/);
  }
  const refused = await raw(port, `${head.replace("echo", "nope")}Expect: 100-continue\r\n\r\n`, BODY);
  assert.equal(statusOf(refused), 404);
});
