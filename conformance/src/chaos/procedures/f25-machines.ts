import { type Fleet, type Life, SERVERS, type ServerName, startFleet } from "../fleet.ts";
import type { Exchange } from "../fleet-client.ts";
import { monotonicMs, sleep, until } from "../monotonic.ts";
import { atLeast, atMost, exactly, type Finding, type Procedure, type Rig } from "../procedure.ts";

const UPDATES = 20;
const PER_SECOND = 60;
const SHORT_PER_SECOND = 25;
const ROWS = 200;
const PATIENCE_MS = 60_000;
/** How long a trouble lasts after the proxy has noticed it, or could have. */
const TROUBLE_MS = 4_000;
const PULSE_MS = 700;
const NARROW_KBIT = 512;
const NOTICED_MS = 30_000;
const MOST_SHOWN = 3;
const SLOWEST_MS = 15_000;

/** What happens to a fleet under load. */
interface Trouble {
  readonly what: string;
  happen(fleet: Fleet): Promise<unknown>;
}

/** F25: servers on hosts of their own behind a proxy: updates, machines that vanish, partitions, slow machines. Clients try once more. */
export const machines: Procedure = {
  id: "F25",
  title: "three machines behind a proxy",
  needs: ["redis-server", "haproxy"],
  prepare() {},
  async run(rig) {
    const { isShort } = rig.effort;
    const perSecond = isShort ? SHORT_PER_SECOND : PER_SECOND;
    const fleet = await startFleet({
      drainDelayMs: isShort ? 4_000 : 3_000,
      isPatient: isShort,
      models: isShort ? ["replaced"] : ["replaced", "numbered"],
      client: { seed: rig.random.integer(0, 1e9), perSecond, rows: ROWS, patienceMs: PATIENCE_MS },
    });
    if (typeof fleet === "string")
      return [
        {
          what: "networks of their own",
          target: "run",
          measured: `skipped: ${fleet}`,
          isMet: true,
          kind: "must",
        },
      ];
    let left = -1;
    const findings: Finding[] = [];
    try {
      findings.push(...(await underLoad(rig, fleet)));
    } finally {
      left = await fleet.close();
    }
    return [...findings, exactly("processes of servers left", left, 0)];
  },
};

