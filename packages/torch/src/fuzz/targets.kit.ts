import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { memorySource } from "../archive/byte-range.ts";
import { readSafetensors } from "../archive/safetensors.ts";
import { denseBytes, type StoredTensor } from "../archive/stored-tensor.ts";
import { openZip } from "../archive/zip.ts";
import { buildZip } from "../archive/zip-build.kit.ts";
import { readCheckpoint } from "../checkpoint/checkpoint.ts";
import { readExportedProgram } from "../exported/program-reader.ts";
import { parseSrepr } from "../exported/srepr.ts";
import type { Program } from "../graph/ir.ts";
import { optimizeProgram } from "../graph/passes.ts";
import { lowerProgram } from "../lower/lower-program.ts";
import { TABLES } from "../lower/tables.ts";
import { nodePlatform } from "../node.ts";
import { decodeModel } from "../onnx/decode.ts";
import { encodeModel } from "../onnx/encode.ts";
import { scanOnnx } from "../onnx/scan-model.ts";
import { readTorchScript } from "../torchscript/torchscript.ts";
import { translate } from "../translate/translate.ts";

/** Something that reads bytes of unknown origin: it answers, or it throws a ModelFileError; anything else is a finding. */
export interface FuzzTarget {
  readonly kind: "bytes" | "json" | "text";
  run(bytes: Uint8Array): void;
  /** Honest files to begin with; small, so that a mutation hits something. */
  seeds(): Uint8Array[];
}

const fixtures = fileURLToPath(new URL("../../fixtures", import.meta.url));
const MAX_SEED = 12_000;

export const FUZZ_TARGETS: Readonly<Record<string, FuzzTarget>> = {
  zip: { kind: "bytes", run: readZip, seeds: () => fixtureFiles("layouts", /^big/).concat(checkpoints()) },
  pickle: { kind: "bytes", run: readPickle, seeds: () => pickles() },
  json: { kind: "json", run: readProgramJson, seeds: () => programs() },
  srepr: { kind: "text", run: (bytes) => void parseSrepr(textOf(bytes)), seeds: () => SIZES.map(bytesOf) },
  safetensors: { kind: "bytes", run: readTensors, seeds: () => [safetensors()] },
  onnx: { kind: "bytes", run: readOnnx, seeds: () => models() },
  torchscript: { kind: "text", run: readScript, seeds: () => scripts() },
};

function readZip(bytes: Uint8Array): void {
  const zip = openZip(memorySource("a.zip", bytes), nodePlatform);
  for (const name of zip.entries.keys()) {
    zip.locate(name);
    zip.read(name);
  }
}

/** A pickle in an honest zip: its own checksum would stop every mutation. */
function readPickle(bytes: Uint8Array): void {
  const archive = buildZip([
    { name: "m/data.pkl", data: bytes },
    { name: "m/data/0", data: new Uint8Array(64) },
    { name: "m/data/1", data: new Uint8Array(64) },
  ]);
  const { tensors } = readCheckpoint(memorySource("m.pth", archive), nodePlatform);
  for (const [name, tensor] of tensors) denseBytes(name, tensor);
}

const WEIGHT: StoredTensor = {
  dtype: "float32",
  shape: [4, 4],
  strides: [4, 1],
  storageOffset: 0,
  storage: { byteLength: 64, locate: () => undefined, read: () => new Uint8Array(64) },
};

function readProgramJson(bytes: Uint8Array): void {
  translateProgram(readExportedProgram(bytes, "fuzzed", { lookup: (_, name) => ({ name, tensor: WEIGHT }) }));
}

function translateProgram(program: Program): void {
  const { model } = lowerProgram(optimizeProgram(program).program, TABLES, { location: undefined });
  if (model !== undefined) encodeModel(model);
}

function readTensors(bytes: Uint8Array): void {
  const { tensors } = readSafetensors(memorySource("m.safetensors", bytes));
  for (const [name, tensor] of tensors) denseBytes(name, tensor);
}

