import type { ModelFolder } from "../model-folder.ts";
import { monotonicMs, until } from "../monotonic.ts";
import { atLeast, atMost, exactly, type Finding, type Procedure, type Rig } from "../procedure.ts";
import { childrenOf, openFiles, residentBytes } from "../process-facts.ts";
import { createRandom } from "../random.ts";
import { Storm, type StormModel } from "../storm.ts";
import {
  createGrpcStormClient,
  createRestStormClient,
  NOT_READY,
  REPORTS,
  type StormClient,
} from "../storm-client.ts";
import { type ChangeKind, ModelHistory } from "../storm-history.ts";

const MIB = 1024 * 1024;
const CLIENTS = 64;
/** Each client's. */
const OPERATIONS = 2_048;
const SHORT_OPERATIONS = 8;
const TOKEN = "the-token-of-the-storm";
const SETTLE_LIMIT_MS = 60_000;
const SPARE_FILES = 2;
const REST_MS = 500;
/** Share of the storm after which memory should not grow any more. */
const WARM_UP = 0.25;
/** The largest batch counts up with the content, so that the configuration tells which one serves. */
const BATCH_BASE = 1_000;

interface Kind {
  readonly name: string;
  readonly isUnloaded?: boolean;
  readonly options: Readonly<Record<string, unknown>>;
}

interface Holdings {
  readonly files: number;
  readonly bytes: number;
}

/** Models with one version that is replaced in place. */
const REPLACED: readonly Kind[] = [
  { name: "steady", options: { instances: 2, isolation: "thread" } },
  { name: "process", isUnloaded: true, options: {} },
  { name: "pair", isUnloaded: true, options: { instances: 2, isolation: "thread" } },
  { name: "thread", isUnloaded: true, options: { isolation: "thread" } },
  { name: "cached", isUnloaded: true, options: { isolation: "thread", cache: "1MiB" } },
];
const COMMON = { warmup_runs: 0, max_queue_size: 2_000 };

/** F15: clients load, unload, replace and use the same few models at once; every answer is one that the order of requests allows. */
export const storm: Procedure = {
  id: "F15",
  title: "load and unload storm",
  flags: [
    "--model-control=explicit",
    `--admin-token=${TOKEN}`,
    "--spare-workers=0",
    "--readiness=settled",
    "--allow-thread-isolation=true",
  ],
  prepare(folder) {
    for (const kind of REPLACED) folder.publish(kind.name, 1, contentOf(kind, 1));
    folder.publish("versions", 1, {
      options: { ...COMMON, version_policy: "latest:2", isolation: "thread" },
    });
    folder.publish("broken", 1, {
      model: { diesAtLoad: true },
      options: { ...COMMON, isolation: "thread" },
    });
  },
  async run(rig) {
    const models = modelsOf(rig.folder);
    const blown = new Storm(models, rig.random);
    await withClients(rig, (clients) => blow(blown, { rig, clients, share: WARM_UP }));
    const warm = await atRest(rig, models);
    await withClients(rig, (clients) => blow(blown, { rig, clients, share: 1 - WARM_UP }));
    const aftermath = await withClients(rig, (clients) => settle(models, { rig, clients }));
    const left = await atRest(rig, models, warm.files + SPARE_FILES);
    return [
      ...judge(blown, rig),
      ...aftermath,
      exactly("workers left when all is unloaded", childrenOf(rig.server.pid).length, 0),
      atMost("descriptors more than after a quarter of the storm", left.files - warm.files, {
        max: SPARE_FILES,
      }),
      atMost("memory more than after a quarter of the storm", (left.bytes - warm.bytes) / MIB, {
        max: rig.effort.isShort ? 128 : 64,
        unit: " MiB",
      }),
    ];
  },
};

type Clients = readonly [StormClient, StormClient];

/** One client of each protocol, with connections of their own. */
async function withClients<T>({ server }: Rig, use: (clients: Clients) => Promise<T>): Promise<T> {
  const clients: Clients = [
    createRestStormClient(server.url, TOKEN),
    createGrpcStormClient(server.url, TOKEN),
  ];
  try {
    return await use(clients);
  } finally {
    for (const client of clients) client.close();
  }
}

async function changeAll(
  client: StormClient,
  models: readonly StormModel[],
  kind: ChangeKind,
): Promise<void> {
  await Promise.all(
    models.map(async ({ name, history }) => {
      const change = history.begin(kind);
      history.end(change, (await client.change(kind, name)).outcome === "ok");
    }),
  );
}

function contentOf({ options }: Kind, content: number): Parameters<ModelFolder["publish"]>[2] {
  return {
    model: { tag: content, sleepMs: 1, journal: "" },
    options: { ...COMMON, ...options, max_batch_size: BATCH_BASE + content },
  };
}

