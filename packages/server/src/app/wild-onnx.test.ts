// Tests the server on ONNX files as they are found: what their signatures claim is not what their graphs do. What ONNX Runtime answers is the truth.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { loadConfig } from "../config/load-config.ts";
import { type TinyModel, tinyOnnx, type Value } from "../runtime/onnx/tiny-onnx.kit.ts";
import { type RunningServer, startServer } from "./start-server.ts";

type Dims = Value["dims"] | undefined;

interface Wild {
  readonly what: string;
  readonly model: TinyModel;
  /** Shapes of the inputs of each request. */
  readonly asked: readonly (readonly (readonly number[])[])[];
}

const value = (name: string, dims: Dims, type: Value["type"] = "FP32"): Value => ({ name, type, dims });
const node = (op: string, inputs: readonly string[], outputs: readonly string[]) => ({ op, inputs, outputs });

/** y = −x under other claims of what x and y look like. */
function claims(what: string, x: Dims, y: Dims, asked: readonly (readonly number[])[]): Wild {
  const model = { inputs: [value("x", x)], outputs: [value("y", y)], nodes: [node("Neg", ["x"], ["y"])] };
  return { what, model, asked: asked.map((shape) => [shape]) };
}

const ROWS = [
  [1, 2],
  [3, 2],
  [40, 2],
  [0, 2],
];

/** Claims of inputs × claims of outputs: each pair is a file. */
const INPUT_CLAIMS: readonly (readonly [string, Dims, readonly (readonly number[])[]])[] = [
  ["named", ["n", 2], ROWS],
  ["nameless", ["", 2], ROWS],
  [
    "both by one name",
    ["?", "?"],
    [
      [1, 2],
      [3, 2],
      [2, 3],
      [2, 2],
    ],
  ],
  ["without a shape", undefined, [[3, 2], [3], [], [2, 1, 2], [1, 1, 1, 1, 2]]],
  ["a scalar", [], [[], [1], [3, 2]]],
];
const OUTPUT_CLAIMS: readonly (readonly [string, Dims])[] = [
  ["the same", ["n", 2]],
  ["another name", ["m", 2]],
  ["the names of nobody", ["?", "?"]],
  ["one row", [1, 2]],
  ["another width", ["n", 3]],
  ["a rank too few", ["n"]],
  ["a rank too many", ["n", 2, 1]],
  ["a scalar", []],
  ["nothing", undefined],
];

const WILD: readonly Wild[] = [
  ...INPUT_CLAIMS.flatMap(([input, x, asked]) =>
    OUTPUT_CLAIMS.map(([output, y]) => claims(`input ${input}, output ${output}`, x, y, asked)),
  ),
  {
    what: "twice the rows that are claimed",
    model: {
      inputs: [value("x", ["n", 2])],
      outputs: [value("y", ["n", 2])],
      nodes: [{ op: "Concat", inputs: ["x", "x"], outputs: ["y"], attributes: { axis: 0 } }],
    },
    asked: ROWS.map((shape) => [shape]),
  },
  {
    what: "rows that depend on each other",
    model: {
      inputs: [value("x", ["n", 2])],
      outputs: [value("y", ["n", 2])],
      nodes: [{ op: "Softmax", inputs: ["x"], outputs: ["y"], attributes: { axis: 0 } }],
    },
    asked: ROWS.slice(0, 3).map((shape) => [shape]),
  },
  {
    what: "one name for the rows of two inputs that have nothing to do with each other",
    model: {
      inputs: [value("a", ["N", 2]), value("b", ["N", 3])],
      outputs: [value("y", ["N", 2]), value("z", ["N", 3])],
      nodes: [node("Neg", ["a"], ["y"]), node("Neg", ["b"], ["z"])],
    },
    asked: [
      [
        [3, 2],
        [3, 3],
      ],
      [
        [3, 2],
        [5, 3],
      ],
      [
        [1, 2],
        [4, 3],
      ],
      [
        [0, 2],
        [4, 3],
      ],
    ],
  },
  {
    what: "inputs that are spread over each other",
    model: {
      inputs: [value("a", ["N", "k"]), value("b", ["N", "k"])],
      outputs: [value("y", ["N", "k"])],
      nodes: [node("Add", ["a", "b"], ["y"])],
    },
    asked: [
      [
        [3, 2],
        [3, 2],
      ],
      [
        [1, 2],
        [3, 2],
      ],
      [
        [3, 2],
        [3, 1],
      ],
      [
        [3, 2],
        [2, 2],
      ],
      [
        [3, 2],
        [3, 4],
      ],
    ],
  },
  {
    what: "an input that is an output, too, and one that nobody uses",
    model: {
      inputs: [value("u", ["n", 5]), value("x", ["n", 2])],
      outputs: [value("x", ["n", 2]), value("y", ["n", 2])],
      nodes: [node("Neg", ["x"], ["y"])],
    },
    asked: [
      [
        [2, 5],
        [2, 2],
      ],
    ],
  },
  {
    what: "an output that is no tensor, between two that are",
    model: {
      inputs: [value("x", ["n", 2])],
      outputs: [value("y", ["n", 2]), { ...value("s", undefined), isSequence: true }, value("z", ["n", 2])],
      nodes: [
        node("Neg", ["x"], ["y"]),
        node("SequenceConstruct", ["x", "y"], ["s"]),
        node("Abs", ["x"], ["z"]),
      ],
    },
    asked: [[[2, 2]], [[3, 2]]],
  },
  {
    what: "one output listed twice",
    model: {
      inputs: [value("x", ["n", 2])],
      outputs: [value("y", ["n", 2]), value("y", ["n", 2])],
      nodes: [node("Neg", ["x"], ["y"])],
    },
    asked: [[[2, 2]]],
  },
  {
    what: "names that are no words",
    model: {
      inputs: [value("serving_default_x:0", ["n", 2])],
      outputs: [value("StatefulPartitionedCall/a.b:0", ["n", 2])],
      nodes: [node("Neg", ["serving_default_x:0"], ["StatefulPartitionedCall/a.b:0"])],
    },
    asked: [[[2, 2]]],
  },
];

