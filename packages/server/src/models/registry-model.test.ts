// Tests create-registry.ts: random histories of one registry, its queues and its workers against an oracle.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { candidateOf, turns } from "./models.kit.ts";
import { BYTES, type Mode, NAMES, VERSIONS, World } from "./registry-world.kit.ts";
import { BATCH_ROWS, type RiggedModel } from "./rigged-model.kit.ts";

type Command = fc.AsyncCommand<object, World>;

/** After a command so many steps of promises pass before the next one; at rest all that followed from it has happened. */
const REST = 12;
const PAUSE = fc.oneof(fc.constant(REST), fc.nat(REST));

function command(label: string, pause: number, run: (world: World) => void | Promise<void>): Command {
  return {
    check: () => true,
    async run(_model, world) {
      await run(world);
      for (let step = 0; step < pause; step++) await undefined;
      if (pause === REST) await world.checkAtRest();
      else world.check();
      world.noteServing();
    },
    toString: () => `${label}, ${pause === REST ? "rest" : `${pause} steps`}`,
  };
}

function commandOf<T>(
  arbitrary: fc.Arbitrary<T>,
  label: (value: T) => string,
  run: (world: World, value: T) => void | Promise<void>,
): fc.Arbitrary<Command> {
  return fc
    .tuple(arbitrary, PAUSE)
    .map(([value, pause]) => command(label(value), pause, (world) => run(world, value)));
}

let prints = 0;
const NAME = fc.constantFrom(...NAMES);
const VERSION = fc.constantFrom(...VERSIONS);
const NTH = fc.nat(9);
const ROWS = fc.array(fc.nat(3), { minLength: 1, maxLength: 2 * BATCH_ROWS });

function fileOf(name: string, version: string, problem?: string) {
  return candidateOf(name, { version, fingerprint: `f${prints++}`, problem, bytes: BYTES[name]! });
}

function endLoad(world: World, nth: number, isGood: boolean): void {
  const [load] = world.loads.splice(nth % Math.max(1, world.loads.length), 1);
  if (isGood) load?.succeed();
  else load?.fail();
}

function busy(world: World, nth: number): RiggedModel | undefined {
  const models = world.models.filter((model) => model.isBusy);
  return models[nth % Math.max(1, models.length)];
}

function serving(world: World, nth: number): RiggedModel | undefined {
  const models = world.models.filter((model) => !model.isClosed);
  return models[nth % Math.max(1, models.length)];
}

const COMMANDS: fc.Arbitrary<Command>[] = [
  commandOf(
    fc.tuple(NAME, VERSION, fc.boolean()),
    ([name, version, isBroken]) => `write ${name}/${version}${isBroken ? " broken" : ""}`,
    (world, [name, version, isBroken]) => {
      const file = fileOf(name, version, isBroken ? "no model format" : undefined);
      world.disk.set(`${name}/${version}`, file);
    },
  ),
  commandOf(
    fc.tuple(NAME, VERSION),
    ([name, version]) => `delete ${name}/${version}`,
    (world, [name, version]) => void world.disk.delete(`${name}/${version}`),
  ),
  commandOf(
    fc.constant(0),
    () => "scan",
    (world) => world.scan(),
  ),
  commandOf(
    NTH,
    (nth) => `load ends well ${nth}`,
    (world, nth) => endLoad(world, nth, true),
  ),
  commandOf(
    NTH,
    (nth) => `load ends well ${nth}`,
    (world, nth) => endLoad(world, nth, true),
  ),
  commandOf(
    NTH,
    (nth) => `load fails ${nth}`,
    (world, nth) => endLoad(world, nth, false),
  ),
  commandOf(
    fc.tuple(NAME, fc.option(VERSION, { nil: undefined }), ROWS),
    ([name, version, rows]) => `request ${name}/${version ?? "any"} ${rows}`,
    (world, [name, version, rows]) => world.send(name, version, rows),
  ),
  commandOf(
    NTH,
    (nth) => `client ${nth} leaves`,
    (world, nth) => {
      const waiting = world.sent.filter((sent) => sent.outcome === undefined);
      waiting[nth % waiting.length]?.abort.abort();
    },
  ),
  commandOf(
    fc.tuple(NTH, NTH),
    ([nth]) => `run ends ${nth}`,
    (world, [nth, instance]) => {
      busy(world, nth)?.answer(instance);
    },
  ),
  commandOf(
    fc.tuple(NTH, NTH),
    ([nth]) => `run fails ${nth}`,
    (world, [nth, instance]) => {
      busy(world, nth)?.fail(instance);
    },
  ),
  commandOf(
    fc.tuple(
      NTH,
      NTH,
      fc.nat(9).map((chance) => chance === 0),
    ),
    ([nth, instance, isLoop]) => `worker ${nth}#${instance} dies${isLoop ? " for good" : ""}`,
    (world, [nth, instance, isLoop]) => {
      const model = serving(world, nth);
      if (isLoop && model !== undefined) world.mustServe.delete(model.candidate.name);
      model?.die(instance, isLoop);
    },
  ),
  commandOf(
    NTH,
    (nth) => `workers of ${nth} come back`,
    (world, nth) => serving(world, nth)?.revive(),
  ),
  commandOf(
    NTH,
    (nth) => `workers of ${nth} end`,
    (world, nth) => busy(world, nth)?.end(),
  ),
  commandOf(
    fc.nat(10),
    (ms) => `${ms} ms pass`,
    (world, ms) => world.clock.advance(ms),
  ),
  commandOf(
    NAME,
    (name) => `load ${name}`,
    (world, name) => {
      if (world.mode === "explicit") world.change("load", name);
    },
  ),
  commandOf(
    NAME,
    (name) => `unload ${name}`,
    (world, name) => {
      if (world.mode === "explicit") world.change("unload", name);
    },
  ),
];

