// Random histories of one registry against an oracle: what the disk holds, what loads do, what requests see.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ServeError } from "../base/errors.ts";
import type { InferResponse } from "../base/infer-request.ts";
import { createRegistry } from "./create-registry.ts";
import type { ManagedRegistry } from "./managed-registry.ts";
import type { ModelCandidate } from "./model-candidate.ts";
import {
  candidateOf,
  ManualClock,
  requestOf,
  StubModel,
  scanOf,
  silentLogger,
  turns,
} from "./test-support.test.ts";

const NAMES = ["a", "b", "c"] as const;
const VERSIONS = ["1", "2"] as const;
const MAX_LOADED = 2;

type Mode = "none" | "explicit" | "lazy";

interface PendingLoad {
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
class World {
  readonly clock = new ManualClock();
  readonly registry: ManagedRegistry;
  readonly disk = new Map<string, ModelCandidate>();
  readonly loads: PendingLoad[] = [];
  readonly stubs: StubModel[] = [];
  readonly sent: Sent[] = [];
  readonly controls: Promise<void>[] = [];
  readonly mode: Mode;
  /** Names that had an instance which served, and were neither unloaded, nor deleted, nor lazily evictable since. */
  readonly mustServe = new Set<string>();
  /** What was on disk at the last scan. */
  readonly scanned = new Set<string>();

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

type Command = fc.AsyncCommand<object, World>;

function command(label: string, run: (world: World) => void | Promise<void>): Command {
  return {
    check: () => true,
    async run(_model, world) {
      await run(world);
      await world.check();
      world.noteServing();
    },
    toString: () => label,
  };
}

let prints = 0;
const NAME = fc.constantFrom(...NAMES);
const VERSION = fc.constantFrom(...VERSIONS);

function endLoad(world: World, nth: number, end: (load: PendingLoad) => void): void {
  if (world.loads.length === 0) return;
  end(world.loads.splice(nth % world.loads.length, 1)[0]!);
}

const COMMANDS: fc.Arbitrary<Command>[] = [
  fc.tuple(NAME, VERSION, fc.boolean()).map(([name, version, broken]) =>
    command(`write ${name}/${version}${broken ? " broken" : ""}`, (world) => {
      const problem = broken ? "no model format" : undefined;
      world.disk.set(
        `${name}/${version}`,
        candidateOf(name, { version, fingerprint: `f${prints++}`, problem }),
      );
    }),
  ),
  fc.tuple(NAME, VERSION).map(([name, version]) =>
    command(`delete ${name}/${version}`, (world) => {
      world.disk.delete(`${name}/${version}`);
    }),
  ),
  fc.constant(command("scan", (world) => world.scan())),
  fc.nat(9).map((nth) =>
    command(`load ends well ${nth}`, (world) =>
      endLoad(world, nth, ({ candidate, resolve }) => {
        const stub = new StubModel(candidate);
        world.stubs.push(stub);
        resolve(stub);
      }),
    ),
  ),
  fc
    .nat(9)
    .map((nth) =>
      command(`load fails ${nth}`, (world) =>
        endLoad(world, nth, ({ reject }) => reject(new ServeError("failed_precondition", "broken file"))),
      ),
    ),
  fc
    .tuple(NAME, fc.option(VERSION, { nil: undefined }))
    .map(([name, version]) =>
      command(`request ${name}/${version ?? "any"}`, (world) => world.send(name, version)),
    ),
  fc.nat(9).map((nth) =>
    command(`client ${nth} leaves`, (world) => {
      const waiting = world.sent.filter((sent) => sent.outcome === undefined && sent.stub === undefined);
      waiting[nth % waiting.length]?.abort.abort();
    }),
  ),
  fc.nat(9).map((nth) =>
    command(`answers ${nth}`, (world) => {
      const busy = world.stubs.filter((stub) => stub.inFlight() > 0);
      busy[nth % busy.length]?.answer();
    }),
  ),
  fc.nat(10).map((ms) => command(`${ms} ms pass`, (world) => world.clock.advance(ms))),
  NAME.map((name) =>
    command(`load ${name}`, (world) => {
      if (world.mode !== "explicit") return;
      const signal = new AbortController().signal;
      world.controls.push(world.registry.loadModel(name, signal).catch(expectServeError));
    }),
  ),
  NAME.map((name) =>
    command(`unload ${name}`, (world) => {
      if (world.mode !== "explicit") return;
      world.mustServe.delete(name);
      const signal = new AbortController().signal;
      world.controls.push(world.registry.unloadModel(name, signal).catch(expectServeError));
    }),
  ),
];

function expectServeError(error: unknown): void {
  assert.ok(
    error instanceof ServeError && ["not_found", "failed_precondition"].includes(error.code),
    `${error}`,
  );
}

/** Everything that is still open comes to its end; then what serves must be what is on disk. */
async function settle(world: World): Promise<void> {
  for (let i = 0; i < 400; i++) {
    for (const stub of world.stubs) stub.answer();
    endLoad(world, 0, ({ candidate, resolve }) => {
      const stub = new StubModel(candidate);
      world.stubs.push(stub);
      resolve(stub);
    });
    await world.clock.advance(1);
    await turns();
    const open = world.sent.some((sent) => sent.outcome === undefined);
    if (!open && world.loads.length === 0 && world.stubs.every((stub) => stub.inFlight() === 0)) break;
  }
  await Promise.all(world.controls);
  await world.check();
  assert.ok(
    world.sent.every((sent) => sent.outcome !== undefined),
    "a request hangs",
  );
}

async function finalCheck(world: World): Promise<void> {
  world.scan();
  await settle(world);
  if (world.mode === "none") {
    for (const name of NAMES) {
      const usable = VERSIONS.map((v) => world.disk.get(`${name}/${v}`)).filter(
        (c) => c !== undefined && c.problem === undefined,
      );
      if (VERSIONS.some((v) => world.disk.get(`${name}/${v}`)?.problem !== undefined)) continue;
      const latest = usable.at(-1);
      const failed = world.registry
        .index()
        .some((line) => line.name === name && /broken file/.test(line.reason));
      if (latest === undefined || failed) continue;
      const serving = world.registry.lookup(name, undefined) as StubModel | undefined;
      assert.equal(serving?.fingerprint, latest.fingerprint, `${name} does not serve what is on disk`);
    }
  }
  if (world.mode === "lazy") {
    for (const name of NAMES) world.send(name, undefined);
    await settle(world);
  }
  await world.registry.close();
  await turns();
  assert.ok(
    world.stubs.every((stub) => stub.closed),
    "an instance outlives its registry",
  );
}

for (const mode of ["none", "explicit", "lazy"] as const) {
  test(`any history is served without a dropped request, mode ${mode}`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.commands(COMMANDS, { maxCommands: 60, size: "max" }), async (commands) => {
        const world = new World(mode);
        for (const name of NAMES)
          world.disk.set(`${name}/1`, candidateOf(name, { fingerprint: `f${prints++}` }));
        world.scan();
        await fc.asyncModelRun(() => ({ model: {}, real: world }), commands);
        await finalCheck(world);
      }),
      { numRuns: 150 },
    );
  });
}
