import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { memorySource } from "../archive/byte-range.ts";
import { openZip } from "../archive/zip.ts";
import { buildZip } from "../archive/zip-build.kit.ts";
import { ModelFileError } from "../errors.ts";
import { nodePlatform, openFileSource } from "../node.ts";
import { translate } from "../translate/translate.ts";

const layouts = fileURLToPath(new URL("../../fixtures/layouts.zip", import.meta.url));

function fixture(name: string): Uint8Array {
  return openZip(memorySource("layouts.zip", readFileSync(layouts)), nodePlatform).read(`${name}.pt2`);
}

/** The entries of a fixture by name, to be changed and written again. */
function entriesOf(name: string): Map<string, Uint8Array> {
  const zip = openZip(memorySource("m.pt2", fixture(name)), nodePlatform);
  return new Map([...zip.entries.keys()].map((entry) => [entry, zip.read(entry)]));
}

function translateEntries(entries: ReadonlyMap<string, Uint8Array>): ReturnType<typeof translate> {
  const bytes = buildZip([...entries].map(([name, data]) => ({ name, data })));
  return translate(memorySource("m.pt2", bytes), nodePlatform);
}

function refusal(run: () => unknown, pattern: RegExp, kind = "unsupported"): void {
  assert.throws(run, (error) => {
    assert.ok(error instanceof ModelFileError, String(error));
    assert.match(error.message, pattern);
    assert.equal(error.kind, kind);
    return true;
  });
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const readJson = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const MODEL = "archive/models/model.json";

function rewritten(change: (json: string) => string): Map<string, Uint8Array> {
  const entries = entriesOf("everything_raw");
  return entries.set(MODEL, text(change(readJson(entries.get(MODEL)!))));
}

test("every layout names its inputs and outputs and tells its version", () => {
  const versions = {
    everything_raw: /^PT2 archive, schema 8\.\d+/,
    everything_pickled: /^PT2 archive with pickled weights, schema 8\.8/,
    everything_flat_8_7: /^flat archive, schema 8\.7/,
    everything_flat_5_3: /^flat archive, schema 5\.3/,
  };
  for (const name of Object.keys(versions)) {
    const { inputs, outputs, sampleInputs } = translate(memorySource("m.pt2", fixture(name)), nodePlatform);
    assert.deepEqual(
      inputs.map((port) => port.name),
      ["ids", "extra_bias_0", "extra_gain"],
      name,
    );
    assert.deepEqual(
      outputs.map((port) => port.name),
      ["logits", "parts.0", "parts.1.1", "size"],
      name,
    );
    assert.deepEqual(inputs[0]!.dims, [
      { symbol: "batch", min: 0, max: 64 },
      { ...(inputs[0]!.dims[1] as object), min: 0, max: 128 },
    ]);
    assert.deepEqual(sampleInputs?.[0]?.shape, [2, 5], name);
  }
});

test("weights inside a zip in the zip are mapped from the file, at any offset", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sconce-layout-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const name of ["big_weights_pickled", "big_weights_flat_8_7"]) {
    writeFileSync(join(folder, `${name}.pt2`), fixture(name));
    const source = openFileSource(join(folder, `${name}.pt2`));
    const { model, inputs, outputs } = translate(source, nodePlatform);
    source.close();
    assert.ok(
      model.length < 4_000,
      `${name}: the weights were copied into the model (${model.length} bytes)`,
    );
    const whole = translate(memorySource("m.pt2", fixture(name)), nodePlatform, { weights: "embedded" });
    const place = { session: { model_external_initializers_file_folder_path: folder } };
    const mapped = await InferenceSession.create(model, { extra: place });
    const copied = await InferenceSession.create(whole.model);
    const feeds = {
      [inputs[0]!.name]: new Tensor("float32", Float32Array.from({ length: 96 }, Math.sin), [2, 48]),
    };
    const output = outputs[0]!.name;
    assert.deepEqual((await mapped.run(feeds))[output]!.data, (await copied.run(feeds))[output]!.data);
    await mapped.release();
    await copied.release();
  }
});

test("of several models the one called 'model' is taken, else the only one, else their names are told", () => {
  const renamed = (names: readonly string[]): Map<string, Uint8Array> => {
    const entries = [...entriesOf("everything_raw")];
    return new Map(
      names.flatMap((name) =>
        entries.map(([path, data]): [string, Uint8Array] => [
          path.replace(/(models\/|weights\/|constants\/)model([._])/, `$1${name}$2`),
          data,
        ]),
      ),
    );
  };
  assert.equal(translateEntries(renamed(["encoder"])).inputs.length, 3);
  assert.equal(translateEntries(renamed(["encoder", "model"])).inputs.length, 3);
  refusal(
    () => translateEntries(renamed(["encoder", "decoder"])),
    /models 'encoder', 'decoder'.*file of its own/,
  );
});

