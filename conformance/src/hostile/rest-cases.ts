import { deflateSync, gzipSync } from "node:zlib";
import { BAD_NAMES, type Random } from "./random.ts";

/** One request that no server should answer with success. */
export interface RestCase {
  readonly what: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer | undefined;
}

type Family = (chance: Random) => Partial<RestCase> & { readonly what: string };

const INFER = "/v2/models/digits/infer";
const ELEMENTS = 64;
const DEPTHS = [65, 66, 100, 1000, 20_000, 250_000];

// biome-ignore format: a list of short texts
const GENERATE_BODIES: readonly string[] = [
  "", "[]", "{}", '{"image":null}', '{"image":"x"}', '{"image":[[[[[1]]]]]}', '{"image":[1,"2"]}', '{"image":[[1],[2,3]]}', '{"x":1}',
  '{"image":[1],"image":[1]}', '{"image":[1],"parameters":1}', '{"image":[1],"parameters":{"image":[1]}}', '{"id":1,"image":[1]}',
  '{"image":[1],"__proto__":[]}', '{"image":{}}', '{"image":[1e400]}', '{"image":[1],"timeout":-1}', '{"image":[1],"priority":"x"}',
];
// biome-ignore format: a list of short texts
const V1_BODIES: readonly string[] = [
  "", "[]", "{}", '{"instances":1}', '{"instances":{}}', '{"instances":[]}', '{"instances":[{}]}', '{"instances":[null]}',
  '{"instances":[{"image":[[[1]]]}]}', '{"instances":[{"image":1},2]}', '{"instances":[{"x":1}]}', '{"instances":[[1]],"inputs":[1]}',
  '{"inputs":null}', '{"inputs":{"x":1}}', '{"inputs":[1]}', '{"inputs":"x"}', '{"signature_name":"x","inputs":[1]}',
  '{"instances":[{"__proto__":[]}]}', '{"instances":["x"]}', '{"instances":[{"b64":"AA=="}]}', `{"instances":${"[".repeat(1000)}`,
];

interface V2 {
  [key: string]: unknown;
}

function validInput(): V2 {
  return {
    name: "image",
    datatype: "FP32",
    shape: [1, 1, 8, 8],
    data: new Array<number>(ELEMENTS).fill(0.5),
  };
}

/** The valid request with changes to its only input; `undefined` takes a key out. */
function withInput(changes: V2): string {
  return JSON.stringify({ inputs: [{ ...validInput(), ...changes }] });
}

/** JSON text in place of a value that JSON.stringify cannot write. */
function withRaw(key: string, raw: string): string {
  return withInput({ [key]: "@" }).replace('"@"', raw);
}

function nested(depth: number, open: string, close: string): string {
  return `${open.repeat(depth)}1${close.repeat(depth)}`;
}

// biome-ignore format: a list of short texts
const NOT_DATATYPES: readonly unknown[] = [
  "fp32", "FP31", "FLOAT", "INT64", "FP64", "BOOL", "BYTES", "FP16", "BF16", "", "__proto__", "UINT128", 3, null, true, {}, ["FP32"],
];
// biome-ignore format: a list of short texts
const NOT_SHAPES: readonly string[] = [
  "[-1,1,8,8]", "[1,1,8,-8]", "[1,1,8]", "[1,1,8,8,1]", "[64]", "[]", "[0,1,8,8]", "[2,1,8,8]", "[1,1,8,9]", "[2147483648,1,8,8]",
  "[9007199254740992,1,8,8]", "[9223372036854775807,2,8,8]", "[18446744073709551616]", "[4294967296,4294967296,8,8]", "[1e400,1,8,8]",
  "[1.5,1,8,8]", '["1",1,8,8]', "[null,1,8,8]", "[[1],1,8,8]", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,64]", "64", "null", '"1,1,8,8"', "{}",
  "[1,1,8,8", "[1,1,8,NaN]", "[65,1,8,8]",
];
// biome-ignore format: a list of short texts
const NOT_DATA: readonly string[] = [
  "[]", "[1]", "null", "1", '"x"', "{}", "[null]", "[true]", '["0.5"]', "[[]]", "[1,[2]]", "[1e400]", "[-1e400]", "[01]", "[1.]", "[.5]",
  "[+1]", "[1e]", "[0x10]", "[1,]", "[,1]", "[1 2]", "[1;2]", "[Infinit]", "[nan]", "[--1]", '[{"a":1}]', "[\u00a01]", "[1", "1]",
];
const JUNK: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  "",
  "x",
  [],
  {},
  [[]],
  [null],
  [1],
  [{}],
  { inputs: 1 },
];
// biome-ignore format: a list of short texts
const PATHS: readonly string[] = [
  "/v2/models/nope/infer", "/v2/models/digits/versions/2/infer", "/v2/models/digits/versions/%2e%2e/infer", "/v2/models/..%2fdigits/infer",
  "/v2/models/%00/infer", "/v2/models/%2fetc%2fpasswd/infer", "/v2/models/__proto__/infer", "/v2/models/constructor/infer",
  "/v2/models/digits/versions/__proto__/infer", "/v2/models/%ff/infer", "/v2/models/%zz/infer", "/v2/models//infer", "/predict/nope",
  "/predict/__proto__", "/v2/models/digits/infer/x", "/../../etc/passwd", "/v2/models/digits/versions/-1/infer", `/v2/models/${"a".repeat(129)}/infer`,
  "/v2/repository/models/digits/load", "/v2/repository/models/digits/unload", "/v2/repository/models/..%2f..%2fetc/load",
];

