// Tests `npm run image`: the archive's layers are unpacked and run as a container runtime would, without a daemon.
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { DIGITS_FOLDER, MODELS_FOLDER } from "../expected-digits.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const MIB = 2 ** 20;

interface Descriptor {
  readonly digest: string;
  readonly size: number;
}
interface ImageConfig {
  readonly User: string;
  readonly Env: readonly string[];
  readonly Entrypoint: readonly string[];
  readonly Cmd: readonly string[];
  readonly StopSignal: string;
}

/** Why the image cannot be made or run here; undefined: it can. */
function obstacle(): string | undefined {
  for (const program of ["apt-get", "dpkg-deb", "unshare", "chroot"])
    if (spawnSync("which", [program]).status !== 0) return `there is no ${program}`;
  if (spawnSync("unshare", ["--mount", "--pid", "--fork", "true"]).status !== 0)
    return "namespaces may not be made here";
  const probe = spawnSync("apt-get", ["download", "--print-uris", "-q", "libc6"], { encoding: "utf8" });
  return probe.status === 0 && probe.stdout !== "" ? undefined : "no package index of Debian answers";
}

/** Runs in namespaces of its own, where the image's root is all there is: read-only but for /tmp, no rights, process 1. */
const CONTAINER = `set -e
mount --bind "$R" "$R"
mount --bind "$MODELS" "$R/models"
mount -t proc proc "$R/proc"
mount -t tmpfs tmpfs "$R/tmp"
mount --bind /dev "$R/dev"
mount -o remount,ro,bind "$R"
exec chroot --userspec="$IMAGE_USER" "$R" "$@"`;

