import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { readlinkSync } from "node:fs";
import { sleep } from "./monotonic.ts";

/** A machine as its network sees it: a network stack of its own, joined to the others by one cable to a switch. */
export interface Host {
  readonly address: string;
  /** What to put before a command so that it runs there. */
  readonly enter: readonly string[];
  /** From now on nothing gets through, in either direction, and nobody is told. */
  unplug(): void;
  plug(): void;
  /** Loses everything that goes to another host; what comes from there arrives. */
  loseWaysTo(other: Host): void;
  findWaysTo(other: Host): void;
  /** What leaves it goes through a line of this width, and waits in it for at most a second. False: this system cannot do that. */
  narrow(kbitPerS: number): boolean;
  widen(): void;
}

export interface Hosts<Name extends string> {
  readonly of: Readonly<Record<Name, Host>>;
  /** Ends the network stacks; they end with this process as well. */
  remove(): void;
}

const SUBNET = "10.0.0";
/** An address of a network card that nobody has. */
const NOWHERE = "02:00:00:00:00:ff";
const PATIENCE_MS = 10_000;

/**
 * Makes hosts that see each other and nothing else: no address of theirs is known outside. Numbers are the last parts of their addresses. Needs `ip`, and
 * root or leave to make user namespaces; says in words why there are none.
 */
export async function createHosts<Name extends string>(
  numbers: Readonly<Record<Name, number>>,
): Promise<Hosts<Name> | string> {
  const names = Object.keys(numbers) as Name[];
  const anchors: ChildProcess[] = [];
  const remove = (): void => {
    for (const anchor of anchors) anchor.kill("SIGKILL");
  };
  try {
    const center = await startAnchor(anchors, newUser());
    const within = enterOf(center);
    run(within, "ip link add br0 type bridge && ip link set br0 up");
    const made = await Promise.all(
      names.map(async (name, index) => {
        const pid = await startAnchor(anchors, process.getuid?.() === 0 ? [] : within.slice(0, -1));
        const [address, port] = [`${SUBNET}.${numbers[name]}`, `port${index}`];
        run(within, `ip link add ${port} type veth peer name eth0 netns ${pid}`);
        run(within, `ip link set ${port} master br0 up`);
        const enter = enterOf(pid);
        run(enter, `ip link set lo up && ip addr add ${address}/24 dev eth0 && ip link set eth0 up`);
        return [name, hostOf(address, { enter, within, port })] as const;
      }),
    );
    return { of: Object.fromEntries(made) as Record<Name, Host>, remove };
  } catch (error) {
    remove();
    return (error as Error).message;
  }
}

function hostOf(
  address: string,
  { enter, within, port }: { enter: readonly string[]; within: readonly string[]; port: string },
): Host {
  return {
    address,
    enter,
    unplug: () => run(within, `ip link set ${port} down`),
    plug: () => run(within, `ip link set ${port} up`),
    loseWaysTo: (other) =>
      run(enter, `ip neigh replace ${other.address} lladdr ${NOWHERE} nud permanent dev eth0`),
    findWaysTo: (other) => run(enter, `ip neigh del ${other.address} dev eth0`),
    narrow(kbitPerS) {
      const queue = `tbf rate ${kbitPerS}kbit burst 4kb latency 1s`;
      return tryRun(enter, `tc qdisc add dev eth0 root ${queue}`) === undefined;
    },
    widen: () => run(enter, "tc qdisc del dev eth0 root"),
  };
}

/** Who is not root becomes root of what it makes. */
function newUser(): string[] {
  return process.getuid?.() === 0 ? [] : ["unshare", "--user", "--map-root-user"];
}

/** A process that holds a network stack until its input, which is this process, ends. */
async function startAnchor(anchors: ChildProcess[], before: readonly string[]): Promise<number> {
  const [command, ...args] = [...before, "unshare", "--net", "cat"];
  const anchor = spawn(command!, args, { stdio: ["pipe", "ignore", "pipe"] });
  anchors.push(anchor);
  anchor.stdin!.on("error", () => {});
  let said = "";
  anchor.stderr!.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  anchor.on("error", (error) => {
    said += error.message;
  });
  const endMs = performance.now() + PATIENCE_MS;
  while (!hasOwnNetwork(anchor)) {
    if (anchor.exitCode !== null || said !== "" || performance.now() > endMs)
      throw new Error(`a network of its own is not permitted here: ${said.trim()}`);
    await sleep(5);
  }
  return anchor.pid!;
}

function hasOwnNetwork({ pid }: ChildProcess): boolean {
  try {
    return pid !== undefined && readlinkSync(`/proc/${pid}/ns/net`) !== readlinkSync("/proc/self/ns/net");
  } catch {
    return false;
  }
}

/** The flag for the network comes last. */
function enterOf(pid: number): string[] {
  const user = process.getuid?.() === 0 ? [] : ["--user", "--preserve-credentials"];
  return ["nsenter", "--target", String(pid), ...user, "--net"];
}

function run(enter: readonly string[], script: string): void {
  const problem = tryRun(enter, script);
  if (problem !== undefined) throw new Error(`${script}: ${problem}`);
}

/** What went wrong; undefined: nothing. */
function tryRun(enter: readonly string[], script: string): string | undefined {
  const [command, ...args] = [...enter, "sh", "-c", script];
  const { error, status, stderr } = spawnSync(command!, args, { encoding: "utf8" });
  if (error !== undefined) return error.message;
  return status === 0 ? undefined : stderr.trim();
}
