/** Writes ONNX files that mean the same and look different: fields in another order, unknown ones between them, weights spelled otherwise. */
import { message } from "./tiny-onnx.kit.ts";

/** A protobuf message as its fields; a list is a message inside. */
export type Tree = readonly (readonly [number, number | string | Uint8Array | Tree])[];

/** Numbers from 0 up to 1, the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const UNKNOWN: readonly Uint8Array[] = [
  message([900, 1]),
  message([901, "unknown"]),
  Uint8Array.of(0xa5, 0x38, 1, 2, 3, 4), // 900, fixed 32
  Uint8Array.of(0xa1, 0x38, 1, 2, 3, 4, 5, 6, 7, 8), // 900, fixed 64
  Uint8Array.of(0xa3, 0x38, 0x08, 0x01, 0xa4, 0x38), // 900, a group
];

/** Encodes a tree with its fields shuffled, those of one number in their order, and unknown fields between them. */
export function shuffledMessage(tree: Tree, random: () => number): Uint8Array {
  const keyed = tree.map((field) => ({ field, key: random() }));
  const keys = new Map<number, number[]>();
  for (const { field, key } of keyed) keys.set(field[0], [...(keys.get(field[0]) ?? []), key]);
  for (const list of keys.values()) list.sort((a, b) => b - a);
  const ordered = keyed
    .map(({ field }) => ({ field, key: keys.get(field[0])!.pop()! }))
    .sort((a, b) => a.key - b.key);
  const parts = ordered.flatMap(({ field: [number, value] }) => {
    const bytes = message([
      number,
      Array.isArray(value) ? shuffledMessage(value, random) : (value as string),
    ]);
    return random() < 0.1 ? [UNKNOWN[Math.floor(random() * UNKNOWN.length)]!, bytes] : [bytes];
  });
  return Buffer.concat(parts);
}

const FLOAT = 1;
const INT64 = 7;
const BOOL = 9;

const valueInfo = (name: string, type: number, dims: Tree): Tree => [
  [1, name],
  [
    2,
    [
      [
        1,
        [
          [1, type],
          [2, dims],
        ],
      ],
    ],
  ],
];
const BATCH: Tree = [
  [1, [[2, "n"]]],
  [1, [[1, 2]]],
];
const node = (op: string, inputs: readonly string[], output: string, rest: Tree = []): Tree => [
  ...inputs.map((name) => [1, name] as const),
  [2, output],
  [4, op],
  ...rest,
];

/** An If whose bodies hold an If, `depth` times; the innermost gives `f`. */
function nestedIf(output: string, depth: number): Tree {
  const body = (inner: Tree, name: string): Tree => [
    [1, inner],
    [2, name],
    [12, valueInfo(name, FLOAT, BATCH)],
  ];
  const then = depth === 1 ? node("Identity", ["f"], `${output}t`) : nestedIf(`${output}t`, depth - 1);
  const graph = (name: string, inner: Tree): Tree => [
    [1, name],
    [6, inner],
    [20, 5],
  ];
  return node("If", ["on"], output, [
    [5, graph("then_branch", body(then, `${output}t`))],
    [5, graph("else_branch", body(node("Identity", ["x"], `${output}e`), `${output}e`))],
  ]);
}

const bytesOf = (values: Float32Array | BigInt64Array): Uint8Array => new Uint8Array(values.buffer);

/**
 * y = If(on, … x + w + s + 10 …, x): `depth` Ifs in each other, a weight `s` that may be sparse, a weight `w` that is an input too, and a function of the
 * model's own that adds a constant from an attribute.
 */
export function nestedModel(depth: number, { isSparse }: { readonly isSparse: boolean }): Tree {
  const sparse: Tree = [
    [
      1,
      [
        [1, 1],
        [2, FLOAT],
        [8, "s"],
        [9, bytesOf(Float32Array.of(3))],
      ],
    ],
    [
      2,
      [
        [1, 1],
        [2, INT64],
        [8, "at"],
        [9, bytesOf(BigInt64Array.of(1n))],
      ],
    ],
    [3, 2],
  ];
  const constant: Tree = [
    [1, "value"],
    [
      5,
      [
        [1, 1],
        [2, FLOAT],
        [9, bytesOf(Float32Array.of(10))],
      ],
    ],
    [20, 4],
  ];
  const added: Tree = [
    [1, "AddTen"],
    [4, "a"],
    [5, "b"],
    [7, node("Constant", [], "ten", [[5, constant]])],
    [7, node("Add", ["a", "ten"], "b")],
    [
      9,
      [
        [1, ""],
        [2, 17],
      ],
    ],
    [10, "local"],
  ];
  const graph: Tree = [
    [1, node("Add", ["x", "w"], "xw")],
    [1, node("Add", ["xw", "s"], "xws")],
    [1, node("AddTen", ["xws"], "f", [[7, "local"]])],
    [1, nestedIf("y", depth)],
    [2, "g"],
    [
      5,
      [
        [1, 2],
        [2, FLOAT],
        [8, "w"],
        [9, bytesOf(Float32Array.of(1, 2))],
      ],
    ],
    [11, valueInfo("x", FLOAT, BATCH)],
    [11, valueInfo("on", BOOL, [[1, [[1, 1]]]])],
    [11, valueInfo("w", FLOAT, [[1, [[1, 2]]]])],
    [12, valueInfo("y", FLOAT, BATCH)],
    isSparse
      ? [15, sparse]
      : [
          5,
          [
            [1, 2],
            [2, FLOAT],
            [8, "s"],
            [9, bytesOf(Float32Array.of(0, 3))],
          ],
        ],
  ];
  return [
    [1, 9],
    [2, "a test"],
    [7, graph],
    [
      8,
      [
        [1, ""],
        [2, 17],
      ],
    ],
    [
      8,
      [
        [1, "local"],
        [2, 1],
      ],
    ],
    [
      14,
      [
        [1, "note"],
        [2, "kept"],
      ],
    ],
    [25, added],
  ];
}
