// Runs the smoke and unit tests on every Node that is supported and is not this one. Arguments: versions or beginnings of them; without any, all.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { NODE_VERSIONS, nodeBinary } from "./node-binary.mjs";

/** What a user of the built server meets first. */
const SMOKE = [
  "conformance/dist/digits.test.js",
  "conformance/dist/drain.test.js",
  "conformance/dist/cli.test.js",
  "conformance/dist/embedding.test.js",
  "conformance/dist/worker-death.test.js",
];
const wanted = process.argv.slice(2);
const chosen = NODE_VERSIONS.filter(
  (version) => wanted.length === 0 || wanted.some((beginning) => version.startsWith(beginning)),
);
const runner = fileURLToPath(new URL("test.mjs", import.meta.url));
for (const version of chosen) {
  const node = await nodeBinary(version);
  console.log(`\nNode ${version}`);
  const { status } = spawnSync(node, [runner, "--unit", ...SMOKE], { stdio: "inherit" });
  if (status !== 0) {
    console.error(`the tests fail on Node ${version}`);
    process.exitCode = 1;
  }
}