const FAMILIES: readonly Family[] = [
  (chance) => ({ what: "input name", body: withInput({ name: chance.pick([...BAD_NAMES, ...JUNK]) }) }),
  (chance) => ({ what: "datatype", body: withInput({ datatype: chance.pick(NOT_DATATYPES) }) }),
  (chance) => ({ what: "shape", body: withRaw("shape", chance.pick(NOT_SHAPES)) }),
  (chance) => ({ what: "data", body: withRaw("data", chance.pick(NOT_DATA)) }),
  (chance) => {
    const length = chance.pick([0, 1, 63, 65, 128, 1000]);
    return { what: "data length", body: withInput({ data: new Array(length).fill(1) }) };
  },
  (chance) => ({
    what: "missing key",
    body: withInput({ [chance.pick(Object.keys(validInput()))]: undefined }),
  }),
  (chance) => ({ what: "junk for inputs", body: JSON.stringify({ inputs: chance.pick(JUNK) }) }),
  (chance) => ({ what: "junk for the body", body: JSON.stringify(chance.pick(JUNK)) }),
  (chance) => {
    const times = chance.pick([0, 2, 3, 300]);
    return { what: "count of inputs", body: JSON.stringify({ inputs: new Array(times).fill(validInput()) }) };
  },
  (chance) => ({ what: "path", path: chance.pick(PATHS), body: withInput({}) }),
  (chance) => {
    const whole = withInput({});
    return { what: "cut JSON", body: whole.slice(0, chance.int(whole.length - 1)) };
  },
  (chance) => ({ what: "noise", body: chance.bytes(1 + chance.int(300)) }),
  (chance) => ({
    what: "almost nothing",
    body: chance.pick(["", " ", "\n", "\u0000", "\ufeff{}", "null", '"', "{", "[", "{}{}"]),
  }),
  (chance) => {
    const at = chance.pick(["data", "shape", "parameters", "other"]);
    const [open, close] = chance.pick([
      ["[", "]"],
      ['{"a":', "}"],
    ] as const);
    return { what: `depth in ${at}`, body: withRaw(at, nested(chance.pick(DEPTHS), open, close)) };
  },
  (chance) => {
    const [from, to] = chance.pick([
      ['"name":', '"name":"image","name":'],
      ['"inputs":', '"inputs":[],"inputs":'],
      ['"shape":', '"shape":[1],"shape":'],
      ['"data":', '"data":[],"data":'],
      ['"datatype":', '"datatype":"FP32","data\\u0074ype":'],
    ] as const);
    return { what: "duplicate key", body: withInput({}).replace(from, to) };
  },
  (chance) => {
    const key = chance.pick(["__proto__", "constructor", "prototype"]);
    return { what: "inputs under a prototype", body: `{"${key}":${withInput({})}}` };
  },
  (chance) => {
    const parameter = chance.pick([
      '"timeout":-1',
      '"timeout":"x"',
      '"timeout":1.5',
      '"priority":-1',
      '"priority":"x"',
      '"priority":1e400',
      '"x":{}',
      '"x":[1]',
      '"x":nul',
      '"binary_data_output":1',
      '"x":1e400',
      '"timeout":true',
    ]);
    return {
      what: "parameters",
      body: withInput({}).replace('{"inputs"', `{"parameters":{${parameter}},"inputs"`),
    };
  },
  (chance) => {
    const outputs = chance.pick([
      '[{"name":"nope"}]',
      '[{"name":"probabilities"},{"name":"probabilities"}]',
      "[{}]",
      "[1]",
      "{}",
      '"x"',
      '[{"name":"__proto__"}]',
      '[{"name":"probabilities","parameters":{"classification":-3}}]',
      '[{"name":"probabilities","parameters":1}]',
    ]);
    return { what: "outputs", body: withInput({}).replace('{"inputs"', `{"outputs":${outputs},"inputs"`) };
  },
  (chance) => ({
    what: "x-request-timeout-ms",
    headers: { "x-request-timeout-ms": chance.pick(["0", "-1", "x", "1.5", "1e3", "9".repeat(30), " "]) },
    body: withInput({}),
  }),
  binaryCase,
  compressedCase,
  headerCase,
  (chance) => ({
    what: "method",
    method: chance.pick(["GET", "PUT", "DELETE", "PATCH"]),
    body: undefined,
  }),
  (chance) => ({ what: "predict", path: "/predict/digits", body: predictBody(chance) }),
  (chance) => ({
    what: "generate",
    path: chance.pick(["/v2/models/digits/generate", "/v2/models/digits/generate_stream"]),
    body: chance.pick(GENERATE_BODIES),
  }),
  (chance) => ({ what: "v1", path: "/v1/models/digits:predict", body: chance.pick(V1_BODIES) }),
  (chance) => ({
    what: "index",
    path: "/v2/repository/index",
    body: chance.pick([
      "[]",
      '{"ready":1}',
      '{"ready":',
      '{"ready":true,"ready":true}',
      "x",
      nested(70, "[", "]"),
    ]),
  }),
];

