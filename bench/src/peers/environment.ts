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

/** An environment that lists its packages in a file of `bench/peers`, made at the first call; throws with the reason why it cannot be made. */
export async function peerPython(requirements = "requirements.txt"): Promise<PeerPython> {
  const run = promisify(execFile);
  const maker = [join(SCRIPTS, "python-env.mjs"), join(PEERS, requirements)];
  const python = await run(process.execPath, maker).then(
    ({ stdout }) => stdout.trim(),
    (error: { readonly stdout: string }) => {
      throw new Error(error.stdout.trim() || `the environment of ${requirements} cannot be made`);
    },
  );
  const facts =
    "import sysconfig as s; print(s.get_path('purelib'), s.get_config_var('LIBDIR'), s.get_python_version(), sep='\\n')";
  const [packages, libraries, version] = (await run(python, ["-c", facts])).stdout.trim().split("\n");
  return { python, packages: packages!, libraries: libraries!, version: version! };
}
