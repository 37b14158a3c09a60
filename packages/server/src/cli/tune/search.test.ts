// Tests the search on simulated models: what it finds beside an exhaustive grid, and in how many runs.
import assert from "node:assert/strict";
import { test } from "node:test";
import { compare, keyOf, middle, type Point, type Space, search } from "./search.ts";
import { seedsOf, settingsSpace, settingsText } from "./settings-space.ts";
import { noisy, type SimulatedModel, simulated } from "./simulated-model.kit.ts";

const CURRENT: Point = {
  instances: 1,
  threads: "auto",
  maxBatchSize: 32,
  maxQueueDelayMs: 0,
  precision: "float32",
  memory: "fast",
};

const BASE = { cores: 8, isBatching: true, clients: 32, limitMs: 50, noise: 0.02 };

const MODELS: Readonly<Record<string, SimulatedModel>> = {
  "small, served best by many instances": { ...BASE, runMs: 0.4, rowMs: 0.05, parallel: 0.1 },
  "gains from batches": { ...BASE, runMs: 12, rowMs: 0.2, parallel: 0.5, clients: 64, limitMs: 80 },
  "large, its batch is fixed": {
    ...BASE,
    runMs: 0,
    rowMs: 30,
    parallel: 0.95,
    clients: 8,
    isBatching: false,
    limitMs: 400,
  },
};

function spaceOf(model: SimulatedModel): Space {
  return settingsSpace(CURRENT, { ...model, isTranslated: true, mayChangeAnswers: true });
}

/** Every point of the grid that the machine allows. */
function gridOf({ axes, repair }: Space): Point[] {
  const points = axes.reduce<Point[]>(
    (all, { name, values }) => all.flatMap((point) => values.map((value) => ({ ...point, [name]: value }))),
    [CURRENT],
  );
  return points.filter((point) => {
    const fitting = repair(point, "instances");
    return fitting !== undefined && keyOf(fitting) === keyOf(point);
  });
}

async function searched(model: SimulatedModel, seed: number, most = Number.POSITIVE_INFINITY) {
  const space = spaceOf(model);
  const measure = noisy(model, seed);
  let runs = 0;
  return search(space, {
    current: CURRENT,
    seeds: seedsOf(CURRENT, space, model),
    measure: (point) => {
      runs += 1;
      return measure(point);
    },
    isOver: () => runs >= most,
  });
}

for (const [name, model] of Object.entries(MODELS)) {
  test(`a model that is ${name}: as good as the grid's best, in at most a quarter of its runs`, async () => {
    const grid = gridOf(spaceOf(model));
    const optimum = grid.map((point) => simulated(model, point)).sort(compare)[0]!;
    for (let seed = 1; seed <= 20; seed++) {
      const { tried, runs } = await searched(model, seed);
      const found = simulated(model, tried[0]!.point);
      assert.ok(
        found.meets && found.score >= optimum.score * (1 - 2 * model.noise),
        `seed ${seed}: ${settingsText(tried[0]!.point, CURRENT)} gives ${found.score.toFixed(1)} of ${optimum.score.toFixed(1)}`,
      );
      assert.ok(runs * 4 <= grid.length, `seed ${seed}: ${runs} runs of ${grid.length}`);
    }
  });
}

test("a goal that nothing keeps: the first is what comes closest, and it does not meet it", async () => {
  const model = { ...BASE, runMs: 100, rowMs: 1, parallel: 0.5, limitMs: 20, noise: 0 };
  const closest = gridOf(spaceOf(model))
    .map((point) => simulated(model, point))
    .sort(compare)[0]!;
  const { tried } = await searched(model, 1);
  const found = middle(tried[0]!)!;
  assert.equal(found.meets, false);
  assert.ok(found.excess <= closest.excess * 1.05, `${found.excess} against ${closest.excess}`);
});

test("the current settings are always measured and win ties", async () => {
  const space = spaceOf({ ...BASE, runMs: 1, rowMs: 1, parallel: 0 });
  const parts = { current: CURRENT, seeds: seedsOf(CURRENT, space, BASE), isOver: () => false };
  const alike = await search(space, {
    ...parts,
    measure: async () => ({ meets: true, score: 1, excess: 0.5 }),
  });
  assert.equal(keyOf(alike.tried[0]!.point), keyOf(CURRENT));
});

test("time that is over ends the search with what there is; what is now was measured", async () => {
  const { tried, runs, isCut } = await searched(MODELS["gains from batches"]!, 1, 0);
  assert.deepEqual([runs, isCut, tried.length, keyOf(tried[0]!.point)], [1, true, 1, keyOf(CURRENT)]);
  assert.equal((await searched(MODELS["gains from batches"]!, 1, 7)).runs, 7);
});

test("what cannot be served comes last and is not asked again", async () => {
  const model = MODELS["gains from batches"]!;
  const space = spaceOf(model);
  const measure = noisy(model, 1);
  let asked = 0;
  const { tried } = await search(space, {
    current: CURRENT,
    seeds: seedsOf(CURRENT, space, model),
    measure: async (point) => {
      if (point["precision"] !== "int8") return measure(point);
      asked += 1;
      return "its answers are too far off";
    },
    isOver: () => false,
  });
  const out = tried.filter(({ rejected }) => rejected !== undefined);
  assert.ok(out.length === asked && asked > 0);
  assert.deepEqual(tried.slice(-out.length), out);
  assert.notEqual(tried[0]!.point["precision"], "int8");
});

test("instances × threads never pass the processors", async () => {
  for (const cores of [1, 2, 3, 6, 12]) {
    const facts = { cores, isBatching: true, isTranslated: true, mayChangeAnswers: false, limitMs: 50 };
    const space = settingsSpace(CURRENT, facts);
    const seen: Point[] = [];
    await search(space, {
      current: CURRENT,
      seeds: seedsOf(CURRENT, space, facts),
      measure: async (point) => {
        seen.push(point);
        return { meets: true, score: Number(point["instances"]) * 10, excess: 0.5 };
      },
      isOver: () => false,
    });
    for (const { instances, threads } of seen)
      assert.ok(
        threads === "auto" || Number(instances) * Number(threads) <= cores,
        `${instances} × ${threads}`,
      );
    assert.ok(seen.every(({ precision }) => precision === "float32"));
  }
});
