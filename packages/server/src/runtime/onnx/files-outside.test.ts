// Tests load-model.ts: no file outside the folder that is served is read, and its bytes never come out as predictions.
import assert from "node:assert/strict";
import {
  copyFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { HostedModel } from "../model-host.ts";
import { PLAIN_LOAD } from "../plain-load.ts";
import type { LoadOptions } from "../runtime.ts";
import { loadModel } from "./load-model.ts";
import { seeded, shuffledMessage, type Tree } from "./shuffled-onnx.kit.ts";

const EXAMPLES = realpathSync(fileURLToPath(new URL("../../../../../examples/", import.meta.url)));
const base = realpathSync(mkdtempSync(join(tmpdir(), "outside-")));
after(() => rmSync(base, { recursive: true }));
const root = join(base, "models");
mkdirSync(join(root, "sub"), { recursive: true });
const SIZE = 64;
/** As many bytes as the weight has. */
const SECRET = Buffer.alloc(4 * SIZE * SIZE, "root:x:0:0:");
for (const place of [join(base, "secret"), join(root, "sub", "weights")]) writeFileSync(place, SECRET);

const OPTIONS: LoadOptions = { ...PLAIN_LOAD, warmupRuns: 0 };

function load(file: string, options: Partial<LoadOptions> = {}): Promise<HostedModel> {
  const spec = { name: "m", version: "1", file, root, options: { ...OPTIONS, ...options } };
  return loadModel({ spec, wantsDigest: true }, () => {});
}

const value = (name: string): Tree => [
  [1, name],
  [
    2,
    [
      [
        1,
        [
          [1, 1],
          [
            2,
            [
              [1, [[2, "n"]]],
              [1, [[1, SIZE]]],
            ],
          ],
        ],
      ],
    ],
  ],
];

/** y = x · w with w: [64, 64] from a file; the fields of every message in an order that the seed chooses. */
function product(location: string, seed: number): Uint8Array {
  const weight: Tree = [
    [1, SIZE],
    [1, SIZE],
    [2, 1],
    [8, "w"],
    [
      13,
      [
        [1, "location"],
        [2, location],
      ],
    ],
    [14, 1],
  ];
  const node: Tree = [
    [1, "x"],
    [1, "w"],
    [2, "y"],
    [4, "MatMul"],
  ];
  const graph: Tree = [
    [1, node],
    [2, "g"],
    [5, weight],
    [11, value("x")],
    [12, value("y")],
  ];
  return shuffledMessage(
    [
      [1, 10],
      [7, graph],
      [
        8,
        [
          [1, ""],
          [2, 21],
        ],
      ],
    ],
    seeded(seed),
  );
}

let files = 0;
function written(location: string): string {
  const file = join(root, `m${files}.onnx`);
  writeFileSync(file, product(location, files++));
  return file;
}

describe("external weights", () => {
  symlinkSync(join(base, "secret"), join(root, "soft"));
  symlinkSync(join(root, "sub", "weights"), join(root, "inside"));
  linkSync(join(base, "secret"), join(root, "hard"));
  symlinkSync(base, join(root, "up"));
  const places = ["soft", "inside", "hard", "up/secret", "sub/weights", "../secret", join(base, "secret")];
  for (const precision of ["float32", "float16", "int8", "int4"] as const) {
    test(`the bytes of another file are never weights: ${precision}, links, paths, fields in any order`, async () => {
      for (let round = 0; round < 4; round++)
        for (const location of places)
          await assert.rejects(
            load(written(location), { precision }),
            { code: "failed_precondition", reason: "model_refused" },
            location,
          );
    });
  }

  test("a file that lies beside the model serves, also when both are reached through links, as Kubernetes mounts them", async () => {
    mkdirSync(join(root, "k8s", "..2026"), { recursive: true });
    writeFileSync(join(root, "k8s", "..2026", "m.onnx"), product("w.bin", 1));
    writeFileSync(join(root, "k8s", "..2026", "w.bin"), Buffer.alloc(SECRET.byteLength));
    symlinkSync("..2026", join(root, "k8s", "..data"));
    for (const name of ["m.onnx", "w.bin"]) symlinkSync(`..data/${name}`, join(root, "k8s", name));
    for (const precision of ["float32", "float16"] as const) {
      const { description } = await load(join(root, "k8s", "m.onnx"), { precision });
      assert.equal(description.parameterCount, SIZE * SIZE);
    }
  });
});

test("a model that became a link out of the folder after the scan is not loaded", async () => {
  symlinkSync(join(EXAMPLES, "models", "digits.pt2"), join(root, "digits.pt2"));
  await assert.rejects(load(join(root, "digits.pt2")), { reason: "outside_repository" });
});

test("`weights` that lead out of the folder are not read", async () => {
  const program = join(root, "program.pt2");
  copyFileSync(join(EXAMPLES, "models", "digits.pt2"), program);
  symlinkSync(join(EXAMPLES, "digits", "digits.safetensors"), join(root, "w.safetensors"));
  symlinkSync("/dev/zero", join(root, "zero.safetensors"));
  for (const name of ["w.safetensors", "zero.safetensors", "../secret"])
    await assert.rejects(load(program, { weightsFile: join(root, name) }), {
      code: "failed_precondition",
      reason: "outside_repository",
    });
});
