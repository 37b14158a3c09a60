import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { floatWeight, type TinyModel, tinyOnnx } from "@sconce/conformance/internals/tiny-onnx";

type Dims = readonly (number | string)[];

function port(name: string, dims: Dims) {
  return { name, type: "FP32" as const, dims };
}

function written(folder: string, name: string, model: TinyModel): string {
  const path = join(folder, `${name}.onnx`);
  writeFileSync(path, tinyOnnx(model));
  return path;
}

/** Does next to nothing with a tensor, once for each output. */
export function quickModel(folder: string, name: string, dims: Dims): string {
  const nodes = [{ op: "Relu", inputs: ["x"], outputs: ["y"] }];
  return written(folder, name, { inputs: [port("x", dims)], outputs: [port("y", dims)], nodes });
}

/** Makes a matrix of a column and multiplies it by itself, again and again: a batch of two takes twice as long. */
export function productsModel(folder: string, name: string, side = 256): string {
  const dims = ["batch", side, 1];
  const products = 8;
  const product = (left: string, right: string, output: string) => ({
    op: "MatMul",
    inputs: [left, right],
    outputs: [output],
  });
  const nodes = [
    product("x", "row", "m"),
    ...Array.from({ length: products }, (_, i) => product("m", i === 0 ? "m" : `t${i}`, `t${i + 1}`)),
    product(`t${products}`, "column", "y"),
  ];
  const tenth = new Float32Array(side).fill(1 / side);
  const weights = [floatWeight("row", [1, side], tenth), floatWeight("column", [side, 1], tenth)];
  return written(folder, name, { inputs: [port("x", dims)], outputs: [port("y", dims)], nodes, weights });
}

/** Layers of a network that is as wide everywhere: reading its weights takes the time, so that rows share it. */
export function layersModel(
  folder: string,
  name: string,
  { dims, width, layers }: { readonly dims: Dims; readonly width: number; readonly layers: number },
): string {
  const nodes = Array.from({ length: layers }, (_, i) => ({
    op: "MatMul",
    inputs: [i === 0 ? "x" : `t${i}`, `w${i}`],
    outputs: [i === layers - 1 ? "y" : `t${i + 1}`],
  }));
  const values = Float32Array.from({ length: width * width }, (_, i) => Math.sin(i) / Math.sqrt(width));
  const weights = nodes.map((_, i) => floatWeight(`w${i}`, [width, width], values));
  return written(folder, name, { inputs: [port("x", dims)], outputs: [port("y", dims)], nodes, weights });
}

/** Looks for the largest of some numbers and gives its place to layers as those above: rows of one length share the weights. */
export function lengthsModel(folder: string, name: string, width = 1024): string {
  const layers = 6;
  const ramp = Float32Array.from({ length: width }, (_, i) => i / width);
  const values = Float32Array.from({ length: width * width }, (_, i) => Math.sin(i) / Math.sqrt(width));
  const nodes = [
    { op: "ArgMax", inputs: ["x"], outputs: ["at"], attributes: { axis: 1, keepdims: 1 } },
    { op: "Cast", inputs: ["at"], outputs: ["place"], attributes: { to: 1 } },
    { op: "MatMul", inputs: ["place", "first"], outputs: ["t0"] },
    ...Array.from({ length: layers }, (_, i) => ({
      op: "MatMul",
      inputs: [`t${i}`, `w${i}`],
      outputs: [i === layers - 1 ? "y" : `t${i + 1}`],
    })),
  ];
  const weights = [
    floatWeight("first", [1, width], ramp),
    ...Array.from({ length: layers }, (_, i) => floatWeight(`w${i}`, [width, width], values)),
  ];
  const ports = { inputs: [port("x", ["batch", "n"])], outputs: [port("y", ["batch", width])] };
  return written(folder, name, { ...ports, nodes, weights });
}

/** Answers a number with very many, and, asked for it, with a few. */
export function wideModel(folder: string, name: string, wide: number, narrow?: number): string {
  const weight = (output: string, size: number) =>
    floatWeight(
      `w_${output}`,
      [1, size],
      Float32Array.from({ length: size }, (_, i) => Math.sin(i)),
    );
  const outputs = [["wide", wide] as const, ...(narrow === undefined ? [] : [["narrow", narrow] as const])];
  return written(folder, name, {
    inputs: [port("x", ["batch", 1])],
    outputs: outputs.map(([output, size]) => port(output, ["batch", size])),
    nodes: outputs.map(([output]) => ({ op: "MatMul", inputs: ["x", `w_${output}`], outputs: [output] })),
    weights: outputs.map(([output, size]) => weight(output, size)),
  });
}
