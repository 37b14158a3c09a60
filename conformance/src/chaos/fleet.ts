import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificate } from "../internals/security.ts";
import { type ChaosServer, startChaosServer } from "./chaos-server.ts";
import { type ClientPlan, type FleetClient, startFleetClient } from "./fleet-client.ts";
import { type FleetProxy, startFleetProxy, startFleetStore } from "./fleet-parts.ts";
import { createHosts, type Host } from "./hosts.ts";
import { createModelFolder, type ModelFolder } from "./model-folder.ts";
import { monotonicMs, until } from "./monotonic.ts";
import { childrenOf, isAlive } from "./process-facts.ts";

/** Servers are named as in docs/behind-a-proxy.md, and have its addresses. */
export const SERVERS = ["a", "b", "c"] as const;
export type ServerName = (typeof SERVERS)[number];
const NUMBERS = { proxy: 10, a: 11, b: 12, c: 13, store: 20, clients: 30 } as const;
/** Of `numbered` each generation is a version, of `replaced` a new file of version 1; both answer with its number. */
export type ModelName = "numbered" | "replaced";
const PORT = 8080;
const PATIENCE_MS = 120_000;

/** A generation of the models on a server, while it may have answered. */
export interface Life {
  readonly server: ServerName;
  readonly generation: number;
  readonly fromMs: number;
  toMs: number;
}

/** Three servers on hosts of their own, a proxy, a store for their caches, clients, and TLS between all of them. */
export interface Fleet {
  readonly hosts: Readonly<Record<keyof typeof NUMBERS, Host>>;
  readonly client: FleetClient;
  readonly proxy: FleetProxy;
  readonly lives: readonly Life[];
  server(name: ServerName): ChaosServer;
  /** Starts a server that is not there; resolves when the proxy sends requests to it. */
  start(name: ServerName, generation: number): Promise<void>;
  /** SIGTERM; resolves with its exit code. */
  stop(name: ServerName): Promise<number | null>;
  /** It and its workers are gone at once. */
  kill(name: ServerName): Promise<void>;
  /** What all servers count in a sample of /metrics of this beginning. */
  count(sample: RegExp): Promise<number>;
  close(): Promise<number>;
}

export interface FleetOptions {
  /** The proxy waits long before it takes a server for dead. */
  readonly isPatient: boolean;
  readonly drainDelayMs: number;
  readonly models: readonly ModelName[];
  readonly client: Pick<ClientPlan, "seed" | "perSecond" | "rows" | "patienceMs">;
}

/** In words why there is none: networks of their own are not permitted. */
export async function startFleet(options: FleetOptions): Promise<Fleet | string> {
  const hosts = await createHosts(NUMBERS);
  if (typeof hosts === "string") return hosts;
  const folder = mkdtempSync(join(tmpdir(), "sconce-fleet-"));
  const parts: { end(): unknown }[] = [
    { end: () => rmSync(folder, { recursive: true }) },
    { end: () => hosts.remove() },
  ];
  try {
    const { ca, serverFlags } = writeCertificates(folder);
    const store = await startFleetStore(hosts.of.store, folder);
    parts.push({ end: () => store.end() });
    const proxy = await startFleetProxy(hosts.of.proxy, folder, options.isPatient);
    parts.push({ end: () => proxy.end() });
    const client = startFleetClient(
      { ...options.client, authority: `${hosts.of.proxy.address}:443`, ca, models: options.models },
      hosts.of.clients.enter,
    );
    parts.push({ end: () => client.kill() });
    const flags = [
      ...serverFlags,
      `--drain-delay=${options.drainDelayMs}ms`,
      `--trusted-proxies=${hosts.of.proxy.address}`,
      `--cache-store=rediss://${hosts.of.store.address}:6379/0`,
    ];
    return new RunningFleet({ hosts: hosts.of, client, proxy, models: options.models, flags, parts });
  } catch (error) {
    for (const part of parts.toReversed()) await part.end();
    throw error;
  }
}

interface FleetParts extends Pick<Fleet, "hosts" | "client" | "proxy"> {
  readonly models: readonly ModelName[];
  readonly flags: readonly string[];
  readonly parts: readonly { end(): unknown }[];
}

