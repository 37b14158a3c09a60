// Tests a server with edge processes behind TLS and API keys.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { loadConfig } from "../../config/load-config.ts";
import { makeCertificate } from "../../edge/certificates.kit.ts";
import { makeKey } from "../../gate/api-keys.ts";
import { unary } from "../../runtime/onnx/tiny-onnx.kit.ts";
import { type RunningServer, startServer } from "../start-server.ts";

const folder = mkdtempSync(join(tmpdir(), "sconce-guarded-edges-"));
const write = (name: string, content: string | Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};
const DIMS = ["batch", 2];
const model = write(
  "negate.onnx",
  unary("Neg", { name: "x", type: "FP32", dims: DIMS }, { type: "FP32", dims: DIMS }),
);
const ca = makeCertificate({ name: "our CA", isCa: true });
const { cert, key } = makeCertificate({ name: "own", by: ca });
const newKey = () => makeKey({ name: "client", models: ["*"], scopes: ["infer"], created: "" });
const [first, second] = [newKey(), newKey()];
const keysFile = (record: object) => write("keys.json", JSON.stringify({ keys: [record] }));

let server: RunningServer | undefined;
/** Two connections, one at each process. */
const agents = [0, 1].map(() => new Agent({ keepAlive: true, maxSockets: 1, ca: ca.cert }));
before(async () => {
  const flags = new Map([
    ["--port", "0"],
    ["--edges", "2"],
    ["--tls-cert", write("own.pem", cert)],
    ["--tls-key", write("own.key", key)],
    ["--api-keys", keysFile(first.record)],
  ]);
  server = await startServer({ paths: [model], config: loadConfig({ flags }) });
  await server.settled;
});
after(async () => {
  for (const agent of agents) agent.destroy();
  await server?.stop();
  rmSync(folder, { recursive: true });
});

function ask(
  agent: Agent,
  method: string,
  path: string,
  token: string | undefined,
): Promise<[number, string]> {
  return new Promise((resolve, reject) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const outgoing = request(`${server!.url}${path}`, { method, agent, headers }, async (response) => {
      let text = "";
      for await (const piece of response.setEncoding("utf8")) text += piece;
      resolve([response.statusCode ?? 0, text]);
    });
    outgoing.on("error", reject);
    outgoing.end(method === "POST" ? '{"input":[[1,2]]}' : undefined);
  });
}

test("each process asks for keys, its own inferences and what it passes on alike", async () => {
  for (const agent of agents) {
    assert.deepEqual(await ask(agent, "POST", "/predict/negate", first.key), [
      200,
      '{"prediction":[[-1,-2]]}',
    ]);
    assert.equal((await ask(agent, "POST", "/predict/negate", undefined))[0], 401);
    assert.equal((await ask(agent, "GET", "/v2/models/negate", first.key))[0], 200);
    assert.equal((await ask(agent, "GET", "/v2/models/negate", second.key))[0], 401);
    assert.equal((await ask(agent, "GET", "/v2/health/ready", undefined))[0], 200);
  }
});

test("once keys are read again no process takes an old one, on connections that used it", async () => {
  keysFile(second.record);
  await server!.reload();
  for (const agent of agents) {
    assert.equal((await ask(agent, "POST", "/predict/negate", first.key))[0], 401);
    assert.equal((await ask(agent, "POST", "/predict/negate", second.key))[0], 200);
  }
});