test("an unknown minor version is a warning, an unknown major one a refusal", () => {
  const version = (major: number, minor: number): Map<string, Uint8Array> =>
    rewritten((json) =>
      json.replace(
        /"schema_version": ?\{[^}]*\}/,
        `"schema_version": {"major": ${major}, "minor": ${minor}}`,
      ),
    );
  assert.deepEqual(translateEntries(version(8, 20)).report.warnings, []);
  assert.match(translateEntries(version(8, 21)).report.warnings.join(), /newer than 8\.20/);
  refusal(() => translateEntries(version(9, 1)), /schema 9\.1; 5 to 8 can be read. Re-export/);
  refusal(() => translateEntries(version(4, 1)), /schema 4\.1; 5 to 8 can be read. Re-export/);
});

test("keys that are not known are passed over", () => {
  const { report } = translateEntries(
    rewritten((json) => json.replace(/^\{/, '{"novelty": [{"a": null}], ')),
  );
  assert.deepEqual(report, { unsupported: [], warnings: [] });
});

const REFUSED: readonly (readonly [what: string, files: Record<string, Uint8Array>, pattern: RegExp])[] = [
  [
    "an AOTInductor package",
    { "m/data/aotinductor/model/x.so": text("x") },
    /native code.*torch\.export\.save/,
  ],
  ["AOTInductor sources", { "m/x.wrapper.cpp": text("x") }, /native code.*torch\.export\.save/],
  ["an ExecuTorch package", { "m/data/executorch/model.pte": text("x") }, /ExecuTorch.*torch\.export\.save/],
  [
    "a checkpoint",
    { "m/data.pkl": text("\u0000"), "m/version": text("3") },
    /without a program.*torch\.export\.save/,
  ],
];
for (const [what, files, pattern] of REFUSED) {
  test(`${what} is refused with what to do instead`, () => {
    refusal(() => translateEntries(new Map(Object.entries(files))), pattern);
  });
}

test("files that are not zip are told apart", () => {
  const file = (bytes: Uint8Array) => (): unknown => translate(memorySource("m.pt2", bytes), nodePlatform);
  const at = (offset: number, value: string): Uint8Array => {
    const bytes = new Uint8Array(512);
    bytes.set(text(value), offset);
    return bytes;
  };
  refusal(file(at(4, "ET12")), /ExecuTorch.*torch\.export\.save/);
  refusal(file(at(257, "ustar")), /tar archive: unpack it/);
  refusal(file(Uint8Array.of(0x80, 2, 0x7d)), /pickle.*torch\.export\.save/);
  refusal(file(new Uint8Array(512)), /not a model format.*torch\.export\.save/);
  refusal(file(new Uint8Array()), /empty: copy it again/, "corrupt");
});

test("big-endian files, pickled subclasses, custom objects and absent weights are refused in words", () => {
  const order = entriesOf("everything_raw").set("archive/byteorder", text("big"));
  refusal(() => translateEntries(order), /big-endian machine; save it again/);

  const config = "archive/data/weights/model_weights_config.json";
  const entries = entriesOf("everything_raw");
  const json = readJson(entries.get(config)!);
  const pickled = text(json.replace(/"use_pickle": ?false/, '"use_pickle": true'));
  refusal(
    () => translateEntries(new Map(entries).set(config, pickled)),
    /tensor subclass.*run_decompositions/,
  );

  const empty = new Map(entries);
  for (const name of entries.keys()) if (/\/weight_\d+$/.test(name)) empty.set(name, new Uint8Array());
  refusal(
    () => translateEntries(empty),
    /saved without its values; save the model again with them/,
    "corrupt",
  );

  const custom = rewritten((program) =>
    program.replace(
      '{"constant_input"',
      '{"custom_obj": {"arg": {"name": "state", "class_fqn": "X"}, "custom_obj_name": "state"}}, {"constant_input"',
    ),
  );
  refusal(() => translateEntries(custom), /custom \(torchbind\) object.*plain tensors/);
});

test("a training graph is refused, an updated buffer is a warning", () => {
  const outputs = (spec: string): Map<string, Uint8Array> =>
    rewritten((program) => program.replace(/"output_specs": ?\[/, `"output_specs": [${spec}, `));
  const loss = '{"loss_output": {"arg": {"name": "x"}}}';
  refusal(() => translateEntries(outputs(loss)), /training graph.*eval\(\) mode/);
  const buffer = '{"buffer_mutation": {"arg": {"name": "x"}, "buffer_name": "row"}}';
  assert.match(
    translateEntries(outputs(buffer)).report.warnings.join(),
    /updates 'row'; the update is not kept/,
  );
});
