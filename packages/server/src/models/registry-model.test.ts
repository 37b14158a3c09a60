// Random histories of one registry against an oracle: what the disk holds, what loads do, what requests see.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ServeError } from "../base/errors.ts";
import { NAMES, type PendingLoad, VERSIONS, World } from "./registry-world.test.ts";
import { candidateOf, StubModel, turns } from "./test-support.test.ts";

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