describe("npm run image", () => {
  const folder = mkdtempSync(join(tmpdir(), "sconce-image-test-"));
  const root = join(folder, "root");
  let reason: string | undefined;
  let layerBytes = 0;
  let config: ImageConfig;

  before(() => {
    reason = obstacle();
    if (reason !== undefined) return;
    const archive = join(folder, "image.tar");
    execFileSync(process.execPath, [join(ROOT, "scripts/image.mjs"), archive], { stdio: "ignore" });
    const oci = join(folder, "oci");
    mkdirSync(oci);
    execFileSync("tar", ["-xf", archive, "-C", oci]);
    const blob = ({ digest, size }: Descriptor): Buffer => {
      const bytes = readFileSync(join(oci, "blobs/sha256", digest.replace("sha256:", "")));
      assert.equal(bytes.length, size);
      assert.equal(`sha256:${createHash("sha256").update(bytes).digest("hex")}`, digest);
      return bytes;
    };
    const read = <T>(bytes: Buffer): T => JSON.parse(bytes.toString()) as T;
    const index = read<{ readonly manifests: readonly [Descriptor] }>(readFileSync(join(oci, "index.json")));
    const manifest = read<{ readonly config: Descriptor; readonly layers: readonly Descriptor[] }>(
      blob(index.manifests[0]),
    );
    config = read<{ readonly config: ImageConfig }>(blob(manifest.config)).config;
    mkdirSync(root);
    for (const layer of manifest.layers) {
      layerBytes += layer.size;
      execFileSync("tar", ["-xzf", "-", "-C", root], { input: blob(layer) });
    }
    // As a container runtime makes them.
    for (const each of ["proc", "dev"]) mkdirSync(join(root, each), { recursive: true });
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const skips = (t: TestContext): boolean => {
    if (reason !== undefined) t.skip(reason);
    return reason !== undefined;
  };

  test("it is small, holds one platform's engine, licences and a bill of materials, and no shell", (t) => {
    if (skips(t)) return;
    assert.ok(layerBytes < 150 * MIB, `${layerBytes} bytes`);
    const bin = join(root, "app/node_modules/onnxruntime-node/bin");
    const platforms = readdirSync(bin).flatMap((abi) =>
      readdirSync(join(bin, abi)).flatMap((system) => readdirSync(join(bin, abi, system))),
    );
    assert.deepEqual(platforms, [process.arch]);
    const bill = JSON.parse(readFileSync(join(root, "app/sbom.cdx.json"), "utf8")) as {
      readonly bomFormat: string;
      readonly components: readonly { readonly name: string }[];
    };
    assert.equal(bill.bomFormat, "CycloneDX");
    assert.ok(bill.components.some(({ name }) => name === "onnxruntime-node"));
    assert.ok(existsSync(join(root, "app/LICENSE")));
    assert.ok(existsSync(join(root, "app/scripts/container-health.mjs")));
    assert.ok(existsSync(join(root, "usr/share/doc/libc6/copyright")));
    assert.ok(!existsSync(join(root, "bin/sh")) && !existsSync(join(root, "usr/bin/sh")));
  });

  test("nothing in it belongs to its user, who can change nothing", (t) => {
    if (skips(t)) return;
    assert.equal(config.User, "65532:65532");
    const writable = execFileSync(
      "find",
      [root, "-perm", "-o+w", "!", "-type", "l", "!", "-path", `${root}/tmp`],
      {
        encoding: "utf8",
      },
    );
    assert.equal(writable, "");
  });

  test("it serves digits without rights on a read-only root, and SIGTERM drains it as process 1", {
    timeout: 120_000,
  }, async (t) => {
    if (skips(t)) return;
    const [program, ...flags] = config.Entrypoint;
    const command = [
      `/usr/local/bin/${program}`,
      ...flags,
      "serve",
      "/models",
      "--host",
      "127.0.0.1",
      "--port",
      "0",
    ];
    const child = spawn(
      "unshare",
      ["--mount", "--pid", "--fork", "--propagation", "private", "sh", "-c", CONTAINER, "sh", ...command],
      {
        env: {
          ...Object.fromEntries(
            config.Env.map((line) => line.split(/=(.*)/s).slice(0, 2) as [string, string]),
          ),
          PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
          R: root,
          MODELS: MODELS_FOLDER,
          IMAGE_USER: config.User,
        },
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    t.after(() => child.kill("SIGKILL"));
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => {
        output += chunk.toString();
      });
    const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
    const url = await waitFor(
      () => /listens on (http:\S+)/.exec(output)?.[1],
      () => output,
    );
    await waitFor(
      async () => (await fetch(`${url}/v2/health/ready`)).ok || undefined,
      () => output,
    );
    const body = readFileSync(join(DIGITS_FOLDER, "request.json"));
    const response = await fetch(`${url}/v2/models/digits/infer`, { method: "POST", body });
    assert.equal(response.status, 200, await response.text());
    const health = spawnSync(process.execPath, [join(root, "app/scripts/container-health.mjs")], {
      env: { SCONCE_PORT: new URL(url).port },
    });
    assert.equal(health.status, 0);
    const server = execFileSync("pgrep", ["-P", String(child.pid)], { encoding: "utf8" }).trim();
    const user = /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${server}/status`, "utf8"))?.[1];
    assert.equal(user, "65532");
    process.kill(Number(server), "SIGTERM");
    assert.equal(await ended, 0, output);
    assert.match(output, /"msg":"drained"/);
  });

  test("the Dockerfile starts what the archive starts, with the flags of bin/sconce.js", async () => {
    const { IMAGE_CONFIG } = (await import(join(ROOT, "scripts/image-config.mjs"))) as {
      IMAGE_CONFIG: ImageConfig;
    };
    const dockerfile = readFileSync(join(ROOT, "Dockerfile"), "utf8");
    const { Entrypoint, Cmd, User, Env, StopSignal } = IMAGE_CONFIG;
    for (const [instruction, value] of [
      ["ENTRYPOINT", Entrypoint],
      ["CMD", Cmd],
    ] as const)
      assert.ok(
        dockerfile.includes(`${instruction} [${value.map((word) => JSON.stringify(word)).join(", ")}]`),
        instruction,
      );
    assert.ok(dockerfile.includes(`USER ${User}`));
    assert.ok(dockerfile.includes(`STOPSIGNAL ${StopSignal}`));
    for (const line of Env.slice(1)) assert.ok(dockerfile.includes(line), line);
    const [firstLine = ""] = readFileSync(join(ROOT, "packages/server/bin/sconce.js"), "utf8").split("\n");
    assert.deepEqual(firstLine.split(" ").slice(3), Entrypoint.slice(1, -1));
    assert.match(dockerfile, /HEALTHCHECK .*"\/app\/scripts\/container-health\.mjs"/);
  });
});

async function waitFor<T>(
  probe: () => T | undefined | Promise<T | undefined>,
  output: () => string,
): Promise<T> {
  for (let tries = 0; tries < 6_000; tries++) {
    const value = await Promise.resolve(probe()).catch(() => undefined);
    if (value !== undefined) return value;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`not up after a minute:\n${output()}`);
}
