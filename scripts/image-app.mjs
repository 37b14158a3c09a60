// The folder /app of the container image: the published files of the packages, and what they depend on, exactly as the lock file says, for this platform
// only. `node scripts/image-app.mjs FOLDER`, after a build.
import { execFileSync } from "node:child_process";
import { copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const PACKAGES = ["protocol", "torch", "server"];

/** Makes `folder`, which may be there but is replaced. */
export function makeApp(folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const name of PACKAGES) copyPublished(name, folder);
  writeWorkspace(folder);
  const quiet = { cwd: folder, stdio: ["ignore", "ignore", "inherit"] };
  const options = ["--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"];
  execFileSync("npm", ["ci", ...options], quiet);
  keepPlatform(join(folder, "node_modules/onnxruntime-node/bin"));
  const bill = execFileSync("npm", ["sbom", "--omit=dev", "--sbom-format=cyclonedx"], {
    cwd: folder,
    maxBuffer: 2 ** 26,
  });
  writeFileSync(join(folder, "sbom.cdx.json"), bill);
}

/** The files that `npm pack` would publish. */
function copyPublished(name, folder) {
  const from = join(ROOT, "packages", name);
  const listed = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
    cwd: from,
    encoding: "utf8",
    maxBuffer: 2 ** 26,
    stdio: ["ignore", "pipe", "ignore"],
  });
  for (const { path } of JSON.parse(listed)[0].files) {
    const to = join(folder, "packages", name, path);
    mkdirSync(dirname(to), { recursive: true });
    copyFileSync(join(from, path), to);
  }
  // What only tests need would count as missing.
  const manifest = join(folder, "packages", name, "package.json");
  const { devDependencies: _, ...kept } = JSON.parse(readFileSync(manifest, "utf8"));
  writeFileSync(manifest, JSON.stringify(kept, null, 2));
}

/** The workspace with these packages alone; the lock file may know more. */
function writeWorkspace(folder) {
  const whole = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const { name, version, license, overrides } = whole;
  const workspaces = PACKAGES.map((each) => `packages/${each}`);
  const own = { name, version, private: true, license, type: "module", workspaces, overrides };
  writeFileSync(join(folder, "package.json"), JSON.stringify(own, null, 2));
  const lock = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));
  lock.packages[""] = { ...own };
  for (const each of workspaces) delete lock.packages[each].devDependencies;
  for (const path of ["bench", "conformance", "packages/client"]) {
    delete lock.packages[path];
    for (const [key, entry] of Object.entries(lock.packages))
      if (entry.link === true && entry.resolved === path) delete lock.packages[key];
  }
  writeFileSync(join(folder, "package-lock.json"), JSON.stringify(lock, null, 2));
  for (const file of ["LICENSE", "scripts/container-health.mjs"])
    cpSync(join(ROOT, file), join(folder, file));
}

/** ONNX Runtime's package brings its library for every platform. */
function keepPlatform(bin) {
  for (const abi of readdirSync(bin)) {
    for (const system of readdirSync(join(bin, abi))) {
      for (const processor of readdirSync(join(bin, abi, system))) {
        if (system === process.platform && processor === process.arch) continue;
        rmSync(join(bin, abi, system, processor), { recursive: true });
      }
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv[2] === undefined) {
    console.error("usage: node scripts/image-app.mjs FOLDER");
    process.exit(2);
  }
  makeApp(process.argv[2]);
}