function modelsOf(folder: ModelFolder): StormModel[] {
  const start = { isLoaded: false, content: 1 };
  const nothing = {
    publish: () => {},
    contentOf: () => undefined,
    canUnload: true,
    isVersioned: false,
  };
  return [
    ...REPLACED.map(
      (kind): StormModel => ({
        name: kind.name,
        kind: "sound",
        canUnload: kind.isUnloaded === true,
        isVersioned: false,
        history: new ModelHistory(start),
        publish: (content) => folder.replace(kind.name, 1, contentOf(kind, content)),
        contentOf: (maxBatchSize) => maxBatchSize - BATCH_BASE,
      }),
    ),
    {
      ...nothing,
      name: "versions",
      kind: "sound",
      canUnload: false,
      isVersioned: true,
      history: new ModelHistory(start),
      publish(content) {
        folder.publish("versions", content, { model: { sleepMs: 1, journal: "" } });
        if (content > 2) folder.retire("versions", content - 2);
      },
    },
    { ...nothing, name: "broken", kind: "broken", history: new ModelHistory(start) },
    { ...nothing, name: "absent", kind: "absent", history: new ModelHistory(start) },
  ];
}

/** What the server holds when everything is unloaded and nobody is connected; it gets time to let go of more than `most` files. */
async function atRest(rig: Rig, models: readonly StormModel[], most = 0): Promise<Holdings> {
  const { pid } = rig.server;
  await withClients(rig, ([client]) => changeAll(client, models, "unload"));
  await until(() => childrenOf(pid).length === 0, { withinMs: SETTLE_LIMIT_MS });
  await until(() => openFiles(pid) <= most, { withinMs: most > 0 ? SETTLE_LIMIT_MS : REST_MS, everyMs: 50 });
  return { files: openFiles(pid), bytes: residentBytes(pid) };
}

/** A share of the storm. */
async function blow(
  blown: Storm,
  { rig, clients, share }: { readonly rig: Rig; readonly clients: Clients; readonly share: number },
): Promise<void> {
  const { random, effort } = rig;
  const lasting = blown.models.filter(({ canUnload }) => !canUnload);
  await changeAll(clients[0], lasting, "load");
  const operations = share * (effort.isShort ? SHORT_OPERATIONS : OPERATIONS);
  const endMs = effort.isShort ? Number.POSITIVE_INFINITY : monotonicMs() + share * effort.budgetMs;
  const client = async (index: number): Promise<void> => {
    const own = createRandom(random.integer(0, 0xffffffff));
    for (let done = 0; done < operations && monotonicMs() < endMs; done++) {
      await blown.step(clients[index % clients.length]!, own);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, (_, index) => client(index)));
}

/** The state after the storm, and after one more change of each model: as the histories say, and the same from every side. */
async function settle(
  models: readonly StormModel[],
  { rig, clients }: { readonly rig: Rig; readonly clients: Clients },
): Promise<Finding[]> {
  const sound = models.filter(({ kind }) => kind === "sound");
  const isSettled = await until(
    async () => {
      const states = await clients[0].index();
      return ![...states.values()].some((state) => state === "LOADING" || state === "UNLOADING");
    },
    { withinMs: SETTLE_LIMIT_MS, everyMs: 50 },
  );
  for (const { name, history } of sound.filter((model) => model.history.state === "either")) {
    history.decide((await clients[0].report("ready", name)).outcome === "ok");
  }
  const left = new Storm(models, rig.random);
  await lookAround(left, sound, { clients, rig });
  const exact = new Storm(models, rig.random);
  await Promise.all(
    sound.map((model, index) => {
      const kind = model.canUnload && rig.random.next() < 0.5 ? "unload" : "load";
      return exact.change(clients[index % clients.length]!, model, kind);
    }),
  );
  await lookAround(exact, sound, { clients, rig });
  const workers = models.find(({ name }) => name === "process")!.history.state === "loaded" ? 1 : 0;
  return [
    exactly("still loading or unloading", String(!isSettled), "false"),
    exactly("states other than the last change left them", said(left), "0"),
    exactly("states other than one more change left them", said(exact), "0"),
    exactly("worker processes", childrenOf(rig.server.pid).length, workers),
  ];
}

async function lookAround(
  seen: Storm,
  models: readonly StormModel[],
  { clients, rig }: { readonly clients: readonly StormClient[]; readonly rig: Rig },
): Promise<void> {
  for (const client of clients) {
    await seen.index(client);
    for (const model of models) {
      for (const what of REPORTS) await seen.report(client, model, what);
      await seen.infer(client, model, rig.random);
    }
  }
}

function said({ problemCount, problems }: Storm): string {
  return problemCount === 0 ? "0" : `${problemCount} (${problems.join("; ")})`;
}

function judge(blown: Storm, { effort }: Rig): Finding[] {
  const count = (key: string): number => blown.counts.get(key) ?? 0;
  const done = ["load ok", "unload ok", "publish ok", "infer ok", `infer ${NOT_READY}`] as const;
  return [
    atLeast("operations", blown.operations, {
      min: CLIENTS * (effort.isShort ? SHORT_OPERATIONS : OPERATIONS),
      kind: "pace",
    }),
    ...done.map((key) => atLeast(key, count(key), { min: effort.isShort ? 2 : 50 })),
    exactly("answers that the order of requests does not allow", said(blown), "0"),
  ];
}
