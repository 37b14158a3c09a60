// The program of a process that tries one device: its last line is a `ProbeResult`.
import { encodeModel, type OnnxModel } from "@sconce/torch";
import { ServeError } from "../../base/errors.ts";
import { PLAIN_LOAD } from "../plain-load.ts";
import type { ProbeResult } from "./find-devices.ts";
import { openSession } from "./open-session.ts";

const SIZE = { dtype: "float32", dims: [1, 4] } as const;
const SQUARE: OnnxModel = {
  graph: {
    name: "square",
    nodes: [{ type: "Mul", domain: "", inputs: ["x", "x"], outputs: ["y"], attributes: {} }],
    initializers: [],
    inputs: [{ name: "x", ...SIZE }],
    outputs: [{ name: "y", ...SIZE }],
  },
  opsets: new Map([["", 17]]),
};

async function probe(device: string): Promise<ProbeResult> {
  try {
    const session = await openSession(encodeModel(SQUARE), { ...PLAIN_LOAD, device }, undefined);
    const [{ Tensor }, { name }] = [await import("onnxruntime-node"), session.inputMetadata[0]!];
    await session.run({ [name]: new Tensor("float32", new Float32Array(4), [1, 4]) }, { y: null });
    await session.release();
    return {};
  } catch (error) {
    return { why: ServeError.from(error).message.replace(/^device: \S+ is not there: /, "") };
  }
}

process.stdout.write(`${JSON.stringify(await probe(process.argv[2] ?? "cpu"))}\n`);