function readOnnx(bytes: Uint8Array): void {
  scanOnnx(memorySource("m.onnx", bytes));
  encodeModel(decodeModel(memorySource("m.onnx", bytes)));
}

let script: Map<string, Uint8Array> | undefined;
const CODE = /code\/.*\.py$/;

/** Source code in the place of a traced model's own; its objects and weights stay. */
function readScript(bytes: Uint8Array): void {
  script ??= entriesOf(scriptFiles()[0]!);
  let isFirst = true;
  const parts = [...script].map(([name, data]) => {
    if (!CODE.test(name)) return { name, data };
    const own = isFirst ? bytes : data;
    isFirst = false;
    return { name, data: own };
  });
  const zip = openZip(memorySource("m.pt", buildZip(parts)), nodePlatform);
  translateProgram(readTorchScript(zip).program);
}

const SIZES = [
  "Mul(Integer(4), Symbol('s27', positive=True, integer=True))",
  "Add(FloorDiv(Symbol('s0', integer=True), Integer(2)), Integer(-1))",
  "Max(Integer(1), Min(Symbol('s0'), Pow(Symbol('s1'), Integer(2))))",
  "Piecewise(ExprCondPair(Integer(1), Equality(Symbol('u0'), Integer(1))), ExprCondPair(Integer(0), true))",
  "2*s0 + 1",
  "((s0 - 1)//2) % Max(s1, 3)**2",
];

function entriesOf(archive: Uint8Array): Map<string, Uint8Array> {
  const zip = openZip(memorySource("a.zip", archive), nodePlatform);
  return new Map([...zip.entries.keys()].map((name) => [name, zip.read(name)]));
}

/** Files inside a pack of fixtures whose name fits. */
function fixtureFiles(pack: string, name: RegExp): Uint8Array[] {
  const entries = entriesOf(readFileSync(join(fixtures, `${pack}.zip`)));
  return [...entries].filter(([entry]) => name.test(entry)).map(([, data]) => data);
}

function checkpoints(): Uint8Array[] {
  const folder = join(fixtures, "checkpoint");
  return readdirSync(folder)
    .filter((name) => name.endsWith(".pth"))
    .map((name) => readFileSync(join(folder, name)));
}

function pickles(): Uint8Array[] {
  return checkpoints()
    .filter((bytes) => bytes[0] === 0x50)
    .map((bytes) => [...entriesOf(bytes)].find(([name]) => name.endsWith("data.pkl"))![1]);
}

function programs(): Uint8Array[] {
  const files = [
    ...fixtureFiles("in-place", /./),
    ...fixtureFiles("shapes", /./),
    ...fixtureFiles("layouts", /raw/),
  ];
  return files
    .map((file) => [...entriesOf(file)].find(([name]) => name.endsWith("models/model.json"))![1])
    .map((bytes) =>
      JSON.stringify(JSON.parse(textOf(bytes), (key, value) => (key === "metadata" ? {} : value))),
    )
    .filter((json) => json.length < MAX_SEED)
    .slice(0, 24)
    .map(bytesOf);
}

function models(): Uint8Array[] {
  return [...fixtureFiles("in-place", /./), ...fixtureFiles("shapes", /./)]
    .map((file) => translate(memorySource("m.pt2", file), nodePlatform, { weights: "embedded" }).model)
    .filter((model) => model.length > 0 && model.length < 4_000)
    .slice(0, 12);
}

function scriptFiles(): Uint8Array[] {
  return fixtureFiles("torchscript/layers", /./).filter((file) => file.length < MAX_SEED);
}

function scripts(): Uint8Array[] {
  return scriptFiles()
    .slice(0, 16)
    .flatMap((file) => [...entriesOf(file)].filter(([name]) => CODE.test(name)).slice(0, 1))
    .map(([, source]) => source);
}

function safetensors(): Uint8Array {
  const header = bytesOf(
    '{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"b":{"dtype":"I64","shape":[1],"data_offsets":[16,24]}}',
  );
  const bytes = new Uint8Array(8 + header.length + 24);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
  bytes.set(header, 8);
  return bytes;
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
