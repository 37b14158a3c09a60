// A registry with its disk, loads, queues and clients, and what must hold of it at any time.
import assert from "node:assert/strict";
import { ServeError } from "../base/errors.ts";
import type { InferResponse } from "../base/infer-request.ts";
import { createInference } from "../infer/create-inference.ts";
import type { Inference } from "../infer/inference.ts";
import { createRegistry } from "./create-registry.ts";
import type { ManagedRegistry, RegistryOptions } from "./managed-registry.ts";
import type { ModelCandidate } from "./model-candidate.ts";
import { ManualClock, requestOf, scanOf, silentLogger, turns } from "./models.kit.ts";
import type { IndexEntry } from "./registry.ts";
import { RiggedModel } from "./rigged-model.kit.ts";
import type { ServedModelHandle } from "./served-model-handle.ts";

export const NAMES = ["a", "b", "c"] as const;
export const VERSIONS = ["1", "2"] as const;
const MAX_LOADED = 2;
/** Any two of them fit, all three do not. */
export const BYTES: Readonly<Record<string, number>> = { a: 4, b: 5, c: 6 };
const MAX_BYTES = 11;

export type Mode = "none" | "explicit" | "lazy" | "budget";

const OPTIONS: Readonly<Record<Mode, Partial<RegistryOptions>>> = {
  none: {},
  explicit: { explicit: { startup: ["a"] } },
  lazy: { lazy: true, maxLoadedModels: MAX_LOADED },
  budget: { lazy: true, memoryBudgetBytes: MAX_BYTES },
};

/** Why a request that a serving version took may fail: its workers failed. */
const FAULTS = [
  "model_failed",
  "worker_died",
  "worker_died_waiting",
  "no_instance",
  "quarantined",
  "shut_down",
];

export interface PendingLoad {
  readonly candidate: ModelCandidate;
  readonly signal: AbortSignal;
  readonly succeed: () => void;
  readonly fail: () => void;
}

/** A request on its way, and how it ended. */
interface Sent {
  readonly name: string;
  readonly version: string | undefined;
  readonly rows: readonly number[];
  readonly abort: AbortController;
  /** The version that served when it came. */
  readonly server: RiggedModel | undefined;
  outcome: InferResponse | ServeError | undefined;
}

/** Everything the commands act on, and what the checks need to know. */
export class World {
  readonly clock: ManualClock = new ManualClock();
  readonly registry: ManagedRegistry;
  readonly inference: Inference;
  readonly disk: Map<string, ModelCandidate> = new Map();
  readonly loads: PendingLoad[] = [];
  readonly models: RiggedModel[] = [];
  readonly sent: Sent[] = [];
  readonly controls: Promise<void>[] = [];
  /** By name: what was asked for last. */
  readonly lastWord: Map<string, "load" | "unload"> = new Map();
  readonly mode: Mode;
  /** Names that had an instance which served, and were neither unloaded, nor deleted, nor given up, nor lazily evictable since. */
  readonly mustServe: Set<string> = new Set();
  /** Names, in the order in which they were unloaded on request. */
  readonly unloads: string[] = [];
  /** What must not have happened, in words. */
  readonly violations: string[] = [];
  /** What was on disk at the last scan. */
  readonly scanned: Set<string> = new Set();

  constructor(mode: Mode) {
    this.mode = mode;
    this.registry = createRegistry({
      clock: this.clock,
      logger: silentLogger,
      concurrentLoads: 2,
      retryFailedMs: 5,
      ...OPTIONS[mode],
      load: (candidate, signal) => this.#load(candidate, signal),
    });
    this.registry.subscribe((entry) => this.#checkEviction(entry));
    this.inference = createInference({
      registry: this.registry,
      clock: this.clock,
      serverInfo: { name: "sconce", version: "0", extensions: [] },
      isDraining: () => false,
    });
  }

  get isLazy(): boolean {
    return this.mode === "lazy" || this.mode === "budget";
  }

  scan(): void {
    const gone = NAMES.filter((name) => !VERSIONS.some((version) => this.disk.has(`${name}/${version}`)));
    if (this.mode !== "explicit") for (const name of gone) this.mustServe.delete(name);
    this.registry.apply(scanOf(...this.disk.values()));
    this.scanned.clear();
    for (const key of this.disk.keys()) this.scanned.add(key);
  }

  send(name: string, version: string | undefined, rows: readonly number[]): void {
    const abort = new AbortController();
    const server = this.#modelOf(this.registry.lookup(name, version));
    const sent: Sent = { name, version, rows, abort, server, outcome: undefined };
    this.sent.push(sent);
    const x = { name: "x", datatype: "FP32" as const, shape: [rows.length, 1], bytes: bytesOf(rows) };
    const request = requestOf(name, { version, inputs: [x], signal: abort.signal });
    const settle = (outcome: InferResponse | ServeError): void => {
      assert.equal(sent.outcome, undefined, "a request ended twice");
      sent.outcome = outcome;
    };
    this.inference.infer(request).then(settle, (error: unknown) => settle(ServeError.from(error)));
  }

  /** Load or unload on request. */
  change(kind: "load" | "unload", name: string): void {
    const signal = new AbortController().signal;
    this.lastWord.set(name, kind);
    if (kind === "load") {
      const unloads = this.#unloadsOf(name);
      const isOvertaken = (): boolean => this.#unloadsOf(name) > unloads;
      const done = this.registry.loadModel(name, signal).then(
        () => this.#checkLoaded(name, isOvertaken()),
        (error: unknown) => this.#checkRefusal(name, ServeError.from(error), isOvertaken()),
      );
      this.controls.push(done);
      return;
    }
    this.mustServe.delete(name);
    this.unloads.push(name);
    const unloaded = this.registry.unloadModel(name, signal).catch((error: unknown) => {
      this.#note(ServeError.from(error).code === "not_found", `unload ${name}: ${error}`);
    });
    this.controls.push(unloaded);
  }

  /** What must hold after every command, whatever happened, and whatever is still to follow from it. */
  check(): void {
    this.#checkIndex();
    this.#checkRequests();
    for (const { violations, candidate } of this.models) {
      assert.equal(violations.join(), "", `${candidate.name} ${candidate.fingerprint}`);
    }
    assert.equal(this.violations.join("; "), "");
    assert.ok(this.loads.length <= 2, "more loads at once than allowed");
  }

  /** What must hold as well once everything that followed has happened. */
  async checkAtRest(): Promise<void> {
    await turns();
    this.check();
    this.#checkMemory();
  }

  noteServing(): void {
    for (const name of NAMES) {
      if (!this.isLazy && this.registry.lookup(name, undefined) !== undefined) this.mustServe.add(name);
    }
  }

  #load(candidate: ModelCandidate, signal: AbortSignal): Promise<ServedModelHandle> {
    return new Promise((resolve, reject) => {
      const load = {
        candidate,
        signal,
        succeed: () => {
          const model = new RiggedModel(candidate, this.models.length, this.clock);
          this.models.push(model);
          resolve(model.handle);
        },
        fail: () =>
          reject(signal.aborted ? signal.reason : new ServeError("failed_precondition", "broken file")),
      };
      // One that is given up takes its time, or comes to its end all the same.
      this.loads.push(load);
    });
  }

