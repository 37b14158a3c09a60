import { copyFileSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TORCHSERVE_START, torchserveProgram } from "@sconce/conformance/internals/real-torchserve";
import { PEERS } from "./environment.ts";
import { freePorts } from "./free-ports.ts";
import type { Peer } from "./peer.ts";
import { jsonOrBytes, programEnvironment } from "./python-program.ts";
import type { ModelFiles, Workload } from "./workload.ts";
import { threadsText } from "./workload.ts";

const BATCH_WAIT_MS = 1;

/** TorchServe 0.12 with a handler of its own around the TorchScript model. */
export function torchservePeer(python: string): Peer {
  return {
    name: "torchserve",
    grpc: "nowhere",
    settings: ({ processes, threads, maxBatchSize }) =>
      `0.12, TorchScript in a handler, ${processes} workers, each with ${threadsText(threads)}, batchSize ${maxBatchSize}, maxBatchDelay ${BATCH_WAIT_MS} ms`,
    async command(workload, files, ports) {
      const home = mkdtempSync(join(tmpdir(), "sconce-peers-"));
      const store = writeStore(join(home, "store"), workload, files);
      const [management, metrics, grpcManagement] = (await freePorts(3)) as [number, number, number];
      const { env, ...program } = torchserveProgram(python, {
        store,
        home,
        ports: [ports.http, management, metrics, ports.grpc, grpcManagement],
        settings: `load_models=${workload.model}\n`,
      });
      const own = programEnvironment({ engine: "torchscript", workload, files, ports }, TORCHSERVE_START);
      return { ...program, env: { ...env, ...own }, folder: home };
    },
    request(workload, files) {
      const path = `/predictions/${workload.model}`;
      return jsonOrBytes({ json: path, bytes: path }, workload, files);
    },
  };
}

/** A model store with one archive, unpacked as TorchServe also takes it. */
function writeStore(
  store: string,
  { model, processes, maxBatchSize }: Workload,
  { torchScript }: ModelFiles,
): string {
  const archive = join(store, model);
  mkdirSync(join(archive, "MAR-INF"), { recursive: true });
  copyFileSync(join(PEERS, "torchserve_handler.py"), join(archive, "torchserve_handler.py"));
  symlinkSync(torchScript, join(archive, "model.pt"));
  writeFileSync(
    join(archive, "model-config.yaml"),
    `minWorkers: ${processes}\nmaxWorkers: ${processes}\nbatchSize: ${maxBatchSize}\nmaxBatchDelay: ${BATCH_WAIT_MS}\n`,
  );
  const described = {
    modelName: model,
    modelVersion: "1.0",
    handler: "torchserve_handler.py",
    serializedFile: "model.pt",
    configFile: "model-config.yaml",
  };
  const manifest = { runtime: "python", archiverVersion: "0.12.0", model: described };
  writeFileSync(join(archive, "MAR-INF/MANIFEST.json"), JSON.stringify(manifest));
  return store;
}
