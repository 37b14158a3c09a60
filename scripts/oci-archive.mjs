// An image in the layout of the Open Container Initiative (image-spec 1.1: image-layout.md, manifest.md, config.md, layer.md), as one tar file, without
// a daemon: the same input gives the same bytes.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";

/** So that equal files make equal layers. */
const EPOCH = "@0";
const REPRODUCIBLE = [
  "--sort=name",
  `--mtime=${EPOCH}`,
  "--owner=0",
  "--group=0",
  "--numeric-owner",
  "--format=pax",
];
const PLAIN_PAX = "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime";

/**
 * Writes `file` from folders, each of which becomes a layer.
 * @param {string} file
 * @param {{ layers: readonly string[], config: object, architecture: string, reference: string }} image
 * @returns {number} bytes of all layers, compressed
 */
export function writeOciArchive(file, { layers, config, architecture, reference }) {
  const folder = mkdtempSync(join(dirname(file), ".oci-"));
  try {
    const blobs = join(folder, "blobs/sha256");
    mkdirSync(blobs, { recursive: true });
    const store = (bytes) => {
      const digest = createHash("sha256").update(bytes).digest("hex");
      writeFileSync(join(blobs, digest), bytes);
      return { digest: `sha256:${digest}`, size: bytes.length };
    };
    const packed = layers.map((layer) => packLayer(layer, store));
    const image = {
      architecture,
      os: "linux",
      created: new Date(0).toISOString(),
      config,
      rootfs: { type: "layers", diff_ids: packed.map(({ diffId }) => diffId) },
    };
    const manifest = {
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      config: { mediaType: "application/vnd.oci.image.config.v1+json", ...store(json(image)) },
      layers: packed.map(({ blob }) => ({
        mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
        ...blob,
      })),
    };
    const entry = {
      mediaType: manifest.mediaType,
      ...store(json(manifest)),
      annotations: { "org.opencontainers.image.ref.name": reference },
      platform: { architecture, os: "linux" },
    };
    writeFileSync(join(folder, "index.json"), json({ schemaVersion: 2, manifests: [entry] }));
    writeFileSync(join(folder, "oci-layout"), json({ imageLayoutVersion: "1.0.0" }));
    execFileSync("tar", [
      ...REPRODUCIBLE,
      PLAIN_PAX,
      "-cf",
      file,
      "-C",
      folder,
      "oci-layout",
      "index.json",
      "blobs",
    ]);
    return packed.reduce((bytes, { blob }) => bytes + blob.size, 0);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function packLayer(folder, store) {
  const tar = `${folder}.tar`;
  execFileSync("tar", [...REPRODUCIBLE, PLAIN_PAX, "-cf", tar, "-C", folder, "."]);
  const bytes = readFileSync(tar);
  rmSync(tar);
  const diffId = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  return { diffId, blob: store(gzipSync(bytes, { level: 6 })) };
}

const json = (value) => Buffer.from(JSON.stringify(value));
