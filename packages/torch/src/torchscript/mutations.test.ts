// Tests torchscript.ts on edited archives.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { memorySource } from "../archive/byte-range.ts";
import { openZip } from "../archive/zip.ts";
import { buildZip, type ZipPart } from "../archive/zip-build.kit.ts";
import { ModelFileError } from "../errors.ts";
import type { Program } from "../graph/ir.ts";
import { nodePlatform, openFileSource } from "../node.ts";
import { readTorchScript, type TorchScriptOptions } from "./torchscript.ts";

const source = openFileSource(
  fileURLToPath(new URL("../../../../examples/digits/digits.pt", import.meta.url)),
);
const original = openZip(source, nodePlatform);
const PARTS: readonly ZipPart[] = [...original.entries.keys()].map((name) => ({
  name,
  data: original.read(name).slice(),
}));
source.close();

const MAIN = "digits/code/__torch__.py";
const text = (data: Uint8Array): string => new TextDecoder().decode(data);
const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);

function read(parts: readonly ZipPart[], options?: TorchScriptOptions): Program {
  return readTorchScript(openZip(memorySource("m.pt", buildZip(parts)), nodePlatform), options).program;
}

/** The example with another body of its `forward(self, image)`. */
function withForward(
  body: readonly string[],
  options?: TorchScriptOptions,
  change: (parts: readonly ZipPart[]) => readonly ZipPart[] = (parts) => parts,
): Program {
  const lines = body.map((line) => `    ${line}\n`).join("");
  const edit = (code: string): string => `${code.slice(0, code.indexOf("-> Dict"))}-> Tensor:\n${lines}`;
  const edited = PARTS.map((part) =>
    part.name === MAIN ? { ...part, data: bytes(edit(text(part.data))) } : part,
  );
  return read(change(edited), options);
}

test("the example is read the same from a rebuilt archive", () => {
  assert.equal(read(PARTS).graph.nodes.length, 14);
});

test("conditions and loops over constants are folded, lists and scripts' arithmetic are calculated", () => {
  const { graph, unsupported } = withForward([
    "x = image",
    "sizes = annotate(List[int], [])",
    "for i in range(3):",
    "  if torch.eq(torch.remainder(i, 2), 0):",
    "    x = torch.add(x, i)",
    "  else:",
    "    x = torch.mul(x, 2)",
    "  _0 = torch.append(sizes, torch.add(i, 1))",
    "_1, n = True, 0",
    "while _1:",
    "  n = torch.add(n, 1)",
    "  _1 = torch.lt(n, torch.len(sizes))",
    "  x = torch.relu(x)",
    "if torch.gt(sizes[2], 5):",
    '  ops.prim.RaiseException("never")',
    "return torch.reshape(x, [torch.size(x, 0), -1])",
  ]);
  assert.deepEqual(unsupported, []);
  const targets = graph.nodes.map(({ target }) => target.split(".")[1]);
  assert.deepEqual(targets, ["add", "mul", "add", "relu", "relu", "relu", "reshape"]);
});

test("a branch that the data decide is a node of two graphs, and ops that are not known are all named", () => {
  const { unsupported, graph } = withForward([
    "a = torch.foo(image)",
    "b = torch.bar(a, 1)",
    "n = int(torch.sum(image))",
    "if torch.gt(n, 3):",
    "  image = torch.relu(image)",
    "return image",
  ]);
  assert.deepEqual(unsupported!.map(({ op }) => op).sort(), ["aten.bar", "aten.foo"]);
  const branches = graph.nodes.find(({ target }) => target === "higher_order.cond");
  assert.deepEqual(
    [...branches!.args.values()].map(({ kind }) => kind),
    ["value", "graph", "graph", "list"],
  );
});

test("a report names the op that is not known, and nothing that only follows from it", () => {
  const { unsupported } = withForward([
    "a = torch.foo(image)",
    "n = int(a)",
    "m = torch.size(a, 0)",
    "b = torch.reshape(image, [m, -1])",
    "if torch.gt(n, 3):",
    "  image = torch.relu(b)",
    "return image",
  ]);
  assert.deepEqual(
    unsupported!.map(({ op }) => op),
    ["aten.foo"],
  );
});

test("torchvision's ops are read: what nms keeps is a size of the data", () => {
  const { unsupported, graph } = withForward([
    "boxes = torch.reshape(image, [-1, 4])",
    "scores = torch.sum(boxes, [1])",
    "kept = ops.torchvision.nms(boxes, scores, 0.5)",
    "return torch.index(boxes, annotate(List[Optional[Tensor]], [kept]))",
  ]);
  assert.deepEqual(unsupported, []);
  assert.ok(graph.nodes.some(({ target }) => target === "torchvision.nms.default"));
});

test("a complex number in the code is refused by name, and the rest is still read", () => {
  const { unsupported } = withForward(["a = torch.full_like(image, 2.-1.j)", "return torch.foo(image)"]);
  assert.deepEqual(unsupported!.map(({ op }) => op).sort(), ["aten.foo", "complex"]);
});