/** Everything that is still open comes to its end, well. */
async function settle(world: World): Promise<void> {
  for (let round = 0; round < 400; round++) {
    for (const model of world.models) {
      model.revive();
      model.answer(0);
      model.end();
    }
    endLoad(world, 0, true);
    await world.clock.advance(1);
    await turns();
    const isOpen = world.sent.some((sent) => sent.outcome === undefined);
    if (!isOpen && world.loads.length === 0 && !world.models.some((model) => model.isBusy)) break;
  }
  await world.checkAtRest();
  const left = world.sent.filter((sent) => sent.outcome === undefined);
  assert.deepEqual(left, [], "a request hangs");
}

function filesOf(world: World, name: string) {
  return VERSIONS.map((version) => world.disk.get(`${name}/${version}`)).filter((file) => file !== undefined);
}

/** The newest file of each model serves, unless it is broken, failed to load, or its workers were given up. */
function checkServesDisk(world: World, names: readonly string[]): void {
  for (const name of names) {
    const files = filesOf(world, name);
    const lines = world.registry.index().filter((line) => line.name === name);
    if (files.some(({ problem }) => problem !== undefined)) continue;
    if (lines.some(({ reason }) => /broken file|crash loop/.test(reason))) continue;
    const serving = world.registry.lookup(name, undefined)?.description.digest;
    const model = world.models.find(({ serial }) => `${serial}` === serving);
    assert.equal(
      model?.candidate.fingerprint,
      files.at(-1)?.fingerprint,
      `${name} does not serve what is on disk`,
    );
  }
}

async function finalCheck(world: World): Promise<void> {
  world.scan();
  await settle(world);
  if (world.mode === "none") checkServesDisk(world, NAMES);
  if (world.isLazy) for (const name of NAMES) world.send(name, undefined, [0]);
  if (world.mode === "explicit") await checkLastWord(world);
  await settle(world);
  world.mustServe.clear();
  const closed = world.registry.close();
  await settle(world);
  await closed;
  await Promise.all(world.controls);
  assert.ok(
    world.models.every((model) => model.isClosed),
    "an instance outlives its registry",
  );
}

/** What was asked for last holds; then everything that is loaded once more serves what is on disk. */
async function checkLastWord(world: World): Promise<void> {
  for (const name of NAMES) {
    if (world.lastWord.get(name) !== "unload") continue;
    assert.equal(world.registry.lookup(name, undefined), undefined, `${name} was unloaded and serves`);
    const own = world.models.filter(({ candidate }) => candidate.name === name);
    assert.ok(
      own.every((model) => model.isClosed),
      `${name} was unloaded and is in memory`,
    );
  }
  // Files that are gone do not end what serves here.
  const known = NAMES.filter((name) => filesOf(world, name).length > 0);
  for (const name of known) world.change("load", name);
  await settle(world);
  checkServesDisk(world, known);
}

/** By what a history costs. */
const RUNS: Readonly<Record<Mode, number>> = { none: 50, explicit: 100, lazy: 50, budget: 30 };

for (const mode of Object.keys(RUNS) as Mode[]) {
  test(`any history is served without a dropped request, mode ${mode}`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.commands(COMMANDS, { maxCommands: 80, size: "max" }), async (commands) => {
        const world = new World(mode);
        for (const name of NAMES) world.disk.set(`${name}/1`, fileOf(name, "1"));
        world.scan();
        await fc.asyncModelRun(() => ({ model: {}, real: world }), commands);
        await finalCheck(world);
      }),
      { numRuns: RUNS[mode] },
    );
  });
}
