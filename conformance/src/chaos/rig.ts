import { calibrationFor } from "./calibration.ts";
import { type ChaosServer, startChaosServer } from "./chaos-server.ts";
import { FAULT_PLAN_VARIABLE } from "./fault-plan.ts";
import { startLoad } from "./load-process.ts";
import { createModelFolder, type ModelFolder } from "./model-folder.ts";
import { until } from "./monotonic.ts";
import type { Effort, Finding, Procedure, Rig } from "./procedure.ts";
import { exactly } from "./procedure.ts";
import { childrenOf, isAlive } from "./process-facts.ts";
import { createRandom } from "./random.ts";

export interface RunOptions extends Effort {
  readonly seed: number;
  /** Give server and load a core each. */
  readonly isPinned: boolean;
}

const SERVER_CORE = 0;
const LOAD_CORE = 1;
const ANSWER_GRACE_MS = 20_000;
const LOG_TAIL = 8_000;
const ORPHAN_GRACE_MS = 5_000;

/** Runs one procedure against a server of its own; what every procedure must leave behind is checked as well. */
export async function runProcedure(procedure: Procedure, options: RunOptions): Promise<Finding[]> {
  const { seed, isPinned } = options;
  const folder = createModelFolder();
  const calibration = calibrationFor(options);
  try {
    await procedure.prepare(folder, calibration);
    const server = await startChaosServer(folder.path, procedure.flags ?? [], {
      core: isPinned ? SERVER_CORE : undefined,
      openFiles: procedure.openFiles,
      runtime: procedure.runtime,
      env: serverEnv(folder),
    });
    let loads = 0;
    const startRigLoad: Rig["startLoad"] = (durationMs, streams) =>
      startLoad(
        { seed: seed + loads++, url: server.url, durationMs, graceMs: ANSWER_GRACE_MS, streams },
        { core: isPinned ? LOAD_CORE : undefined },
      );
    const rig: Rig = {
      server,
      folder,
      random: createRandom(seed),
      effort: options,
      calibration,
      startLoad: startRigLoad,
      load: (durationMs, streams) => startRigLoad(durationMs, streams).result,
    };
    try {
      const findings = await procedure.run(rig).catch((error: unknown) => {
        printLastWords(server);
        throw error;
      });
      const all = [...findings, ...(await endOf(rig))];
      if (all.some(({ isMet, kind }) => kind === "must" && !isMet)) printLastWords(server);
      return all;
    } finally {
      await server.stop();
    }
  } finally {
    folder.remove();
  }
}

/** Where the server finds its settings and the faults to suffer, and where it may leave files. */
function serverEnv({ configFile, faultPlan, temporary }: ModelFolder): Record<string, string> {
  return { SCONCE_CONFIG: configFile, [FAULT_PLAN_VARIABLE]: faultPlan, TMPDIR: temporary };
}

function printLastWords(server: ChaosServer): void {
  const state = server.exitCode() === undefined ? "runs" : `ended with code ${server.exitCode()}`;
  process.stderr.write(`the server ${state}; its last words:\n${server.log().slice(-LOG_TAIL)}\n`);
}

async function endOf({ server }: Rig): Promise<Finding[]> {
  const hadEnded = server.exitCode() !== undefined;
  const children = hadEnded ? [] : childrenOf(server.pid);
  const { code } = await server.stop();
  await until(() => !children.some(isAlive), { withinMs: ORPHAN_GRACE_MS, everyMs: 20 });
  return [
    exactly("exit code after SIGTERM", String(code), "0"),
    exactly("processes left behind", children.filter(isAlive).length, 0),
  ];
}
