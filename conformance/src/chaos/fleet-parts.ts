import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { partsOfPage } from "../pages/page-blocks.ts";
import type { Host } from "./hosts.ts";
import { monotonicMs, until } from "./monotonic.ts";

const REDIS = process.env["SCONCE_TEST_REDIS_SERVER"] || "redis-server";
const HAPROXY = process.env["SCONCE_TEST_HAPROXY"] || "haproxy";
const PAGE = fileURLToPath(new URL("../../../docs/behind-a-proxy.md", import.meta.url));
/** Columns of HAProxy's statistics. */
const [BACKEND, SERVER, STATUS] = [0, 1, 17];
/** Backends that send nothing to servers whose checks fail. */
const CHECKED = new Set(["sconce", "sconce-grpc"]);
/** They end with this process, however it ends. */
const BOUND = ["setpriv", "--pdeathsig", "KILL"];
const START_LIMIT_MS = 60_000;

interface Part {
  readonly pid: number;
  said(): string;
  end(): Promise<void>;
}

/** HAProxy with the file of docs/behind-a-proxy.md for several servers. */
export interface FleetProxy extends Pick<Part, "end"> {
  /** Both of its backends send requests to this server. */
  isUp(server: string): Promise<boolean>;
  /** None of them does. */
  isDown(server: string): Promise<boolean>;
  /** Its statistics, as a table of its own. */
  status(): Promise<string>;
}

/** A Redis that speaks nothing but TLS. */
export function startFleetStore({ address, enter }: Host, folder: string): Promise<Part> {
  const file = (name: string): string => join(folder, name);
  const args = [
    ...["--bind", address, "--protected-mode", "no", "--port", "0", "--tls-port", "6379", "--save", ""],
    ...["--tls-cert-file", file("host.crt"), "--tls-key-file", file("host.key")],
    ...["--tls-ca-cert-file", file("models-ca.pem"), "--tls-auth-clients", "no", "--dir", folder],
  ];
  return startPart([...enter, ...BOUND, REDIS, ...args], ({ said }) =>
    said().includes("Ready to accept connections"),
  );
}

/** Times by which a machine on which much else happens is not taken for a dead one. */
const PATIENT = {
  "timeout connect 2s": "timeout connect 15s",
  "timeout check 2s": "timeout check 15s",
  " inter 1s": " inter 3s",
};

/** `isPatient`: nothing vanishes, and nothing shall be thought to. */
export async function startFleetProxy(
  { enter }: Host,
  folder: string,
  isPatient: boolean,
): Promise<FleetProxy> {
  const blocks = partsOfPage(readFileSync(PAGE, "utf8"), "behind-a-proxy.md").blocks;
  const { text } = blocks.filter(({ language }) => language === "haproxy").at(-1)!;
  const [socket, config] = [join(folder, "haproxy.sock"), join(folder, "haproxy.cfg")];
  const global = `global\n  stats socket ${socket} level admin\n`;
  const times = Object.entries(isPatient ? PATIENT : {});
  const timed = times.reduce((before, [usual, patient]) => before.replaceAll(usual, patient), text);
  writeFileSync(config, global + timed.replaceAll("/etc/ssl/", `${folder}/`));
  const status = (): Promise<string> => tell(socket, "show stat").catch(() => "");
  const part = await startPart(
    [...enter, ...BOUND, HAPROXY, "-db", "-f", config],
    async () => (await status()) !== "",
  );
  const states = async (server: string): Promise<string[]> =>
    (await status())
      .split("\n")
      .map((line) => line.split(","))
      .filter((cells) => cells[SERVER] === server && CHECKED.has(cells[BACKEND]!))
      .map((cells) => cells[STATUS]!);
  return {
    end: () => part.end(),
    status,
    isUp: async (server) => (await states(server)).every((state) => /^UP/.test(state)),
    isDown: async (server) => (await states(server)).every((state) => /^DOWN/.test(state)),
  };
}

/** Sends one command and resolves with all that comes. */
async function tell(socketPath: string, command: string): Promise<string> {
  const socket = connect(socketPath);
  socket.end(`${command}\n`);
  let text = "";
  for await (const chunk of socket) text += String(chunk);
  return text;
}

async function startPart(
  [command, ...args]: readonly string[],
  isReady: (part: Part) => boolean | Promise<boolean>,
): Promise<Part> {
  const child = spawn(command!, args, { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-10_000);
    });
  const part = { pid: child.pid!, said: () => said, end: () => end(child) };
  const endMs = monotonicMs() + START_LIMIT_MS;
  const isUp = await until(async () => (await isReady(part)) || child.exitCode !== null, {
    withinMs: endMs - monotonicMs(),
    everyMs: 20,
  });
  if (isUp && child.exitCode === null) return part;
  await part.end();
  throw new Error(`${args.join(" ")}:\n${said}`);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}