function predictBody(chance: Random): string {
  const inputs = [
    "null",
    "1",
    "[]",
    "[1]",
    '"x"',
    "{}",
    '{"nope":[1]}',
    '{"__proto__":[1]}',
    '{"image":[1],"image":[1]}',
    "[[[1]]]",
    "[[[[[[1]]]]]]",
  ];
  const value = chance.pick([...inputs, nested(chance.pick(DEPTHS), "[", "]")]);
  return chance.pick([`{"input":${value}}`, `{"inputs":${value}}`, `{"input":${value}`, value]);
}

/** The binary extension: what the JSON announces and what follows do not fit. */
function binaryCase(chance: Random): Partial<RestCase> & { readonly what: string } {
  const size = chance.pick([0, 1, 255, 257, 2 ** 31, 2 ** 53, -1, 1.5, 256]);
  const json = withInput({ data: undefined, parameters: { binary_data_size: size } });
  const tail = chance.bytes(chance.pick([0, 1, 255, 257, 1000]));
  const length = chance.pick([
    String(json.length),
    "0",
    "-1",
    "x",
    "1e3",
    String(json.length + 5000),
    "9".repeat(20),
    "0x10",
  ]);
  return {
    what: "binary tail",
    headers: { "inference-header-content-length": length },
    body: Buffer.concat([Buffer.from(json), tail]),
  };
}

const BOMB = gzipSync(Buffer.alloc(64 * 1024 * 1024, 0x20));

function compressedCase(chance: Random): Partial<RestCase> & { readonly what: string } {
  const valid = Buffer.from(withInput({}));
  const packed = gzipSync(valid);
  const [encoding, body] = chance.pick([
    ["gzip", BOMB],
    ["gzip", packed.subarray(0, packed.length - 9)],
    ["gzip", Buffer.concat([packed.subarray(0, 12), chance.bytes(40)])],
    ["gzip", valid],
    ["gzip", Buffer.alloc(0)],
    ["deflate", packed],
    ["gzip", deflateSync(valid)],
    ["br", valid],
    ["gzip, gzip", gzipSync(packed)],
    ["identity, gzip", packed],
    ["zstd", valid],
  ] as const);
  return { what: `compressed ${encoding}`, headers: { "content-encoding": encoding }, body };
}

function headerCase(chance: Random): Partial<RestCase> & { readonly what: string } {
  const body = withInput({});
  return chance.pick([
    {
      what: "many headers",
      headers: Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`x-h${i}`, "1"])),
      body,
    },
    { what: "large header", headers: { "x-large": "a".repeat(20_000) }, body },
    { what: "long URL", path: `${INFER}?${"a".repeat(4000)}`, body },
    { what: "multipart", headers: { "content-type": "multipart/form-data; boundary=x" }, body },
    { what: "expectation", headers: { expect: "200-ok" }, body },
  ]);
}

/** `count` bad requests, every family in turn. */
export function restCases(chance: Random, count: number): RestCase[] {
  return Array.from({ length: count }, (_, i) => ({
    method: "POST",
    path: INFER,
    headers: {},
    body: undefined,
    ...FAMILIES[i % FAMILIES.length]!(chance),
  }));
}
