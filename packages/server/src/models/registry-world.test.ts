// A registry with its disk, loads and clients, and what must hold of it at any time.
import assert from "node:assert/strict";
import { ServeError } from "../base/errors.ts";
import type { InferResponse } from "../base/infer-request.ts";
import { createRegistry } from "./create-registry.ts";
import type { ManagedRegistry } from "./managed-registry.ts";
import type { ModelCandidate } from "./model-candidate.ts";
import { ManualClock, requestOf, type StubModel, scanOf, silentLogger, turns } from "./test-support.test.ts";

export const NAMES = ["a", "b", "c"] as const;
export const VERSIONS = ["1", "2"] as const;
const MAX_LOADED = 2;

export type Mode = "none" | "explicit" | "lazy";

export interface PendingLoad {
  readonly candidate: ModelCandidate;
  readonly signal: AbortSignal;
  readonly resolve: (stub: StubModel) => void;
  readonly reject: (error: Error) => void;
}

/** A request on its way: which instance took it, and how it ended. */
interface Sent {
  readonly name: string;
  readonly version: string | undefined;
  readonly abort: AbortController;
  stub: StubModel | undefined;
  outcome: InferResponse | ServeError | undefined;
}

/** Everything the commands act on, and what the checks need to know. */
export class World {
  readonly clock: ManualClock = new ManualClock();
  readonly registry: ManagedRegistry;
  readonly disk: Map<string, ModelCandidate> = new Map();
  readonly loads: PendingLoad[] = [];
  readonly stubs: StubModel[] = [];
  readonly sent: Sent[] = [];
  readonly controls: Promise<void>[] = [];
  readonly mode: Mode;
  /** Names that had an instance which served, and were neither unloaded, nor deleted, nor lazily evictable since. */
  readonly mustServe: Set<string> = new Set();
  /** What was on disk at the last scan. */
  readonly scanned: Set<string> = new Set();

  constructor(mode: Mode) {
    this.mode = mode;
    this.registry = createRegistry({
      clock: this.clock,
      logger: silentLogger,
      concurrentLoads: 2,
      retryFailedMs: 5,
      ...(mode === "lazy" ? { lazy: true, maxLoadedModels: MAX_LOADED } : {}),
      ...(mode === "explicit" ? { explicit: { startup: ["a"] } } : {}),
      load: (candidate, signal) =>
        new Promise((resolve, reject) => {
          const load = { candidate, signal, resolve, reject };
          this.loads.push(load);
          signal.addEventListener("abort", () => {
            this.loads.splice(this.loads.indexOf(load), 1);
            reject(signal.reason);
          });
        }),
    });
  }

  scan(): void {
    const gone = NAMES.filter((name) => !VERSIONS.some((version) => this.disk.has(`${name}/${version}`)));
    if (this.mode !== "explicit") for (const name of gone) this.mustServe.delete(name);
    this.registry.apply(scanOf(...this.disk.values()));
    this.scanned.clear();
    for (const key of this.disk.keys()) this.scanned.add(key);
  }

  send(name: string, version: string | undefined): void {
    const abort = new AbortController();
    const sent: Sent = { name, version, abort, stub: undefined, outcome: undefined };
    this.sent.push(sent);
    void this.#run(sent);
  }

  async #run(sent: Sent): Promise<void> {
    try {
      const { name, version, abort } = sent;
      const found = this.registry.lookup(name, version);
      const served = found ?? (await this.registry.acquire(name, version, abort.signal));
      sent.stub = served as StubModel;
      assert.equal(sent.stub.closed, false, "a closed instance was handed out");
      sent.outcome = await served.submit(requestOf(name));
    } catch (error) {
      if (!(error instanceof ServeError)) throw error;
      sent.outcome = error;
    }
  }

  /** What must hold after every command, whatever happened. */
  async check(): Promise<void> {
    await turns();
    this.#checkIndex();
    this.#checkMemory();
    this.#checkRequests();
  }

  #checkIndex(): void {
    const lines = this.registry.index();
    const keys = lines.map((line) => `${line.name}/${line.version}`);
    assert.equal(new Set(keys).size, keys.length, "a version has two lines");
    for (const line of lines) {
      const ready = this.registry.lookup(line.name, line.version) !== undefined;
      assert.equal(line.state === "READY", ready, `${line.name}/${line.version} ${line.state}`);
      if (!ready) assert.notEqual(line.reason, "");
    }
    for (const key of this.disk.keys()) {
      if (this.scanned.has(key)) assert.ok(keys.includes(key), `${key} is missing`);
    }
  }

  #checkMemory(): void {
    const open = this.stubs.filter((stub) => !stub.closed);
    for (const stub of open) {
      const reachable = this.registry.loaded().includes(stub);
      assert.ok(reachable || stub.inFlight() > 0, `${stub.name} ${stub.fingerprint} leaks`);
    }
    if (this.mode === "lazy") {
      // A reload holds its predecessor's place beside its own until it has drained.
      const names = new Set(open.map((stub) => `${stub.name}/${stub.version}`));
      const loading = this.loads.filter(
        (load) => !names.has(`${load.candidate.name}/${load.candidate.version}`),
      );
      const replaced = loading.filter((load) => open.some((stub) => stub.name === load.candidate.name));
      const kept = new Set(open.map((stub) => stub.name)).size;
      assert.ok(
        kept + loading.length - replaced.length <= MAX_LOADED,
        `${kept} models, ${loading.length} loads`,
      );
    }
    assert.ok(this.loads.length <= 2, "more loads at once than allowed");
  }

  #checkRequests(): void {
    for (const name of this.mustServe) {
      assert.notEqual(this.registry.lookup(name, undefined), undefined, `${name} stopped serving`);
    }
    for (const { outcome, stub, name, version, abort } of this.sent) {
      if (outcome instanceof ServeError) {
        assert.equal(stub, undefined, `an accepted request failed: ${outcome.message}`);
        if (abort.signal.aborted) continue;
        assert.ok(["not_found", "unavailable"].includes(outcome.code), outcome.message);
      } else if (outcome !== undefined) {
        assert.equal(outcome.model, name);
        if (version !== undefined) assert.equal(outcome.version, version);
        assert.equal(outcome.id, stub?.fingerprint, "an answer of another instance");
      }
    }
  }

  noteServing(): void {
    for (const name of NAMES) {
      if (this.mode !== "lazy" && this.registry.lookup(name, undefined) !== undefined)
        this.mustServe.add(name);
    }
  }
}
