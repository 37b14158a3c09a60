import { readFileSync } from "node:fs";
import { readPolicy } from "../scaling/autoscaler.ts";
import { type Scenario, type Service, scalingTables } from "../scaling/scaling-tables.ts";
import { readCurve } from "../scaling/service-curve.ts";
import type { Suite } from "../suite.ts";
import { table } from "../table.ts";

const SEED = 1;

/** The committed curves, or one of `--curve`, under the policy of deploy/kubernetes/autoscaler.yaml. */
export function scenario(curveFile?: string): Scenario {
  const manifest = readPolicy(
    readFileSync(new URL("../../../deploy/kubernetes/autoscaler.yaml", import.meta.url), "utf8"),
  );
  return { services: curveFile === undefined ? committed() : [own(curveFile)], manifest, seed: SEED };
}

function committed(): Service[] {
  const curve = (name: string) =>
    readCurve(readFileSync(new URL(`../../curves/${name}.json`, import.meta.url), "utf8"));
  return [
    { name: "digits", curve: curve("digits"), sloMs: 10, queueSize: 256 },
    { name: "batches", curve: curve("batches"), sloMs: 100, queueSize: 256 },
  ];
}

/** Its objective is twice what a lone request takes, and 10 ms more. */
function own(file: string): Service {
  const curve = readCurve(readFileSync(file, "utf8"));
  return { name: "yours", curve, sloMs: Math.round(2 * curve[0]!.p99Ms + 10), queueSize: 256 };
}

/** No server runs: seeded, and the same on every machine. docs/scaling.md shows its tables. */
export const scaling: Suite = {
  summary:
    "how many replicas a load needs, and days of an autoscaler, simulated from measured service curves",
  async run(print, { curve }) {
    const tables = scalingTables(scenario(curve));
    for (const [name, rows] of Object.entries(tables)) print(`\n${name}\n${table(rows)}`);
    return tables;
  },
};
