// Tests `sconce profile` on real runs. Nothing here depends on how long they take: operations are counted, and times only added up.
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { ServeError } from "../../base/errors.ts";
import { type Ran, runCommand } from "../command.kit.ts";
import { isUsage } from "../usage-error.ts";
import { profileCommand } from "./profile.ts";
import type { ProfileReport } from "./profile-report.ts";
import type { ModuleTime } from "./profile-tree.ts";

const FIXTURES = fileURLToPath(new URL("../../../../torch/fixtures/profiled", import.meta.url));
const DIGITS = fileURLToPath(new URL("../../../../../examples/models/digits.pt2", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "sconce-profile-test-"));
after(() => rmSync(folder, { recursive: true }));

const profile = (...args: readonly string[]): Promise<Ran> => runCommand(profileCommand, ...args);

async function report(file: string, ...args: readonly string[]): Promise<ProfileReport> {
  const { code, stdout } = await profile(file, "--runs", "2", "--json", ...args);
  assert.equal(code, 0);
  return JSON.parse(stdout) as ProfileReport;
}

/** Every module of a tree. */
function modulesOf(node: ModuleTime): ModuleTime[] {
  return [node, ...node.children.flatMap(modulesOf)];
}

/** That all time is accounted for: what modules take is what their operations and the modules inside them take. */
function checkSums({ tree, samples, operationsMs, modules, ops }: ProfileReport): void {
  const close = (a: number, b: number, what: string): void =>
    assert.ok(Math.abs(a - b) <= 1e-6 * Math.max(1, a), `${what}: ${a} is not ${b}`);
  const sum = (items: readonly { readonly ms: number }[]): number =>
    items.reduce((total, { ms }) => total + ms, 0);
  for (const node of modulesOf(tree)) {
    assert.ok(node.ownMs >= 0 && node.ms >= 0);
    close(node.ms, node.ownMs + sum(node.children), node.module);
  }
  const placed = samples.filter(({ place }) => place !== undefined);
  close(tree.ms, sum(placed), "the tree");
  close(operationsMs, sum(samples), "operations");
  close(sum(modules), sum(placed), "modules");
  close(sum(ops), operationsMs, "ops");
}

/** The share of operations that belong to a module, however long they take. */
function placedShare({ samples }: ProfileReport): number {
  return samples.filter(({ place }) => place !== undefined).length / samples.length;
}

function modulesOfKernel({ samples }: ProfileReport, kernel: RegExp): (string | undefined)[] {
  return samples.filter((sample) => kernel.test(sample.kernel)).map(({ place }) => place?.module);
}

