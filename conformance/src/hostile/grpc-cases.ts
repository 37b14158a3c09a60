import { BAD_NAMES, type Random } from "./random.ts";

/** A ModelInferRequest that is wrong (`isBad`), or that may be wrong: bytes changed at random can still be a request. */
export interface GrpcCase {
  readonly what: string;
  readonly message: Buffer;
  readonly isBad: boolean;
  readonly headers: Readonly<Record<string, string>>;
}

export type Encode = (message: object) => Buffer;
type Draft = Partial<GrpcCase> & { readonly what: string };
type Family = (chance: Random, encode: Encode) => Draft;

function request(changes: object = {}, input: object = {}): object {
  return {
    modelName: "digits",
    inputs: [{ name: "image", datatype: "FP32", shape: [1, 1, 8, 8], ...input }],
    rawInputContents: [Buffer.alloc(256)],
    ...changes,
  };
}

/** Shapes as int64 texts. */
const NOT_SHAPES: readonly (readonly string[])[] = [
  ["-1", "1", "8", "8"],
  ["1", "1", "8", "-8"],
  ["64"],
  [],
  ["0", "1", "8", "8"],
  ["2", "1", "8", "8"],
  ["9223372036854775807", "9223372036854775807", "8", "8"],
  ["-9223372036854775808", "1", "8", "8"],
  ["4294967296", "4294967296", "8", "8"],
  ["9007199254740993", "1", "8", "8"],
  new Array<string>(100).fill("1"),
];

const NOT_CONTENTS: readonly object[] = [
  { intContents: [1, 2, 3] },
  { fp64Contents: new Array(64).fill(1) },
  { fp32Contents: [1] },
  { fp32Contents: new Array(65).fill(1) },
  { bytesContents: [Buffer.alloc(256)] },
  { boolContents: new Array(64).fill(true) },
  { fp32Contents: new Array(64).fill(1), intContents: [1] },
];

const FAMILIES: readonly Family[] = [
  (chance, encode) => {
    // No name at all means the only model that there is.
    const modelName = chance.pick(BAD_NAMES.filter((name) => name !== ""));
    return { what: "model", message: encode(request({ modelName })) };
  },
  (chance, encode) => {
    const modelVersion = chance.pick(["2", "-1", "__proto__", "../1", "x".repeat(500)]);
    return { what: "version", message: encode(request({ modelVersion })) };
  },
  (chance, encode) => ({ what: "input", message: encode(request({}, { name: chance.pick(BAD_NAMES) })) }),
  (chance, encode) => {
    const datatype = chance.pick([
      "",
      "fp32",
      "FP64",
      "INT64",
      "BYTES",
      "BOOL",
      "__proto__",
      "x".repeat(5000),
    ]);
    return { what: "datatype", message: encode(request({}, { datatype })) };
  },
  (chance, encode) => ({ what: "shape", message: encode(request({}, { shape: chance.pick(NOT_SHAPES) })) }),
  (chance, encode) => {
    const rawInputContents = chance.pick([
      [],
      [Buffer.alloc(255)],
      [Buffer.alloc(257)],
      [Buffer.alloc(0)],
      [Buffer.alloc(256), Buffer.alloc(256)],
      [Buffer.alloc(1_000_000)],
    ]);
    return { what: "raw contents", message: encode(request({ rawInputContents })) };
  },
  (chance, encode) => ({
    what: "typed contents",
    message: encode(request({ rawInputContents: [] }, { contents: chance.pick(NOT_CONTENTS) })),
  }),
  (_chance, encode) => ({
    what: "both contents",
    message: encode(request({}, { contents: { fp32Contents: new Array(64).fill(1) } })),
  }),
  (chance, encode) => {
    const times = chance.pick([0, 2, 3, 300]);
    const { inputs } = request() as { inputs: readonly object[] };
    const rawInputContents = new Array(times).fill(Buffer.alloc(256));
    return {
      what: "count",
      message: encode(request({ inputs: new Array(times).fill(inputs[0]), rawInputContents })),
    };
  },
  (chance, encode) => ({
    what: "outputs",
    message: encode(
      request({
        outputs: chance.pick([
          [{ name: "nope" }],
          [{ name: "__proto__" }],
          [{ name: "probabilities" }, { name: "probabilities" }],
          [{ name: "probabilities", parameters: { classification: { int64Param: -3 } } }],
        ]),
      }),
    ),
  }),
  (chance, encode) => ({
    what: "parameters",
    message: encode(
      request({
        parameters: chance.pick([
          { triton_secret: { boolParam: true } },
          { timeout: { int64Param: -1 } },
          { timeout: { stringParam: "x" } },
          { priority: { stringParam: "x" } },
          { priority: { int64Param: -1 } },
          { x: {} },
          Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`p${i}`, { boolParam: true }])),
        ]),
      }),
    ),
  }),
  (chance, encode) => {
    const whole = encode(request());
    return { what: "cut", message: whole.subarray(0, 1 + chance.int(whole.length - 2)) };
  },
  (chance) => ({ what: "noise", message: chance.bytes(1 + chance.int(200)), isBad: false }),
  (chance, encode) => {
    const message = Buffer.from(encode(request()));
    for (let i = 0; i <= chance.int(8); i++) message[chance.int(message.length)] = chance.int(256);
    return { what: "flipped bytes", message, isBad: false };
  },
  (chance) => {
    // Groups (wire type 3) inside groups, and lengths that promise gigabytes.
    const message = chance.pick([
      Buffer.alloc(100_000, 0x0b),
      Buffer.from([0x2a, 0xff, 0xff, 0xff, 0xff, 0x07]),
      Buffer.from([0x2a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
      Buffer.alloc(50_000, 0x2a),
      Buffer.from([0x0a, 0x02, 0xff, 0xfe]),
      Buffer.alloc(0),
    ]);
    return { what: "wire", message };
  },
  (chance, encode) => ({
    what: "deadline",
    message: encode(request()),
    headers: { "x-request-timeout-ms": chance.pick(["0", "-1", "x", "1.5", "9".repeat(30)]) },
  }),
];

/** `count` messages, every family in turn. */
export function grpcCases(chance: Random, encode: Encode, count: number): GrpcCase[] {
  return Array.from({ length: count }, (_, i) => ({
    message: Buffer.alloc(0),
    isBad: true,
    headers: {},
    ...FAMILIES[i % FAMILIES.length]!(chance, encode),
  }));
}