test("a tensor that is turned in place has its new shape under every name", () => {
  const turns = [
    ["t_(x)", [64, "image_0"]],
    ["transpose_(x, 0, 1)", [64, "image_0"]],
    ["unsqueeze_(x, 0)", [1, "image_0", 64]],
    ["swapaxes_(x, 0, 1)", [64, "image_0"]],
  ] as const;
  for (const [call, shape] of turns) {
    const { unsupported, graph } = withForward([
      "x = torch.relu(torch.reshape(image, [torch.size(image, 0), 64]))",
      "same = x",
      `_0 = torch.${call}`,
      "return torch.add(same, 1)",
    ]);
    assert.deepEqual(unsupported, []);
    const [output] = graph.outputs;
    const type = output?.kind === "value" ? graph.values.get(output.name) : undefined;
    const dims =
      type?.kind === "tensor" ? type.dims.map((dim) => (typeof dim === "number" ? dim : dim.key)) : [];
    assert.deepEqual(dims, shape);
  }
});

test("ops that give a tensor other memory in place are refused by name", () => {
  for (const call of ["resize_(x, [1, 2])", "as_strided_(x, [1], [1], None)"]) {
    const { unsupported } = withForward([
      "x = torch.relu(torch.flatten(image, 1, -1))",
      `_0 = torch.${call}`,
      "return torch.add(x, 1)",
    ]);
    assert.deepEqual(
      unsupported!.map(({ op }) => op),
      [`aten.${call.split("(")[0]}`],
    );
    assert.match(unsupported![0]!.reason, /it changes the shape of a tensor in place/);
  }
});

test("what PyTorch has quantized is refused by name, with what to do instead", () => {
  const { unsupported } = withForward([
    "_0 = torch.quantize_per_tensor(image, 0.1, 10, 13)",
    "_1 = ops.quantized.linear_dynamic(image, None, True)",
    "_2 = torch.relu(_0)",
    "return torch.dequantize(_2)",
  ]);
  const ops = ["aten.quantize_per_tensor", "quantized.linear_dynamic", "aten.dequantize"];
  assert.deepEqual(
    unsupported!.map(({ op }) => op),
    ops,
  );
  for (const { reason } of unsupported!)
    assert.match(reason, /PyTorch has quantized the program.*sconce quantize/);
});

for (const [version, body, op] of [
  [3, "torch.div(image, 2)", "aten.div"],
  [4, "torch.full([2, 3], 1., dtype=None)", "aten.full"],
  [3, "torch.full([2, 3], 1., dtype=None)", "aten.full"],
] as const) {
  test(`an archive of version ${version} is refused where ${body} meant something else then`, () => {
    const written = (at: number): Program =>
      withForward([`return ${body}`], undefined, (parts) =>
        parts.map((part) => (part.name === "digits/version" ? { ...part, data: bytes(`${at}\n`) } : part)),
      );
    assert.deepEqual(
      written(version).unsupported!.map(({ op }) => op),
      [op],
    );
    assert.match(written(version).unsupported![0]!.reason, /older than PyTorch 1\.6.*save it again/);
    assert.deepEqual(written(5).unsupported, []);
  });
}

test("a batch size that the program was traced with, and follows from, stays fixed with a warning", () => {
  const { inputs, graph, warnings, unsupported } = withForward(["return torch.view(image, [2, 64])"]);
  assert.deepEqual(
    [unsupported, graph.values.get(inputs[0]!.value)],
    [[], { kind: "tensor", dtype: "float32", dims: [2, 1, 8, 8], strides: [64, 64, 8, 1], offset: 0 }],
  );
  assert.match(warnings.join(), /^dimension 0 of 'image' is fixed at 2, as traced: /);
});

test("sizes that a user states take the place of the traced ones", () => {
  const dims = ["n", 1, "height", 8];
  const { graph, outputs } = withForward(["return torch.relu(image)"], {
    inputs: new Map([["image", { dtype: "float32", dims }]]),
  });
  const { arg } = outputs[0]!;
  const type = arg.kind === "value" ? graph.values.get(arg.name) : undefined;
  assert.deepEqual(
    type?.kind === "tensor" ? type.dims.map((dim) => (typeof dim === "number" ? dim : dim.key)) : [],
    dims,
  );
});

for (const [what, body] of Object.entries({
  "an endless loop": ["while True:", "  image = image", "return image"],
  "a loop of 10^9 turns": ["for i in range(1000000000):", "  image = image", "return image"],
  "endless recursion": ["return (self).forward(image, )"],
  "a doubling list": ["x = [1]", "for i in range(60):", "  x = torch.add(x, x)", "return image"],
})) {
  test(`a program with ${what} ends`, () => {
    assert.throws(() => withForward(body), { kind: "limit" });
  });
}

test("any mutation of an archive's program or objects gives a program or a ModelFileError", () => {
  const targets = PARTS.flatMap(({ name }, at) => (/\.(py|pkl)$|version$/.test(name) ? [at] : []));
  const change = fc.record({ at: fc.nat(4_000), value: fc.integer({ min: 0, max: 255 }) });
  const mutation = fc.tuple(fc.constantFrom(...targets), fc.array(change, { minLength: 1, maxLength: 3 }));
  const property = fc.property(mutation, ([target, changes]) => {
    const data = PARTS[target]!.data.slice();
    for (const { at, value } of changes) data[at % data.byteLength] = value;
    try {
      read(PARTS.map((part, at) => (at === target ? { ...part, data } : part)));
    } catch (error) {
      if (!(error instanceof ModelFileError)) throw error;
    }
  });
  fc.assert(property, { numRuns: 1_500, interruptAfterTimeLimit: 5_000 });
});
