import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateRawSync } from "node:zlib";
import { startServerProcess } from "../server-process.ts";
import { multiplier } from "../stores/file-server.kit.ts";
import { exchange, statusesOf } from "./attack.ts";

const TOKEN = "the-administrators-token";
const RECORD_LIMIT_BYTES = 100_000;
const UPLOADS_BYTES = 16 * 1024 * 1024;
const ONNX = multiplier(1).toString("base64");

/** What somebody says in a body, and the statuses that may come back. */
type Row = readonly [name: string, parameters: unknown, statuses: readonly number[]];

const start = (more: object): unknown => ({ action: "start", version: "2", ...more });

const ROLLOUTS: readonly Row[] = [
  ["a share below nothing", start({ share: "-1%" }), [400]],
  ["a share above all", start({ share: "101%" }), [400]],
  ["a share that is no number", start({ share: "NaN%" }), [400]],
  ["a share without an end", start({ share: "1e999%" }), [400]],
  ["shares that go down", start({ share: "30%, 20%" }), [400]],
  ["100,000 shares", start({ share: "1%,".repeat(100_000) }), [400]],
  ["a share of a megabyte", start({ share: "9".repeat(1_000_000) }), [400]],
  ["a share that is a list", start({ share: [[[]]] }), [400]],
  ["a window of nothing", start({ share: "1%", window: "0s" }), [400]],
  ["a window of ever", start({ share: "1%", window: "1e300s" }), [400]],
  [
    "a setting of a prototype",
    JSON.parse('{"action":"start","version":"2","__proto__":{"share":"1%"}}'),
    [400],
  ],
  ["a setting that there is not", start({ constructor: "x" }), [400]],
  [
    "100,000 settings",
    start(Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`k${i}`, 1]))),
    [400, 413],
  ],
  ["a version that there is not", { action: "start", version: "99999999999999999999" }, [400, 404]],
  ["a version that is a path", { action: "start", version: "../../etc" }, [400, 404]],
  ["an action that there is not", { action: "constructor" }, [400]],
  ["no action", {}, [400]],
];

const UPLOADS: readonly Row[] = [
  ["a path out of the folder", { "file:../../model.onnx": ONNX }, [400]],
  ["an absolute path", { "file:/tmp/model.onnx": ONNX }, [400]],
  ["a path with an end inside", { "file:1/model.onnx\0.txt": ONNX }, [400]],
  ["a hidden file", { "file:.model.onnx": ONNX }, [400]],
  ["code", { "file:model.py": ONNX }, [400]],
  ["a handler", { "file:handler.js": ONNX }, [400]],
  ["settings", { "file:model.yaml": ONNX }, [400]],
  ["a name of a megabyte", { [`file:${"a".repeat(1_000_000)}.onnx`]: ONNX }, [400]],
  [
    "10,000 files",
    Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`file:a${i}.txt`, ""])),
    [400],
  ],
  ["a file in place of a folder", { "file:1/model.onnx": ONNX, "file:1.onnx/x.onnx": ONNX }, [400]],
  ["no base64", { "file:1/model.onnx": "%%%" }, [400]],
  ["a list for a file", { "file:1/model.onnx": [ONNX] }, [400]],
  ["nothing", { "file:1/model.onnx": "" }, [400, 409, 412]],
  ["noise", { "file:1/model.pt2": Buffer.alloc(50_000, "noise").toString("base64") }, [400, 409, 412]],
  ["a zip that becomes 4 GiB", { "file:1/model.pt2": zipBomb().toString("base64") }, [400, 409, 412]],
  [
    "more than there is room for",
    { "file:1/model.onnx": ONNX, "file:a.data": "A".repeat(24_000_000) },
    [413, 429, 507, 503],
  ],
];

/** How often an upload that cannot be loaded is tried again: none may leave anything behind. */
const FAILING_UPLOADS = 40;
const AT_ONCE = 64;

