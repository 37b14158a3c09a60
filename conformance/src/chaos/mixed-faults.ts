import { connect } from "node:net";
import { POISON } from "../calibrated/calibrated-model.ts";
import type { Fault } from "./fault-schedule.ts";
import { readJournal } from "./journal.ts";
import { sleep, until } from "./monotonic.ts";
import type { Rig } from "./procedure.ts";
import { isAlive } from "./process-facts.ts";
import { createRestTransport } from "./rest-transport.ts";
import { makeRow } from "./row.ts";

const PATIENCE_MS = 60_000;
/** Before the next death on the same model: deaths have to be apart further than a request takes, or they are an attack. */
const REST_MS = 1_500;
const SOCKETS = 20;
const STALL_MS = 600;
/** Streams of the load have the lower numbers. */
const POISON_STREAM = 200;

/** The faults of F1 to F18 that leave a server serving, each as one event. */
export function mixedFaults(rig: Rig): Fault[] {
  const { server, random } = rig;
  let poisons = 0;
  const ask = async (model: string, kind: number): Promise<string> => {
    const transport = createRestTransport(server.url, 1);
    const row = makeRow({ stream: POISON_STREAM, sequence: poisons++ }, random, kind);
    const { outcome } = await transport.ask({ model, rows: [row] }).done;
    transport.close();
    return outcome;
  };
  const poison = (name: string, kind: number, expected: string): Fault => ({
    name,
    subject: "victim",
    async run() {
      const outcome = await ask("victim", kind);
      await sleep(REST_MS);
      return outcome === expected ? "" : outcome;
    },
  });
  return [
    kill(rig, "main"),
    kill(rig, "victim"),
    poison("poison that throws", POISON.throw, "500 internal"),
    poison("poison of a wrong shape", POISON.wrongShape, "500 bad_output"),
    poison("poison that crashes", POISON.segfault, "400 quarantined"),
    poison("poison that hangs", POISON.hang, "504 execution_timeout"),
    {
      name: "memory growth",
      subject: "hungry",
      async run() {
        const outcome = await ask("hungry", POISON.allocate);
        const isBack = await until(async () => (await ask("hungry", 0)) === "ok", {
          withinMs: PATIENCE_MS,
          everyMs: 50,
        });
        await sleep(REST_MS);
        return outcome === "400 quarantined" && isBack ? "" : `${outcome}, answers again: ${isBack}`;
      },
    },
    overload(rig),
    cancellations(rig),
    reload(rig),
    { name: "slow clients", subject: "sockets", run: () => slowClients(server.url) },
    { name: "garbage", subject: "sockets", run: () => garbage(rig) },
    {
      name: "event loop stall",
      subject: "front",
      async run() {
        server.stall(STALL_MS);
        await sleep(2 * STALL_MS);
        return "";
      },
    },
  ];
}

function kill({ folder, random }: Rig, model: string): Fault {
  return {
    name: `kill -9 (${model})`,
    subject: model,
    async run() {
      const loads = () => readJournal(folder.journalOf(model)).loads;
      const before = loads();
      const alive = before.map(({ pid }) => pid).filter(isAlive);
      process.kill(random.pick(alive), "SIGKILL");
      const isBack = await until(() => loads().length > before.length, {
        withinMs: PATIENCE_MS,
        everyMs: 25,
      });
      await sleep(REST_MS);
      return isBack ? "" : "the worker did not come back";
    },
  };
}

function overload({ load, calibration, effort }: Rig): Fault {
  return {
    name: "overload",
    subject: "flood",
    async run() {
      const perSecond = 3 * calibration.capacity;
      const { streams } = await load(effort.isShort ? 300 : 1_000, [
        { name: "flood", protocol: "rest", model: "flood", perSecond, connections: 200 },
      ]);
      const { outcomes, wrong, offered, lagMs } = streams[0]!;
      const excused = (outcomes["ok"] ?? 0) + (outcomes["503 queue_full"] ?? 0);
      return wrong === 0 && excused === offered
        ? ""
        : `${wrong} wrong, of ${offered}, sent up to ${Math.round(lagMs.max)} ms late: ${JSON.stringify(outcomes)}`;
    },
  };
}

function cancellations({ load, calibration, effort }: Rig): Fault {
  return {
    name: "cancellations",
    subject: "clients",
    async run() {
      const perSecond = 0.1 * calibration.capacity;
      const cancelling = { model: "main", perSecond, cancelShare: 0.7, cancelAfterMs: [0, 60] as const };
      const { streams } = await load(effort.isShort ? 300 : 2_000, [
        { ...cancelling, name: "leaving/rest", protocol: "rest", connections: 50 },
        { ...cancelling, name: "leaving/grpc", protocol: "grpc", connections: 2 },
      ]);
      const isFine = streams.every(
        ({ outcomes, wrong, offered }) =>
          wrong === 0 && (outcomes["ok"] ?? 0) + (outcomes["cancelled"] ?? 0) === offered,
      );
      return isFine ? "" : JSON.stringify(streams.map(({ outcomes, problems }) => [outcomes, problems[0]]));
    },
  };
}

/** A new version takes over; the one before the last is taken away. */
function reload({ server, folder }: Rig): Fault {
  let version = 1;
  return {
    name: "reload",
    subject: "rolling",
    async run() {
      version += 1;
      folder.publish("rolling", version, {});
      const url = `${server.url}/v2/models/rolling/versions/${version}/ready`;
      const tookOver = await until(async () => (await fetch(url)).ok, {
        withinMs: PATIENCE_MS,
        everyMs: 50,
      });
      if (version > 2) folder.retire("rolling", version - 2);
      return tookOver ? "" : `version ${version} did not take over`;
    },
  };
}

async function slowClients(url: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const sockets = Array.from({ length: SOCKETS }, () => connect(Number(port), hostname));
  const text = "POST /v2/models/main/infer HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100000\r\n\r\n{";
  for (const socket of sockets) socket.on("error", () => {});
  for (const byte of text) {
    for (const socket of sockets) if (socket.writable) socket.write(byte);
    await sleep(15);
  }
  for (const socket of sockets) socket.destroy();
  return "";
}

async function garbage({ server, random }: Rig): Promise<string> {
  const { hostname, port } = new URL(server.url);
  const openings = ["", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET / HTTP/1.1\r\n"];
  const closed = Array.from({ length: SOCKETS }, (_, index) => {
    const socket = connect(Number(port), hostname);
    const noise = Buffer.from(Array.from({ length: 200 }, () => random.integer(0, 255)));
    socket.on("error", () => {});
    socket.resume();
    socket.write(Buffer.concat([Buffer.from(openings[index % openings.length]!), noise]));
    return new Promise<void>((resolve) => {
      const timer = setTimeout(() => socket.destroy(), 1_000);
      socket.on("close", () => {
        clearTimeout(timer);
        resolve();
      });
    });
  });
  await Promise.all(closed);
  return "";
}
