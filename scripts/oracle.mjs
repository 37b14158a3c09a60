// The op oracle: `npm run oracle` on the committed packs, `npm run oracle -- --sweep edges --seed 7` on inputs that PyTorch answers now. What
// the options mean is said in conformance/src/oracle/main.ts.
import { pythonEnv } from "./python-env.mjs";

if (process.argv.includes("--sweep")) {
  const { python, skip } = await pythonEnv();
  if (skip !== undefined) throw new Error(`a sweep needs PyTorch: ${skip}`);
  process.env.SCONCE_TEST_PYTHON = python;
}
await import("../conformance/dist/oracle/main.js");
