// `npm run image`: the container image as an OCI archive, without a Docker daemon, on Debian. What `Dockerfile` builds where there is one: the
// libraries that Node and ONNX Runtime need, Node, and the server; nothing else, no shell among it.
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { makeApp } from "./image-app.mjs";
import { IMAGE_CONFIG } from "./image-config.mjs";
import { NODE_VERSIONS, nodeFolder } from "./node-binary.mjs";
import { writeOciArchive } from "./oci-archive.mjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const ARCHITECTURES = { x64: "amd64", arm64: "arm64" };
/** What `ldd` says of Node and of ONNX Runtime. */
const LIBRARIES = ["libc6", "libgcc-s1", "libstdc++6"];
const USER = 65532;

/** Writes the archive; resolves to its bytes, compressed. Throws where there is no apt to fetch libraries with. */
export async function writeImage(file) {
  const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const folder = mkdtempSync(join(tmpdir(), "sconce-image-"));
  try {
    const layers = ["base", "node", "app"].map((name) => join(folder, name));
    const [base, node, app] = layers;
    makeBase(base, join(folder, "packages"));
    await makeNode(node);
    makeApp(join(app, "app"));
    mkdirSync(dirname(resolve(file)), { recursive: true });
    return writeOciArchive(resolve(file), {
      layers,
      config: IMAGE_CONFIG,
      architecture: ARCHITECTURES[process.arch],
      reference: version,
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The C and C++ libraries of this Debian, with their licences, a user, and a place for temporary files. */
function makeBase(base, packages) {
  mkdirSync(packages, { recursive: true });
  execFileSync("apt-get", ["download", "-q", ...LIBRARIES], {
    cwd: packages,
    stdio: ["ignore", "ignore", "inherit"],
  });
  for (const folder of ["etc", "tmp", "models", "home/sconce"])
    mkdirSync(join(base, folder), { recursive: true });
  for (const name of readdirSync(packages)) execFileSync("dpkg-deb", ["-x", join(packages, name), base]);
  writeFileSync(join(base, "etc/passwd"), `sconce:x:${USER}:${USER}::/home/sconce:/sbin/nologin\n`);
  writeFileSync(join(base, "etc/group"), `sconce:x:${USER}:\n`);
  chmodSync(join(base, "tmp"), 0o1777);
}

async function makeNode(folder) {
  const version = NODE_VERSIONS.find((each) => each.startsWith("24."));
  const from = await nodeFolder(version);
  mkdirSync(join(folder, "usr/local/bin"), { recursive: true });
  copyFileSync(join(from, "bin/node"), join(folder, "usr/local/bin/node"));
  const licence = join(from, "LICENSE");
  if (existsSync(licence)) {
    mkdirSync(join(folder, "usr/share/doc/nodejs"), { recursive: true });
    copyFileSync(licence, join(folder, "usr/share/doc/nodejs/copyright"));
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const file = process.argv[2] ?? join(ROOT, "sconce.oci.tar");
  const bytes = await writeImage(file);
  console.log(`${file}: ${Math.round(bytes / 2 ** 20)} MiB compressed; load it with: podman load -i ${file}`);
}
