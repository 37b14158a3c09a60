import { CONTROL_KINDS, type ControlKind, type SequenceControl } from "../base/sequence-control.ts";
import { type Datatype, isDatatype } from "../base/tensor.ts";
import type { TextFields } from "./text-fields.ts";

const PREFIX = "CONTROL_SEQUENCE_";
const VALUE_FIELDS = { int32_false_true: "INT32", fp32_false_true: "FP32", bool_false_true: "BOOL" } as const;
const FIELDS = ["kind", "data_type", ...Object.keys(VALUE_FIELDS)];
const ID_TYPES: readonly string[] = ["UINT64", "INT64", "UINT32", "INT32", "BYTES"];

/** Reads `control_input` of a `sequence_batching`. Throws `invalid_argument`/`bad_config_file` with the line. */
export function readControls(batching: TextFields): readonly SequenceControl[] {
  const kinds = new Set<ControlKind>();
  return batching.messages("control_input").flatMap((message) => {
    message.only(["name", "control"], "control_input");
    const input = message.text("name") ?? "";
    if (input === "") throw message.fail("a control_input has no name");
    return message.messages("control").map((control) => {
      const read = readControl(control, input);
      if (kinds.has(read.kind)) throw control.fail(`two control_inputs have the kind ${PREFIX}${read.kind}`);
      kinds.add(read.kind);
      return read;
    });
  });
}

function readControl(control: TextFields, input: string): SequenceControl {
  control.only(FIELDS, "control");
  const word = control.word("kind") ?? `${PREFIX}START`;
  const kind = CONTROL_KINDS.find((known) => word === `${PREFIX}${known}`);
  if (kind === undefined)
    throw control.fail(`control_input ${input}: the kind ${word.slice(0, 60)} does not exist`);
  if (kind === "CORRID") return { input, kind, datatype: idType(control, input), no: 0, yes: 0 };
  for (const [field, datatype] of Object.entries(VALUE_FIELDS)) {
    if (!control.has(field)) continue;
    const [no, yes, ...more] = valuesOf(control, field, datatype);
    if (no === undefined || yes === undefined || more.length > 0)
      throw control.fail(`control_input ${input}: ${field}: expected two values, for false and for true`);
    return { input, kind, datatype, no, yes };
  }
  throw control.fail(`control_input ${input}: expected one of ${Object.keys(VALUE_FIELDS).join(", ")}`);
}

function valuesOf(control: TextFields, field: string, datatype: Datatype): readonly number[] {
  if (datatype === "BOOL")
    return control.words(field).map((word) => (/^(true|True|t|1)$/.test(word) ? 1 : 0));
  return datatype === "FP32" ? control.decimals(field) : control.numbers(field);
}

function idType(control: TextFields, input: string): Datatype {
  const word = control.word("data_type") ?? "TYPE_UINT64";
  const type = word === "TYPE_STRING" ? "BYTES" : word.replace(/^TYPE_/, "");
  if (ID_TYPES.includes(type) && isDatatype(type)) return type;
  throw control.fail(`control_input ${input}: a sequence's id cannot be ${word.slice(0, 40)}`);
}
