import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { publishCalibrated } from "../calibration.ts";
import { type ChaosServer, startChaosServer } from "../chaos-server.ts";
import { monotonicMs, until } from "../monotonic.ts";
import { atLeast, atMost, exactly, type Finding, type Procedure, type Rig } from "../procedure.ts";
import { openFiles } from "../process-facts.ts";
import { createVeth, type Veth } from "../veth.ts";

const CLIENT = fileURLToPath(new URL("../half-open-main.js", import.meta.url));
const KINDS = ["silent", "half-headers", "half-body", "idle", "half-preface", "http2"] as const;
const CONNECTIONS = 500;
const SHORT_CONNECTIONS = 60;
/** Everything that has a time of its own gets this one, so that the short form is short. */
const SHORT_TIMEOUT_MS = 2_000;
const LIMIT_MS = 60_000;
const SHORT_LIMIT_MS = 60_000;
const PATIENCE_MS = 90_000;
const STRAYS = 2;

/**
 * F11: clients that vanish in the middle of something without a word, since their network is gone. In the short form they are only silent,
 * which takes no rights, and finds all but the system's own probes; those have a test at the listener.
 */
export const halfOpen: Procedure = {
  id: "F11",
  title: "half-open connections",
  prepare: (folder, calibration) => publishCalibrated(folder, "main", { calibration }),
  async run(rig) {
    if (rig.effort.isShort) return silentClients(rig);
    const veth = createVeth();
    if (typeof veth === "string") {
      const what = `${CONNECTIONS} clients behind a link that goes down`;
      return [
        { what, target: "run", measured: `skipped: ${veth}`, isMet: false, kind: "pace" },
        ...(await silentClients(rig)),
      ];
    }
    try {
      return await vanishedClients(rig, veth);
    } finally {
      veth.remove();
    }
  },
};

function silentClients(rig: Rig): Promise<Finding[]> {
  const timeout = `${SHORT_TIMEOUT_MS}ms`;
  return measure(rig, {
    flags: [`--request-timeout=${timeout}`, `--idle-timeout=${timeout}`, `--peer-timeout=${timeout}`],
    count: SHORT_CONNECTIONS,
    limitMs: SHORT_LIMIT_MS,
    enter: [],
    vanish() {},
  });
}

function vanishedClients(rig: Rig, veth: Veth): Promise<Finding[]> {
  return measure(rig, {
    flags: [`--host=${veth.host}`, "--insecure=true", `--max-connections-per-address=${CONNECTIONS}`],
    count: CONNECTIONS,
    limitMs: LIMIT_MS,
    enter: veth.enter,
    vanish: () => veth.cut(),
  });
}

interface Scene {
  readonly flags: readonly string[];
  readonly count: number;
  readonly limitMs: number;
  /** Put before the clients' command. */
  readonly enter: readonly string[];
  vanish(): void;
}

async function measure(rig: Rig, scene: Scene): Promise<Finding[]> {
  const server = await startChaosServer(rig.folder.path, scene.flags);
  let clients: ChildProcess | undefined;
  try {
    const base = await settledFiles(server);
    clients = startClients(server, scene);
    const isOpen = await until(() => openFiles(server.pid) >= base + scene.count, { withinMs: PATIENCE_MS });
    await opened(clients);
    const startMs = monotonicMs();
    scene.vanish();
    const mostFiles = openFiles(server.pid);
    await until(() => openFiles(server.pid) <= base + STRAYS, { withinMs: PATIENCE_MS, everyMs: 50 });
    const reapedMs = monotonicMs() - startMs;
    const strays = openFiles(server.pid) - base;
    const answer = await fetch(`${server.url}/v2/health/ready`);
    return [
      atLeast("connections open at once", isOpen ? scene.count : mostFiles - base, { min: scene.count }),
      atMost("all reaped after", reapedMs / 1000, { max: scene.limitMs / 1000, unit: " s" }),
      atMost("file descriptors more than before", strays, { max: STRAYS }),
      exactly("readiness afterwards", answer.status, 200),
    ];
  } finally {
    clients?.kill("SIGKILL");
    await server.stop();
  }
}

/** Once the first request is answered and the spare worker stands by. */
async function settledFiles(server: ChaosServer): Promise<number> {
  await fetch(`${server.url}/v2/health/live`, { headers: { connection: "close" } });
  let files = -1;
  await until(
    () => {
      const before = files;
      files = openFiles(server.pid);
      return files === before;
    },
    { withinMs: PATIENCE_MS, everyMs: 300 },
  );
  return files;
}

function startClients({ url }: ChaosServer, { enter, count }: Scene): ChildProcess {
  const { hostname, port } = new URL(url);
  const kinds = Array.from({ length: count }, (_, index) => KINDS[index % KINDS.length]!);
  const [command, ...args] = [...enter, process.execPath, CLIENT, hostname, port, ...kinds];
  return spawn(command!, args, { stdio: ["ignore", "pipe", "inherit"] });
}

async function opened(clients: ChildProcess): Promise<void> {
  const ended = once(clients, "exit").then((): never => {
    throw new Error("the clients ended before all of their connections were open");
  });
  ended.catch(() => {});
  await Promise.race([once(clients.stdout!, "data"), ended]);
}