interface V2Output {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

describe("ONNX files as they are found", { timeout: 300_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "sconce-wild-"));
  let server: RunningServer;

  before(async () => {
    for (const [i, { model }] of WILD.entries())
      writeFileSync(join(folder, `wild${i}.onnx`), tinyOnnx(model));
    const config = loadConfig({
      flags: new Map([
        ["--port", "0"],
        ["--threads", "1"],
        ["--isolation", "thread"],
      ]),
    });
    server = await startServer({ config, paths: [folder] });
    await server.settled;
  });
  after(async () => {
    await server.stop();
    rmSync(folder, { recursive: true });
  });

  for (const [i, { what, model, asked }] of WILD.entries()) {
    test(`${what}: answered as ONNX Runtime answers, refused where it refuses`, async () => {
      const session = await InferenceSession.create(tinyOnnx(model), { logSeverityLevel: 4 });
      for (const shapes of asked) {
        const want = await truth(session, shapes);
        const inputs = session.inputNames.map((name, at) => {
          const data = [...floats(shapes[at]!)];
          return { name, datatype: "FP32", shape: shapes[at]!, data };
        });
        const answer = await fetch(`${server.url}/v2/models/wild${i}/infer`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ inputs }),
        });
        const body = (await answer.json()) as { outputs?: V2Output[]; error?: string };
        const label = `${JSON.stringify(shapes)}: ${body.error}`;
        if (want === undefined) {
          assert.equal(answer.status, 400, label);
          continue;
        }
        assert.equal(answer.status, 200, label);
        const got = body.outputs!.map(({ name, shape, data }) => [name, shape, data.map(Math.fround)]);
        assert.deepEqual(got, want);
      }
      await session.release();
    });
  }

  test("many at once are answered alike, whether rows are what the file claims or not", async () => {
    const names = ["twice the rows that are claimed", "rows that depend on each other"];
    for (const what of names) {
      const i = WILD.findIndex((wild) => wild.what === what);
      const session = await InferenceSession.create(tinyOnnx(WILD[i]!.model), { logSeverityLevel: 4 });
      const [want] = (await truth(session, [[3, 2]]))!;
      const inputs = [{ name: "x", datatype: "FP32", shape: [3, 2], data: [...floats([3, 2])] }];
      const answers = await Promise.all(
        Array.from({ length: 24 }, async () => {
          const answer = await fetch(`${server.url}/v2/models/wild${i}/infer`, {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: JSON.stringify({ inputs }),
          });
          return (await answer.json()) as { outputs?: V2Output[] };
        }),
      );
      for (const { outputs } of answers) assert.deepEqual(outputs?.[0]?.data.map(Math.fround), want![2]);
      await session.release();
    }
  });
});

function floats(shape: readonly number[]): Float32Array {
  const count = shape.reduce((a, b) => a * b, 1);
  return Float32Array.from({ length: count }, (_, i) => (i % 7) / 4 - 0.5);
}

/** What ONNX Runtime answers, by name; undefined where it refuses. */
async function truth(session: InferenceSession, shapes: readonly (readonly number[])[]) {
  const feeds = session.inputNames.map((name, i) => [
    name,
    new Tensor("float32", floats(shapes[i]!), [...shapes[i]!]),
  ]);
  const names = session.outputMetadata.filter(({ isTensor }) => isTensor).map(({ name }) => name);
  const results = await session.run(Object.fromEntries(feeds), names).catch(() => undefined);
  if (results === undefined) return undefined;
  return [...new Set(names)].map((name) => {
    const { dims, data } = results[name]!;
    return [name, [...dims], [...(data as Float32Array)]];
  });
}
