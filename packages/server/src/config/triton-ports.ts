import type { DeclaredPort } from "../base/declared-ports.ts";
import { type Datatype, isDatatype } from "../base/tensor.ts";
import type { TextFields } from "./text-fields.ts";

const PORT_FIELDS = ["name", "data_type", "dims", "reshape", "is_shape_tensor", "is_non_linear_format_io"];
const INPUT_FIELDS = [...PORT_FIELDS, "format", "allow_ragged_batch", "optional"];
const OUTPUT_FIELDS = [...PORT_FIELDS, "label_filename"];
const MAX_RANK = 32;

/** Reads the `input` or `output` messages of a config.pbtxt; says in `remarks` what they ask for and do not get. */
export function readPorts(
  config: TextFields,
  kind: "input" | "output",
  remarks: string[],
): readonly DeclaredPort[] {
  const names = new Set<string>();
  return config.messages(kind).map((port) => {
    port.only(kind === "input" ? INPUT_FIELDS : OUTPUT_FIELDS, kind);
    const name = port.text("name") ?? "";
    if (name === "") throw port.fail(`an ${kind} has no name`);
    if (names.has(name)) throw port.fail(`two ${kind}s are called ${JSON.stringify(name.slice(0, 80))}`);
    names.add(name);
    const dims = sizes(port, name);
    if (dims.length === 0) throw port.fail(`${kind} ${JSON.stringify(name.slice(0, 80))} has no dims`);
    const reshape = port.message("reshape");
    reshape?.only(["shape"], "reshape");
    const shape = reshape === undefined ? undefined : sizes(reshape, name, "shape");
    if (shape !== undefined) checkReshape(port, { name, dims, shape });
    if (port.flag("allow_ragged_batch"))
      remarks.push(`allow_ragged_batch of ${name} has no effect: requests of different shapes run apart`);
    if (port.flag("optional"))
      remarks.push(`optional of ${name} has no effect: every request has to give all inputs`);
    return { name, datatype: datatypeOf(port, name), dims, ...(shape !== undefined && { shape }) };
  });
}

/** A state of `sequence_batching` as the input and the output that it is. */
export function readStatePorts(state: TextFields): Readonly<Record<"input" | "output", DeclaredPort>> {
  const [input, output] = [state.text("input_name") ?? "", state.text("output_name") ?? ""];
  if (input === "" || output === "") throw state.fail("a state has no input_name or no output_name");
  const shape = { datatype: datatypeOf(state, input), dims: sizes(state, input) };
  return { input: { name: input, ...shape }, output: { name: output, ...shape } };
}

function sizes(message: TextFields, port: string, field = "dims"): number[] {
  const all = message.numbers(field);
  if (all.length > MAX_RANK) throw message.fail(`${field} of ${port}: more than ${MAX_RANK} sizes`);
  const wrong = all.find((size) => size < 1 && size !== -1);
  if (wrong !== undefined)
    throw message.fail(`${field} of ${port}: expected sizes from 1 on, or -1, got ${wrong}`);
  return all;
}

/** Triton's rule: as many elements, and a size that requests choose stays one between the same fixed ones. */
function checkReshape(
  port: TextFields,
  { name, dims, shape }: Pick<DeclaredPort, "name" | "dims"> & { readonly shape: readonly number[] },
): void {
  const parts = (sizes: readonly number[]): string => {
    const products = [1];
    for (const size of sizes) {
      if (size === -1) products.push(1);
      else products[products.length - 1]! *= size;
    }
    return products.join();
  };
  if (parts(dims) === parts(shape)) return;
  throw port.fail(`reshape of ${name}: [${shape}] does not hold as many elements as its dims [${dims}]`);
}

function datatypeOf(port: TextFields, name: string): Datatype {
  const word = port.word("data_type") ?? "TYPE_INVALID";
  const type = word === "TYPE_STRING" ? "BYTES" : word.replace(/^TYPE_/, "");
  if (word.startsWith("TYPE_") && isDatatype(type)) return type;
  throw port.fail(`data_type of ${name}: expected a type such as TYPE_FP32, got ${word.slice(0, 40)}`);
}
