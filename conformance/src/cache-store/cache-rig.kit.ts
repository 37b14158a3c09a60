// Servers that share a cache, with models that write down what they run.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient, ErrorReply } from "@redis/client";
import { encodeCalibratedModel } from "../calibrated/calibrated-model.ts";
import { createCalibratedRuntime } from "../calibrated/calibrated-runtime.ts";
import { readJournal } from "../chaos/journal.ts";
import { connectRedis, type StoreConnection } from "../internals/cache-store.ts";
import { loadConfig, startServer } from "../internals/server.ts";
import { until } from "../until.kit.ts";

const WIDTH = 16;
/** Rows from here on are the rig's own. */
const FIRST_ROW = 1_000_000;

export interface SharingServer {
  readonly url: string;
  /** The tag that the model answers to 16 bytes with this number in them; anything but an answer is a failed test. */
  ask(row: number, headers?: Readonly<Record<string, string>>): Promise<readonly number[]>;
  /** A sample of /metrics, such as `sconce_cache_store_state{state="closed"}`; 0 when it is not there. */
  metric(sample: string): Promise<number>;
  stop(): Promise<void>;
}

export interface CacheRig {
  /**
   * A server with a model of its own copy, which shares answers by now; `tag` tells contents apart, and is what `tag` answers. It waits for the store as
   * long as a busy machine may take.
   */
  serve(
    store: string,
    options?: { readonly tag?: number; readonly flags?: readonly string[] },
  ): Promise<SharingServer>;
  /** Rows that all servers' models have run. */
  runs(): number;
  close(): Promise<void>;
}

export function createCacheRig({ sleepMs = 0 }: { readonly sleepMs?: number } = {}): CacheRig {
  const root = mkdtempSync(join(tmpdir(), "sconce-cache-store-"));
  const journal = join(root, "journal");
  const servers: SharingServer[] = [];
  let copies = 0;
  let asked = 0;
  return {
    async serve(store, { tag = 1, flags = [] } = {}) {
      const folder = join(root, `copy-${copies++}`);
      mkdirSync(join(folder, "m"), { recursive: true });
      const model = { width: WIDTH, sleepMs, tag, journal };
      writeFileSync(join(folder, "m", "model.onnx"), encodeCalibratedModel(model));
      writeFileSync(join(folder, "m", "model.yaml"), "cache: 1MiB\nwarmup_runs: 0\ninstances: 1\n");
      const given = [
        ["--port", "0"],
        ["--cache-store", store],
        ["--cache-store-timeout", "10s"],
        ["--tenant-header", "x-tenant"],
      ] as const;
      const more = flags.map((flag) => flag.split("=", 2) as [string, string]);
      const server = await startServer({
        config: loadConfig({ flags: new Map<string, string>([...given, ...more]) }),
        paths: [folder],
        createRuntime: createCalibratedRuntime,
      });
      await server.settled;
      const sharing = talkTo(server.url, () => server.stop());
      servers.push(sharing);
      // Until it is known what its files hold, nothing is shared.
      await until("its answers are shared", async () => {
        await sharing.ask(FIRST_ROW + asked++);
        return (await sharing.metric(lookups("miss"))) > 0;
      });
      return sharing;
    },
    runs: () => readJournal(journal).runs.reduce((sum, { rows }) => sum + rows.length, 0),
    async close() {
      await Promise.all(servers.map((server) => server.stop()));
      rmSync(root, { recursive: true, force: true });
    },
  };
}

function talkTo(url: string, stop: () => Promise<void>): SharingServer {
  const metric = async (sample: string): Promise<number> => {
    const text = await (await fetch(`${url}/metrics`)).text();
    const line = text.split("\n").find((candidate) => candidate.startsWith(`${sample} `));
    return line === undefined ? 0 : Number(line.slice(sample.length));
  };
  return {
    url,
    async ask(row, headers = {}) {
      // A first byte of the model's own would be poison to it.
      const data = [0, row & 0xff, (row >> 8) & 0xff, row >> 16, ...new Array<number>(WIDTH - 4).fill(0)];
      const body = { inputs: [{ name: "x", datatype: "UINT8", shape: [1, WIDTH], data }] };
      const response = await fetch(`${url}/v2/models/m/infer`, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: JSON.stringify(body),
      });
      const text = await response.text();
      assert.equal(response.status, 200, text);
      const { outputs } = JSON.parse(text) as {
        readonly outputs: readonly { readonly name: string; readonly data: readonly number[] }[];
      };
      assert.deepEqual(outputs[0]!.data, data);
      return outputs[1]!.data;
    },
    metric,
    stop,
  };
}

export function lookups(result: string): string {
  return `sconce_cache_store_lookups_total{model="m",version="1",result="${result}"}`;
}

/** For a look at what a store holds, and to put something else in its place. */
export function openRedis(port: number, password?: string): Promise<StoreConnection> {
  const address = { host: "127.0.0.1", port, database: 0, username: undefined, password, tls: undefined };
  return connectRedis({ createClient, ErrorReply }, address, { signal: new AbortController().signal });
}

/** All keys of a store. */
export async function keysOf(redis: StoreConnection): Promise<string[]> {
  return ((await redis.send(["KEYS", "sconce:*"])) as unknown as Buffer[]).map(String);
}
