// Tests that every command which asks a server can ask one with TLS, client certificates and API keys.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type RunningServer, startServer } from "../app/start-server.ts";
import { loadConfig } from "../config/load-config.ts";
import { makeCertificate } from "../edge/certificates.kit.ts";
import { makeKey } from "../gate/api-keys.ts";
import { unary } from "../runtime/onnx/tiny-onnx.kit.ts";
import { main } from "./main.ts";

const folder = mkdtempSync(join(tmpdir(), "sconce-access-"));
const at = (name: string): string => join(folder, name);
const DIMS = ["batch", 2];
const ca = makeCertificate({ name: "our CA", isCa: true });
const [own, client] = [
  makeCertificate({ name: "server", by: ca }),
  makeCertificate({ name: "client", by: ca }),
];
const scopes = ["infer", "metrics"] as const;
const { key, record } = makeKey({ name: "cli", models: ["*"], scopes, created: "" });

let server: RunningServer;
before(async () => {
  writeFileSync(
    at("negate.onnx"),
    unary("Neg", { name: "x", type: "FP32", dims: DIMS }, { type: "FP32", dims: DIMS }),
  );
  const files: Readonly<Record<string, string | Buffer>> = {
    "ca.pem": ca.cert,
    "own.pem": own.cert,
    "own.key": own.key,
    "client.pem": client.cert,
    "client.key": client.key,
    "keys.json": JSON.stringify({ keys: [record] }),
    "key.txt": `${key}\n`,
    "input.json": "[1, 2]",
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(at(name), content);
  const flags = new Map([
    ["--port", "0"],
    ["--tls-cert", at("own.pem")],
    ["--tls-key", at("own.key")],
    ["--tls-client-ca", at("ca.pem")],
    ["--api-keys", at("keys.json")],
  ]);
  server = await startServer({ paths: [at("negate.onnx")], config: loadConfig({ flags }) });
  await server.settled;
});
after(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

async function run(
  argv: readonly string[],
  env: Record<string, string> = {},
): Promise<{ readonly code: number; readonly text: string }> {
  let text = "";
  const into = { write: (piece: string) => (text += piece) };
  const code = await main(argv, { stdout: into, stderr: into, env, readStdin: async () => Buffer.alloc(0) });
  return { code, text };
}

const TLS = ["--ca", at("ca.pem"), "--cert", at("client.pem"), "--key", at("client.key")];
const WITH_FILE = [...TLS, "--api-key-file", at("key.txt")];
// It ends with the requests, however slow the machine: only its last bound is a time.
const SHORT = ["--max-requests", "20", "--warm-up", "0", "--connections", "1", "--duration", "60s"];

test("predict, list, types, why and bench ask a server with TLS and keys", async () => {
  const url = ["--url", server.url];
  const commands: readonly (readonly [readonly string[], RegExp])[] = [
    [["predict", "negate", "--input", at("input.json"), "--json", ...url], /"prediction":\[-1,-2\]/],
    [["list", ...url], /^negate +1 +READY[\s\S]*x: FP32/],
    [["types", server.url], /negate/],
    [["bench", "negate", ...url, ...SHORT], /negate at https:/],
    [["bench", "negate", ...url, ...SHORT, "--protocol", "grpc"], /grpc/],
    [
      ["bench", `${server.url.replace("http", "grpc")}/negate`, ...SHORT, "--protocol", "grpc-stream"],
      /grpc-stream/,
    ],
    [["why", "negate", ...url, "--window", "60s", "--load", "--requests", "20"], /negate/],
    [["curl", "negate", ...url], /^curl -s --cacert \S+ .*-H "Authorization: Bearer \$\(cat \S+\)" https:/],
  ];
  for (const [argv, expected] of commands) {
    const { code, text } = await run([...argv, ...WITH_FILE]);
    assert.equal(code, 0, `${argv.join(" ")}: ${text}`);
    assert.match(text, expected);
    assert.ok(!text.includes(key));
  }
});

test("the key may come from the environment; without it, or without trust, it is said what is missing", async () => {
  const list = ["list", "--url", server.url];
  assert.equal((await run([...list, ...TLS], { SCONCE_API_KEY: key })).code, 0);
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [
      [...list, ...TLS],
      /the server answered 401: this needs a key or token; put it into SCONCE_API_KEY, or name its file with --api-key-file/,
    ],
    [["types", server.url, ...TLS], /the server answered 401: this needs a key or token; put it into/],
    [list, /the certificate of https:\S+ is not trusted here \([A-Z_]+\); pass its CA with --ca/],
    [["list", "--url", server.url.replace("https", "http")], /the server answered 400: this port speaks TLS/],
    [[...list, "--cert", at("client.pem")], /--cert and --key go together/],
    [[...list, "--ca", at("nowhere")], /--ca: .*nowhere: it does not exist/],
  ];
  for (const [argv, words] of cases) {
    const { code, text } = await run(argv);
    assert.notEqual(code, 0);
    assert.match(text, words);
  }
});
