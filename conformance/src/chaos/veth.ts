import { spawnSync } from "node:child_process";
import { networkInterfaces } from "node:os";

/** A second network stack on this machine, joined to ours by one link. */
export interface Veth {
  /** Our end of the link. */
  readonly host: string;
  /** What to put before a command so that it runs at the far end. */
  readonly enter: readonly string[];
  /** From now on nothing gets through, in either direction, and nobody is told. */
  cut(): void;
  remove(): void;
}

/** Networks for documentation (RFC 5737), which a machine all the same may have. */
const NETWORKS = ["198.51.100", "203.0.113", "192.0.2"];

/** Needs root and `ip`; says in words why there is none. */
export function createVeth(): Veth | string {
  const network = NETWORKS.find((prefix) => !isInUse(prefix));
  if (network === undefined) return "all networks for documentation are in use";
  const [ours, theirs] = [`${network}.1`, `${network}.2`];
  const name = `sconce-${process.pid}`;
  const [near, far] = [`sc${process.pid}n`, `sc${process.pid}f`];
  const enter = ["ip", "netns", "exec", name];
  const remove = (): void => {
    run(["ip", "link", "del", near]);
    run(["ip", "netns", "del", name]);
  };
  const steps = [
    ["ip", "netns", "add", name],
    ["ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", name],
    ["ip", "addr", "add", `${ours}/30`, "dev", near],
    ["ip", "link", "set", near, "up"],
    [...enter, "ip", "addr", "add", `${theirs}/30`, "dev", far],
    [...enter, "ip", "link", "set", far, "up"],
  ];
  for (const step of steps) {
    const problem = run(step);
    if (problem === undefined) continue;
    remove();
    return `${step.join(" ")}: ${problem}`;
  }
  return {
    host: ours,
    enter,
    cut: () => void run([...enter, "ip", "link", "set", far, "down"]),
    remove,
  };
}

function isInUse(prefix: string): boolean {
  return Object.values(networkInterfaces()).some((addresses) =>
    addresses?.some(({ address }) => address.startsWith(`${prefix}.`)),
  );
}

/** What went wrong; undefined: nothing. */
function run([command = "", ...args]: readonly string[]): string | undefined {
  const { error, status, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (error !== undefined) return error.message;
  return status === 0 ? undefined : stderr.trim();
}