/** A server that is steered by requests, attacked by its administrator and by somebody who is none. What did not hold, in words. */
export async function attackControl(): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), "sconce-control-"));
  const models = join(folder, "models");
  for (const version of [1, 2]) {
    mkdirSync(join(models, "main", String(version)), { recursive: true });
    writeFileSync(join(models, "main", String(version), "model.onnx"), multiplier(version));
  }
  const record = join(folder, "record.jsonl");
  const server = await startServerProcess(
    [
      models,
      "--model-control=explicit",
      "--load-models=main",
      "--allow-model-upload",
      `--uploads-size=${UPLOADS_BYTES}`,
      "--max-body=64MiB",
      `--record=${record}`,
      `--record-limit=${RECORD_LIMIT_BYTES}`,
      "--log-level=error",
    ],
    // Requests are recorded by one process only.
    { env: { SCONCE_ADMIN_TOKEN: TOKEN, SCONCE_EDGES: "1" } },
  );
  const problems: string[] = [];
  const check = (name: string, status: number, statuses: readonly number[], text = ""): void => {
    if (!statuses.includes(status)) problems.push(`${name}: answered with ${status} ${text.slice(0, 200)}`);
  };
  const post = async (path: string, parameters: unknown, token = TOKEN) => {
    const headers = { "Content-Type": "application/json", Authorization: `Bearer ${token}` };
    const body = JSON.stringify({ parameters });
    const response = await fetch(`${server.url}/v2/repository/models/${path}`, {
      method: "POST",
      headers,
      body,
    });
    return [response.status, await response.text()] as const;
  };
  const infer = async (headers: Readonly<Record<string, string>> = {}): Promise<number> => {
    const input = { name: "x", datatype: "FP32", shape: [1, 1], data: [1] };
    const response = await fetch(`${server.url}/v2/models/main/infer`, {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        Authorization: "Bearer a-secret-of-somebody",
        ...headers,
      },
      body: JSON.stringify({ inputs: [input] }),
    });
    await response.arrayBuffer();
    return response.status;
  };
  try {
    for (const [name, parameters, statuses] of ROLLOUTS) {
      const [status, text] = await post("main/rollout", parameters);
      check(`a rollout: ${name}`, status, statuses, text);
    }
    check("a rollout by nobody", (await post("main/rollout", start({ share: "1%" }), "wrong"))[0], [403]);
    const begun = await Promise.all(
      Array.from({ length: AT_ONCE }, () => post("main/rollout", start({ share: "50%" }))),
    );
    for (const [status, text] of begun)
      check("a rollout begun by many at once", status, [200, 400, 409], text);
    for (const value of ["k".repeat(300), "\u00ff".repeat(8000), "always, never", "{}"])
      check("a request with an odd x-sconce-rollout", await infer({ "x-sconce-rollout": value }), [200, 400]);
    const long = `POST /v2/models/main/infer HTTP/1.1\r\nHost: localhost\r\nX-Sconce-Rollout: ${"k".repeat(65_536)}\r\nContent-Length: 0\r\n\r\n`;
    const target = { port: Number(new URL(server.url).port), entry: undefined };
    check(
      "a header of 64 KB",
      statusesOf(await exchange(target, [long], { isEnough: (text) => text.includes("\r\n\r\n") }))[0] ?? 0,
      [431],
    );
    for (const [name, parameters, statuses] of UPLOADS) {
      const [status, text] = await post("brought/load", parameters);
      check(`an upload: ${name}`, status, statuses, text);
      if (text.includes("sconce-")) problems.push(`an upload: ${name}: the answer names a path: ${text}`);
    }
    for (let i = 0; i < FAILING_UPLOADS; i++)
      check(
        "an upload that fails again",
        (await post(`brought${i}/load`, { "file:1/model.onnx": "AAAA" }))[0],
        [400, 409, 412],
      );
    const [status, text] = await post("brought/load", {
      "file:1/model.onnx": ONNX,
      "file:a.data": "A".repeat(20_000_000),
    });
    check("an upload of nearly all the room after those", status, [200], text);
    check(
      "a model's name that is a path",
      (await post("..%2f..%2fetc/load", { "file:1/model.onnx": ONNX }))[0],
      [400, 404],
    );
    for (let i = 0; i < 300; i++) await infer();
    check("a good request in the end", await infer(), [200]);
    if (statSync(record).size > RECORD_LIMIT_BYTES) problems.push("--record-limit does not hold");
    if (/secret/i.test(readFileSync(record, "latin1"))) problems.push("--record keeps secrets");
  } finally {
    const { code } = await server.stop();
    if (code !== 0) problems.push(`the server ended with ${code}`);
    rmSync(folder, { recursive: true });
  }
  return problems;
}

/** A zip whose only entry is 4 MiB of zeros, which says that it has 4 GiB. */
function zipBomb(): Buffer {
  const name = Buffer.from("archive/data.pkl");
  const data = deflateRawSync(Buffer.alloc(4 * 1024 * 1024));
  const sizes = Buffer.alloc(12);
  sizes.writeUInt32LE(0, 0);
  sizes.writeUInt32LE(data.length, 4);
  sizes.writeUInt32LE(0xfffffff0, 8);
  const local = Buffer.concat([
    Buffer.from("504b03041400000008000000000000000000".slice(0, 28), "hex"),
    sizes,
    Buffer.from([name.length, 0, 0, 0]),
    name,
    data,
  ]);
  const central = Buffer.concat([
    Buffer.from("504b0102140014000000080000000000", "hex"),
    sizes,
    Buffer.from([name.length, 0]),
    Buffer.alloc(16),
    name,
  ]);
  const end = Buffer.alloc(22);
  end.write("504b0506", "hex");
  end.writeUInt16LE(1, 8);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(local.length, 16);
  return Buffer.concat([local, central, end]);
}