  #modelOf(handle: unknown): RiggedModel | undefined {
    return this.models.find((model) => model.handle === handle);
  }

  #unloadsOf(name: string): number {
    return this.unloads.filter((other) => other === name).length;
  }

  #checkLoaded(name: string, isOvertaken: boolean): void {
    const isGivenUp = this.models.some(({ candidate, isGivenUp }) => candidate.name === name && isGivenUp);
    if (isOvertaken || isGivenUp) return;
    this.#note(this.registry.lookup(name, undefined) !== undefined, `${name} is said to be loaded`);
  }

  #checkRefusal(name: string, { code, reason, message }: ServeError, isOvertaken: boolean): void {
    const isExpected =
      reason === "load_overtaken" ? isOvertaken : reason === "load_failed" || code === "not_found";
    this.#note(isExpected, `load ${name}: ${message}`);
  }

  #note(isRight: boolean, otherwise: string): void {
    if (!isRight) this.violations.push(otherwise);
  }

  /** Only what is idle makes room. */
  #checkEviction({ name, version, state, reason }: IndexEntry): void {
    if (state !== "UNLOADING" || !/to make room/.test(reason)) return;
    const evicted = this.models.findLast(
      ({ candidate }) => candidate.name === name && candidate.version === version,
    );
    this.#note(evicted?.handle.inFlight() === 0, `${name}/${version} makes room while it is busy`);
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
    const open = this.models.filter((model) => !model.isClosed);
    for (const { handle, candidate, isBusy } of open) {
      const isHeld = this.registry.loaded().includes(handle) || handle.inFlight() > 0 || isBusy;
      assert.ok(isHeld, `${candidate.name} ${candidate.fingerprint} leaks`);
    }
    if (!this.isLazy) return;
    // A reload holds its predecessor's place beside its own until that has ended.
    const names = new Set([...open, ...this.loads].map(({ candidate }) => candidate.name));
    const bytes = [...names].reduce((sum, name) => sum + BYTES[name]!, 0);
    if (this.mode === "lazy") assert.ok(names.size <= MAX_LOADED, `${names.size} models in memory`);
    else assert.ok(bytes <= MAX_BYTES, `${bytes} bytes in memory`);
  }

  #checkRequests(): void {
    for (const name of this.mustServe) {
      assert.notEqual(this.registry.lookup(name, undefined), undefined, `${name} stopped serving`);
    }
    for (const sent of this.sent) {
      if (sent.outcome instanceof ServeError) this.#checkFailure(sent, sent.outcome);
      else if (sent.outcome !== undefined) this.#checkAnswer(sent, sent.outcome);
    }
  }

  /** A request that came while a version served fails of its workers alone. */
  #checkFailure({ name, abort, server }: Sent, { code, reason, message }: ServeError): void {
    if (abort.signal.aborted && code === "cancelled") return;
    const own = this.models.filter(({ candidate }) => candidate.name === name);
    if (own.some(({ isFaulty, isDestroyed }) => isFaulty || isDestroyed) && FAULTS.includes(reason)) return;
    assert.equal(server, undefined, `an accepted request failed: ${message}`);
    assert.ok(["model_not_found", "model_not_ready"].includes(reason), `${reason}: ${message}`);
  }

  #checkAnswer({ name, version, rows }: Sent, answer: InferResponse): void {
    assert.equal(answer.model, name);
    if (version !== undefined) assert.equal(answer.version, version);
    const [y, z] = answer.outputs.map(({ bytes }) => floatsOf(bytes));
    assert.deepEqual(z, rows, "another request's answer");
    const serials = new Set(y);
    assert.equal(serials.size, 1, "an answer of two versions");
    const { candidate } = this.models[y![0]!]!;
    assert.deepEqual([candidate.name, candidate.version], [name, answer.version]);
  }
}

function bytesOf(values: readonly number[]): Uint8Array {
  return new Uint8Array(new Float32Array(values).buffer);
}

function floatsOf(bytes: Uint8Array): number[] {
  return [...new Float32Array(bytes.slice().buffer)];
}