describe("sconce profile", () => {
  test("gives the operations of digits to its modules", async () => {
    const found = await report(DIGITS);
    assert.equal(found.runtime, "onnx");
    assert.equal(found.runs, 2);
    assert.ok(placedShare(found) >= 0.95, `${placedShare(found)}`);
    checkSums(found);
  });

  test("finds the layers of an encoder, whose attention the engine fuses", async () => {
    const flame = join(folder, "flame.json");
    const found = await report(join(FIXTURES, "encoder.pt2"), "--rows", "3", "--flame", flame);
    assert.equal(found.rows, 3);
    assert.ok(placedShare(found) >= 0.95, `${placedShare(found)}`);
    checkSums(found);
    const modules = new Set(modulesOf(found.tree).map(({ module }) => module));
    for (const layer of ["layers.0", "layers.1"])
      for (const part of ["attention", "attention.query", "attention.key", "attention.value", "up", "down"])
        assert.ok(modules.has(`${layer}.${part}`), `${layer}.${part}`);
    assert.deepEqual(modulesOfKernel(found, /Attention/), ["layers.0.attention", "layers.1.attention"]);
    const attention = found.samples.find(({ kernel }) => /Attention/.test(kernel))?.place;
    assert.equal(attention?.op, "aten.scaled_dot_product_attention.default");
    assert.equal(attention?.type, "__main__.Attention");
    assert.match(attention?.line ?? "", /^model\.py:\d+$/);
    checkSpeedscope(JSON.parse(readFileSync(flame, "utf8")) as Speedscope, found);
  });

  test("gives a convolution to itself where the engine fuses it with what comes behind", async () => {
    const found = await report(join(FIXTURES, "convnet.pt2"));
    assert.ok(placedShare(found) >= 0.95, `${placedShare(found)}`);
    checkSums(found);
    assert.deepEqual(modulesOfKernel(found, /Conv/).sort(), [
      "blocks.0.conv1",
      "blocks.0.conv2",
      "blocks.0.shortcut.0",
      "blocks.1.conv1",
      "blocks.1.conv2",
      "blocks.1.shortcut.0",
      "stem",
    ]);
    const first = found.samples.find(({ place }) => place?.module === "blocks.0.conv1");
    assert.deepEqual(
      first?.along.map(({ module }) => module),
      ["blocks.0.bn1", "blocks.0.relu"],
      "what comes behind is part of it",
    );
    const { stdout } = await profile(join(FIXTURES, "convnet.pt2"), "--runs", "1", "--least", "0");
    assert.match(stdout, /\(the engine, between operations; up to \d+\.\d+ ms of it to note them down\)/);
    assert.match(stdout, /blocks\.\*\.conv1 \(Conv2d\) {2}\[.*\] {2}with .*blocks\.\*\.bn1 \(BatchNorm2d\)/);
  });

  test("finds the modules of a model in fewer bits, whose nodes a rewrite has replaced", async () => {
    const found = await report(join(FIXTURES, "encoder.pt2"), "--precision", "int8");
    assert.ok(placedShare(found) >= 0.95, `${placedShare(found)}`);
    checkSums(found);
    const products = modulesOfKernel(found, /MatMulInteger/);
    assert.ok(products.length > 0);
    for (const module of products) assert.match(module ?? "", /^layers\.[01]\.(up|down)$/);
  });

  test("finds the modules of a traced program, and the line of its code", async () => {
    const found = await report(join(FIXTURES, "traced.pt"));
    assert.ok(placedShare(found) >= 0.95, `${placedShare(found)}`);
    checkSums(found);
    assert.deepEqual(modulesOfKernel(found, /Attention/), ["layers.0.attention", "layers.1.attention"]);
    const gemms = modulesOfKernel(found, /Gemm|MatMul/);
    for (const module of ["layers.0.up", "layers.1.down", "layers.0.attention.query", "head"])
      assert.ok(gemms.includes(module), `${module} in ${gemms.join(", ")}`);
    const { place } = found.samples.find(({ kernel }) => /LayerNorm/.test(kernel))!;
    assert.equal(place?.type, "torch.nn.modules.normalization.LayerNorm");
    assert.match(place?.line ?? "", /^code\/__torch__\/.*\.py:\d+$/);
  });

  test("prints a tree, modules of a kind and operations, of a folder with its settings", async () => {
    mkdirSync(join(folder, "model"));
    copyFileSync(join(FIXTURES, "encoder.pt2"), join(folder, "model/model.pt2"));
    const { code, stdout } = await profile(
      join(folder, "model"),
      "--runs",
      "1",
      "--least",
      "0",
      "--depth",
      "2",
    );
    assert.equal(code, 0);
    assert.match(stdout, /^model: \d+\.\d\d ms a run of 1 row, \d+ threads?, with ONNX Runtime/);
    assert.match(stdout, /\n +\d+\.\d % +\d+\.\d+ {2}model \(Encoder\)\n/);
    assert.match(stdout, /\n +\d+\.\d % +\d+\.\d+ {6}0 \(Layer\)\n/);
    assert.match(stdout, /layers\.\*\.up \(Linear\) {2}\[.*Gemm.*\] {2}model\.py:\d+\n/);
    assert.match(stdout, /aten\.layer_norm\.default {2}\[LayerNormalization\]/);
    const [tree] = stdout.split("modules of a kind");
    assert.doesNotMatch(tree!, /query/);
  });

  const wrong: readonly (readonly [string, readonly string[], RegExp])[] = [
    ["no model", [], /expected one MODEL/],
    ["two models", [DIGITS, DIGITS], /expected one MODEL/],
    ["a model that is not there", ["nowhere.pt2"], /nowhere\.pt2: no such file or folder/],
    ["no runs", [DIGITS, "--runs", "0"], /--runs: expected a whole number from 1 to 200/],
  ];
  for (const [what, args, message] of wrong) {
    test(`says what is wrong with ${what}`, async () => {
      await assert.rejects(
        profile(...args),
        (error: ServeError) => message.test(error.message) && isUsage(error),
      );
    });
  }
});

interface Speedscope {
  readonly $schema: string;
  readonly shared: { readonly frames: readonly { readonly name: string }[] };
  readonly profiles: readonly {
    readonly type: string;
    readonly unit: string;
    readonly startValue: number;
    readonly endValue: number;
    readonly samples: readonly (readonly number[])[];
    readonly weights: readonly number[];
  }[];
}

/** What https://www.speedscope.app/file-format-schema.json asks of a sampled profile. */
function checkSpeedscope({ $schema, shared, profiles }: Speedscope, found: ProfileReport): void {
  assert.equal($schema, "https://www.speedscope.app/file-format-schema.json");
  const [profile] = profiles;
  assert.equal(profile?.type, "sampled");
  assert.equal(profile.unit, "milliseconds");
  assert.equal(profile.samples.length, profile.weights.length);
  assert.equal(profile.samples.length, found.samples.length);
  for (const stack of profile.samples)
    for (const frame of stack) assert.equal(typeof shared.frames[frame]?.name, "string");
  const sum = profile.weights.reduce((total, ms) => total + ms, 0);
  assert.ok(Math.abs(profile.endValue - profile.startValue - sum) < 1e-9);
  const names = profile.samples.map((stack) => stack.map((frame) => shared.frames[frame]!.name).join(" > "));
  assert.ok(names.some((name) => name.startsWith("encoder > layers > 0 > attention > query > aten.linear")));
}
