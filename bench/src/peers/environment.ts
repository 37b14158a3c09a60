import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { SCRIPTS } from "../python-with-models.ts";

export const PEERS: string = fileURLToPath(new URL("../../peers/", import.meta.url));

export interface PeerPython {
  readonly python: string;
  /** `site-packages`. */
  readonly packages: string;
  /** Where Python's own shared library lies: Triton's backend is linked to it. */
  readonly libraries: string;
  /** `3.11`. */
  readonly version: string;
}

/** The Python environment of the peers, made at the first call. */
export async function peerPython(): Promise<PeerPython> {
  const run = promisify(execFile);
  const maker = [join(SCRIPTS, "python-env.mjs"), join(PEERS, "requirements.txt")];
  const python = (await run(process.execPath, maker)).stdout.trim();
  const facts =
    "import sysconfig as s; print(s.get_path('purelib'), s.get_config_var('LIBDIR'), s.get_python_version(), sep='\\n')";
  const [packages, libraries, version] = (await run(python, ["-c", facts])).stdout.trim().split("\n");
  return { python, packages: packages!, libraries: libraries!, version: version! };
}
