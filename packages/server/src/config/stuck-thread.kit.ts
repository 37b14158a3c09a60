// A thread that answers at once, but for the files that it never answers for: what a parser with a flaw would be.
import { parentPort } from "node:worker_threads";

parentPort!.on("message", ({ path }: { readonly path: string }) => {
  if (path.endsWith("exits.yaml")) process.exit(1);
  if (path.endsWith("stuck.yaml")) for (;;);
  parentPort!.postMessage({ file: { name: path, values: {} } });
});
