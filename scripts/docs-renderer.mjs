// Writes the renderer of `/docs` (packages/server/pages/docs): Swagger UI as its makers publish it, packed. To take another version, change VERSION and
// INTEGRITY (`npm view swagger-ui-dist dist.integrity`) and run this file.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const VERSION = "5.35.0";
const INTEGRITY =
  "sha512-U06rpMtW9V3XPGOBeamTUSr0Z09jMX4IJuANpE/EZbAhw0G8CgwrzU4YmXkn/h0wCDNsXdGarTNNHC3sU8yVUQ==";
/** Whose package: ours. */
const FILES = {
  "swagger-ui-bundle.js": "renderer.js.gz",
  "swagger-ui.css": "renderer.css.gz",
  LICENSE: "renderer-LICENSE",
  NOTICE: "renderer-NOTICE",
};
const FOLDER = fileURLToPath(new URL("../packages/server/pages/docs/", import.meta.url));

const scratch = mkdtempSync(join(tmpdir(), "sconce-renderer-"));
try {
  const packed = execFileSync("npm", ["pack", "--json", "--silent", `swagger-ui-dist@${VERSION}`], {
    cwd: scratch,
    encoding: "utf8",
  });
  const archive = join(scratch, JSON.parse(packed)[0].filename);
  const integrity = `sha512-${createHash("sha512").update(readFileSync(archive)).digest("base64")}`;
  if (integrity !== INTEGRITY)
    throw new Error(`swagger-ui-dist ${VERSION} is ${integrity}, not ${INTEGRITY}`);
  execFileSync("tar", ["xzf", archive, "-C", scratch]);
  const digests = {};
  for (const [theirs, ours] of Object.entries(FILES)) {
    const bytes = readFileSync(join(scratch, "package", theirs));
    digests[ours] = createHash("sha256").update(bytes).digest("hex");
    writeFileSync(join(FOLDER, ours), ours.endsWith(".gz") ? gzipSync(bytes, { level: 9 }) : bytes);
  }
  writeFileSync(
    join(FOLDER, "renderer.json"),
    `${JSON.stringify({ package: "swagger-ui-dist", version: VERSION, sha256: digests }, null, 2)}\n`,
  );
} finally {
  rmSync(scratch, { recursive: true });
}
