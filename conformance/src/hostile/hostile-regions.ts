import { randomBytes } from "node:crypto";
import {
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { MODELS_FOLDER } from "../expected-digits.ts";
import { startServerProcess } from "../server-process.ts";

const FOLDER = "/dev/shm";
/** What the example's model takes and gives, in bytes. */
const IMAGE_BYTES = 4 * 64;
const LABELLED = 4 * 10;
const HUGE = ["9223372036854775807", "18446744073709551615", "18446744073709551616", "1e30"] as const;
const RUNS = 20;

/** Attacks a server with shared memory of the system: names, sizes, files that change; what is not as it must be. */
export async function attackRegions(): Promise<string[]> {
  const own = `sconce-hostile-${randomBytes(6).toString("hex")}`;
  const path = `${FOLDER}/${own}`;
  const made = [path, `${path}-link`, `${path}-folder`, `${path}-other`];
  writeFileSync(path, Buffer.alloc(4096));
  symlinkSync("/etc/hostname", `${path}-link`);
  mkdirSync(`${path}-folder`);
  const server = await startServerProcess([
    MODELS_FOLDER,
    // Regions belong to one process.
    ...["--log-level", "error", "--shared-memory", "system", "--edges", "1"],
  ]);
  const problems: string[] = [];
  const ask = async (what: string, body?: string): Promise<number> => {
    const response = await fetch(`${server.url}${what}`, { method: "POST", body: body ?? null });
    const text = await response.text();
    if (/\/dev\/|\/proc\/|\/etc\//.test(text.replaceAll("a file in /dev/shm", "")))
      problems.push(`${what}: tells of files: ${text.slice(0, 200)}`);
    return response.status;
  };
  const register = (
    name: string,
    key: string,
    offset: string | number,
    size: string | number,
  ): Promise<number> =>
    ask(
      `/v2/systemsharedmemory/region/${encodeURIComponent(name)}/register`,
      `{"key":${JSON.stringify(key)},"offset":${offset},"byte_size":${size}}`,
    );
  const expect = (what: string, found: number, ...right: readonly number[]): void => {
    if (!right.includes(found)) problems.push(`${what}: ${found}`);
  };
  const infer = (): Promise<number> => ask("/v2/models/digits/infer", placed());
  try {
    for (const key of [
      "",
      "/",
      ".",
      "..",
      "a/b",
      "../etc/hostname",
      `${own}-link`,
      `${own}-folder`,
      `${own}\0x`,
      "x".repeat(5000),
    ])
      expect(`the key ${key.slice(0, 40)}`, await register("bad", key, 0, 1), 400);
    for (const size of HUGE) {
      expect(`a size of ${size}`, await register("bad", own, 0, size), 400);
      expect(`an offset of ${size}`, await register("bad", own, size, 1), 400);
      expect(`both of ${size}`, await register("bad", own, size, size), 400);
    }
    expect("a size of -1", await register("bad", own, 0, -1), 400);
    expect("a name of control characters", await register("\u001b[2J\r\n\0", own, 0, 1), 200, 400);
    expect("in", await register("in", own, 0, IMAGE_BYTES), 200);
    expect("out", await register("out", own, IMAGE_BYTES, LABELLED), 200);
    expect("a good request", await infer(), 200);
    // Its file becomes shorter and longer while requests read and write it: a mapped one would end the server.
    const runs = Array.from({ length: RUNS }, (_, i) => {
      truncateSync(path, i % 2 === 0 ? 0 : 4096);
      return infer();
    });
    for (const status of await Promise.all(runs)) expect("a file that changes its size", status, 200, 400);
    truncateSync(path, 0);
    expect("a file of nothing", await infer(), 400);
    expect("and nothing was written to it", readFileSync(path).length, 0);
    truncateSync(path, 4096);
    // Another file of this name is not the one that was registered.
    writeFileSync(`${path}-other`, Buffer.alloc(4096, 1));
    renameSync(`${path}-other`, path);
    expect("its file replaced", await infer(), 200);
    expect("bytes of the other file", readFileSync(path).filter((byte) => byte !== 1).length, 0);
    const used = Promise.all(Array.from({ length: RUNS }, infer));
    expect("unregister all", await ask("/v2/systemsharedmemory/unregister"), 200);
    for (const status of await used) expect("unregistered while it is used", status, 200, 400, 404);
    const counts = new Map<number, number>();
    for (let i = 0; i < 1_100; i++) {
      const status = await register(`r${i}`, own, 0, 1);
      counts.set(status, (counts.get(status) ?? 0) + 1);
    }
    if (!(counts.get(429)! > 0) || counts.size !== 2)
      problems.push(`1,100 regions: ${JSON.stringify([...counts])}`);
    expect("a good request in the end", (await fetch(`${server.url}/v2/health/ready`)).status, 200);
  } finally {
    const { code } = await server.stop();
    if (code !== 0) problems.push(`SIGTERM ended it with ${code}`);
    for (const one of made) rmSync(one, { recursive: true, force: true });
  }
  return problems;
}

/** A request whose input and output lie in regions. */
function placed(): string {
  const place = (region: string, bytes: number): object => ({
    shared_memory_region: region,
    shared_memory_byte_size: bytes,
  });
  return JSON.stringify({
    inputs: [{ name: "image", datatype: "FP32", shape: [1, 1, 8, 8], parameters: place("in", IMAGE_BYTES) }],
    outputs: [{ name: "probabilities", parameters: place("out", LABELLED) }],
  });
}