class RunningFleet implements Fleet {
  readonly hosts: Fleet["hosts"];
  readonly client: FleetClient;
  readonly proxy: FleetProxy;
  readonly lives: Life[] = [];
  readonly #models: readonly ModelName[];
  readonly #flags: readonly string[];
  readonly #parts: FleetParts["parts"];
  readonly #servers = new Map<ServerName, { readonly server: ChaosServer; readonly life: Life }>();
  readonly #contents = new Map<number, ModelFolder>();
  readonly #pids = new Set<number>();

  constructor({ hosts, client, proxy, models, flags, parts }: FleetParts) {
    this.hosts = hosts;
    this.client = client;
    this.proxy = proxy;
    this.#models = models;
    this.#flags = flags;
    this.#parts = parts;
  }

  server(name: ServerName): ChaosServer {
    return this.#servers.get(name)!.server;
  }

  async start(name: ServerName, generation: number): Promise<void> {
    const life: Life = { server: name, generation, fromMs: monotonicMs(), toMs: Number.POSITIVE_INFINITY };
    this.lives.push(life);
    const { address, enter } = this.hosts[name];
    const content = this.#contentOf(generation);
    const server = await startChaosServer(
      content.path,
      [`--host=${address}`, `--port=${PORT}`, "--insecure=true", ...this.#flags],
      { enter, env: { SCONCE_CONFIG: content.configFile, TMPDIR: content.temporary } },
    );
    this.#servers.set(name, { server, life });
    for (const pid of [server.pid, ...childrenOf(server.pid)]) this.#pids.add(pid);
    if (!(await until(() => this.proxy.isUp(name), { withinMs: PATIENCE_MS, everyMs: 50 })))
      throw new Error(`the proxy sends nothing to ${name}:\n${await this.proxy.status()}`);
  }

  async stop(name: ServerName): Promise<number | null> {
    const { server, life } = this.#servers.get(name)!;
    const { code } = await server.stop();
    life.toMs = monotonicMs();
    this.#servers.delete(name);
    return code;
  }

  async kill(name: ServerName): Promise<void> {
    const { server, life } = this.#servers.get(name)!;
    for (const pid of [server.pid, ...childrenOf(server.pid)]) process.kill(pid, "SIGKILL");
    await until(() => server.exitCode() !== undefined, { withinMs: PATIENCE_MS });
    life.toMs = monotonicMs();
    this.#servers.delete(name);
  }

  async count(sample: RegExp): Promise<number> {
    const counts = [...this.#servers.keys()].map(async (name) => {
      const text = await this.client.read(`https://${this.hosts[name].address}:${PORT}/metrics`);
      return text
        .split("\n")
        .filter((line) => sample.test(line))
        .reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
    });
    return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
  }

  /** Resolves with the number of the servers' processes that are left. */
  async close(): Promise<number> {
    await Promise.all([...this.#servers.keys()].map((name) => this.stop(name)));
    for (const part of this.#parts.toReversed()) await part.end();
    for (const content of this.#contents.values()) content.remove();
    await until(() => ![...this.#pids].some(isAlive), { withinMs: 5_000 });
    return [...this.#pids].filter(isAlive).length;
  }

  #contentOf(generation: number): ModelFolder {
    const known = this.#contents.get(generation);
    if (known !== undefined) return known;
    const content = createModelFolder();
    const model = { sleepMs: 5, tag: generation };
    const options = { cache: "1MiB", instances: 1, warmup_runs: 0 };
    for (const name of this.#models)
      content.publish(name, name === "numbered" ? generation : 1, { model, options });
    this.#contents.set(generation, content);
    return content;
  }
}

/** One CA, one certificate for all: its addresses are theirs. */
function writeCertificates(folder: string): { readonly ca: string; readonly serverFlags: readonly string[] } {
  const authority = makeCertificate({ name: "fleet CA", isCa: true });
  const addresses = Object.values(NUMBERS).map((number) => `10.0.0.${number}`);
  const own = makeCertificate({ name: "models.example.com", by: authority, addresses });
  const files = {
    "models-ca.pem": authority.cert,
    "host.crt": own.cert,
    "host.key": own.key,
    "models.example.com.pem": Buffer.concat([own.cert, own.key]),
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  const ca = join(folder, "models-ca.pem");
  return {
    ca: authority.cert.toString(),
    serverFlags: [
      `--tls-cert=${join(folder, "host.crt")}`,
      `--tls-key=${join(folder, "host.key")}`,
      `--cache-store-ca=${ca}`,
      "--cache-store-timeout=250ms",
    ],
  };
}