async function underLoad({ effort }: Rig, fleet: Fleet): Promise<Finding[]> {
  let generation = 1;
  let answers = 0;
  await Promise.all(SERVERS.map((name) => fleet.start(name, generation)));
  // Until the proxy had all of them, there was nobody to ask.
  await fleet.client.take();
  const findings: Finding[] = [];
  const codes: (number | null)[] = [];
  const rolling: Trouble = {
    what: `${effort.isShort ? 1 : UPDATES} rolling updates`,
    async happen() {
      for (let update = 0; update < (effort.isShort ? 1 : UPDATES); update++) {
        generation += 1;
        for (const name of SERVERS) {
          for (const other of SERVERS) await isBack(fleet, other);
          codes.push(await fleet.stop(name));
          await fleet.start(name, generation);
        }
      }
    },
  };
  for (const trouble of [rolling, ...(effort.isShort ? [] : troubles(() => generation))]) {
    await trouble.happen(fleet);
    const exchanges = await fleet.client.take();
    answers += exchanges.length;
    findings.push(...judge(trouble.what, exchanges, fleet.lives));
  }
  const hits = await fleet.count(/^sconce_cache_store_lookups_total\{.*result="(hit|waited)"/);
  findings.push(...judge("in the end", await fleet.client.stop(), fleet.lives));
  return [
    ...findings,
    atLeast("answers in all", answers, { min: 1 }),
    exactly("servers that did not end with 0", codes.filter((code) => code !== 0).length, 0),
    atLeast("answers of one server that another one repeated", hits, { min: 1 }),
  ];
}

function troubles(generation: () => number): Trouble[] {
  return [
    { what: "nothing happens", happen: () => sleep(2 * TROUBLE_MS) },
    {
      what: "a machine vanishes",
      async happen(fleet) {
        fleet.hosts.b.unplug();
        await fleet.kill("b");
        await isNoticed(fleet, "b");
        fleet.hosts.b.plug();
        await fleet.start("b", generation());
      },
    },
    {
      what: "a server is killed",
      async happen(fleet) {
        await fleet.kill("c");
        await isNoticed(fleet, "c");
        await fleet.start("c", generation());
      },
    },
    {
      what: "a machine is cut off for a while",
      async happen(fleet) {
        fleet.hosts.a.unplug();
        await isNoticed(fleet, "a");
        fleet.hosts.a.plug();
        await isBack(fleet, "a");
      },
    },
    {
      what: "a machine hears the proxy, who does not hear it",
      async happen(fleet) {
        fleet.hosts.b.loseWaysTo(fleet.hosts.proxy);
        await isNoticed(fleet, "b");
        fleet.hosts.b.findWaysTo(fleet.hosts.proxy);
        await isBack(fleet, "b");
      },
    },
    {
      what: "a machine is cut off from the store",
      async happen(fleet) {
        const { c, store } = fleet.hosts;
        c.loseWaysTo(store);
        await sleep(2 * TROUBLE_MS);
        c.findWaysTo(store);
        await sleep(TROUBLE_MS);
      },
    },
    {
      what: "the store is cut off from all",
      async happen(fleet) {
        fleet.hosts.store.unplug();
        await sleep(2 * TROUBLE_MS);
        fleet.hosts.store.plug();
        await sleep(TROUBLE_MS);
      },
    },
    {
      what: `a machine behind ${NARROW_KBIT} kbit/s`,
      async happen(fleet) {
        if (!fleet.hosts.b.narrow(NARROW_KBIT)) return;
        await sleep(3 * TROUBLE_MS);
        fleet.hosts.b.widen();
        await isBack(fleet, "b");
      },
    },
    {
      what: `a machine stands still for ${PULSE_MS} ms of every ${2 * PULSE_MS}`,
      async happen(fleet) {
        const { pid } = fleet.server("a");
        const endMs = monotonicMs() + 3 * TROUBLE_MS;
        while (monotonicMs() < endMs) {
          process.kill(pid, "SIGSTOP");
          await sleep(PULSE_MS);
          process.kill(pid, "SIGCONT");
          await sleep(PULSE_MS);
        }
        await isBack(fleet, "a");
      },
    },
  ];
}

/** Until nobody is sent there any more, and some time longer. */
async function isNoticed({ proxy }: Fleet, name: ServerName): Promise<void> {
  if (!(await until(() => proxy.isDown(name), { withinMs: NOTICED_MS, everyMs: 50 })))
    throw new Error(`the proxy did not notice that ${name} is gone:\n${await proxy.status()}`);
  await sleep(TROUBLE_MS);
}

async function isBack({ proxy }: Fleet, name: ServerName): Promise<void> {
  if (!(await until(() => proxy.isUp(name), { withinMs: NOTICED_MS, everyMs: 50 })))
    throw new Error(`the proxy did not take ${name} back:\n${await proxy.status()}`);
}

function judge(what: string, exchanges: readonly Exchange[], lives: readonly Life[]): Finding[] {
  const answered = exchanges.filter(({ failed }) => failed === "");
  const failed = exchanges.filter((exchange) => exchange.failed !== "");
  const incoherent = answered.filter((exchange) => !isCoherent(exchange, lives));
  const retried = answered.filter((exchange) => exchange.retried !== "").length;
  const times = answered.map(({ sentMs, doneMs }) => doneMs - sentMs).sort((x, y) => x - y);
  const p99 = times[Math.floor(times.length * 0.99)] ?? 0;
  const lateMs = Math.max(0, ...exchanges.map((exchange) => exchange.lateMs));
  const more = `${answered.length} answers, ${retried} of them the second time, p99 ${p99.toFixed(0)} ms, clients late by up to ${lateMs.toFixed(0)} ms`;
  return [
    exactly(`failed of both tries, ${what}`, failed.length, 0),
    ...failed
      .slice(0, MOST_SHOWN)
      .map(({ protocol, retried: first, failed: second }) =>
        exactly(`failed over ${protocol}, ${what}`, oneLine(`${first}; ${second}`), ""),
      ),
    exactly(`wrong answers, ${what}`, answered.filter(({ isRight }) => !isRight).length, 0),
    exactly(`answers of another version than answered, ${what}`, incoherent.length, 0),
    { what, target: "", measured: more, isMet: true, kind: "must" },
    atMost(`slowest, ${what}`, (times.at(-1) ?? 0) / 1000, {
      max: SLOWEST_MS / 1000,
      unit: " s",
      kind: "pace",
    }),
  ];
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ");
}

/** The answer is of a generation that the server had while it was asked, and of the version that it names. */
function isCoherent(
  { model, version, tag, servedBy, triedMs, doneMs }: Exchange,
  lives: readonly Life[],
): boolean {
  const isNamed = model === "numbered" ? version === String(tag) : version === "1";
  return (
    isNamed &&
    lives.some(
      ({ server, generation, fromMs, toMs }) =>
        generation === tag && (servedBy === "" || servedBy === server) && fromMs < doneMs && toMs > triedMs,
    )
  );
}
