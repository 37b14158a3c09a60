import { inputFault, MissingInputs, ModelFileError, type ModelFileErrorKind } from "@sconce/torch/errors";
import { type ReasonOf, ServeError } from "../../base/errors.ts";
import { faultWords } from "../../base/file-fault.ts";

/** Texts of ONNX Runtime that blame the inputs, and what to tell the client. Groups hold numbers and tensor names only. */
const INPUT_FAULTS: readonly (readonly [RegExp, (match: RegExpExecArray) => string])[] = [
  [
    /Got invalid dimensions for input: (\S+) for the following indices\s+index: (\d+) Got: (\d+) Expected: (\d+)/,
    (m) => `dimension ${m[2]} of input ${m[1]} is ${m[3]}; the model takes ${m[4]}`,
  ],
  [
    /Invalid rank for input: (\S+) Got: (\d+) Expected: (\d+)/,
    (m) => `input ${m[1]} has ${m[2]} dimensions; the model takes ${m[3]}`,
  ],
  [/Unexpected input data type/, () => "an input has another datatype than the model takes"],
  [
    /indices element out of data bounds, idx=(-?\d+) must be within the inclusive range \[(-?\d+),(-?\d+)\]/,
    (m) => `an index in the inputs is ${m[1]}; the model takes ${m[2]} to ${m[3]}`,
  ],
  [
    /k argument \[(\d+)\] should not be greater than specified axis dim value \[(\d+)\]/,
    (m) => `the inputs are too small: the model takes the first ${m[1]} of ${m[2]}`,
  ],
  [/Integer (?:division|modulo) by zero/, () => "with these inputs the model divides an integer by zero"],
  [
    /cannot be reshaped to the requested shape\. Input shape:\{([\d,]*)\}, requested shape:\{([-\d,]*)\}/,
    (m) => `the sizes of the inputs do not fit the model: a tensor of [${m[1]}] cannot become [${m[2]}]`,
  ],
  [
    /Attempting to broadcast an axis by a dimension other than 1\. (\d+) by (\d+)|Non concat axis dimensions must match: Axis \d+ has mismatched dimensions of (\d+) and (\d+)/,
    (m) =>
      `the sizes of the inputs do not go together: the model meets ${m[1] ?? m[3]} and ${m[2] ?? m[4]} where it needs one size`,
  ],
  [
    /Invalid input shape: \{/,
    () => "the sizes of the inputs are too small: the model moves a window over what is smaller than it",
  ],
  [
    /Indices vs updates dimensions differs|invalid expand shape|operand cannot broadcast on dim|MatMul dimension mismatch/i,
    () => "the sizes of the inputs do not go together in the model",
  ],
  [
    /(?:invalid|out of bounds?) (?:index|indices?)|(?:index|indices)\b.{0,40}out of (?:range|bounds)/i,
    () => "an index in the inputs is out of the model's range",
  ],
];

const FAILED_NODE = /while running (\w+) node/;
/** Operations that take indices from the inputs; where another one speaks of indices, ONNX Runtime means its own. */
const TAKES_INDICES = /^(Gather|Scatter|OneHot|Embed|TfIdf|Loop|If|Scan)/;

/**
 * What ONNX Runtime threw during a run, as an error that a client may see: `invalid_argument`/`invalid_input` when the text clearly blames
 * the inputs, else `internal`/`model_failed`, which says that the engine failed. The text itself goes to the log only.
 */
export function runError(thrown: unknown): ServeError {
  if (thrown instanceof ServeError) return thrown;
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  const told = inputFault(text);
  if (told !== undefined)
    return new ServeError("invalid_argument", told, { reason: "invalid_input", cause: thrown });
  const node = FAILED_NODE.exec(text)?.[1];
  for (const [pattern, explain] of INPUT_FAULTS) {
    const match = pattern.exec(text);
    const isEngines =
      node !== undefined && /ind(?:ex|ices)/.test(pattern.source) && !TAKES_INDICES.test(node);
    if (match !== null && !isEngines)
      return new ServeError("invalid_argument", explain(match), { reason: "invalid_input", cause: thrown });
  }
  const where = node === undefined ? "" : ` (operation ${node})`;
  return new ServeError(
    "internal",
    `the engine failed while it ran the model${where}; the server's log has the details`,
    {
      reason: "model_failed",
      cause: thrown,
    },
  );
}

/** What helps against a file that was damaged on its way here, and against one that was never right. */
export const REPAIR = "copy the file again, or export the model anew";

const FILE_REASONS: Readonly<
  Record<Exclude<ModelFileErrorKind, "unreadable">, ReasonOf<"failed_precondition">>
> = {
  corrupt: "model_file_corrupt",
  limit: "model_file_limit",
  unsupported: "model_file_unsupported",
};

/** What the reader of model files threw, for the user: the file is at fault, or a weights file that does not fit it. */
export function modelFileError(thrown: unknown): unknown {
  if (!(thrown instanceof ModelFileError)) return thrown;
  if (thrown.kind === "unreadable") {
    return new ServeError("unavailable", `${thrown.message}: ${faultWords(thrown.cause)}`, {
      reason: "file_unreadable",
      cause: thrown,
    });
  }
  const advice = adviceFor(thrown);
  return new ServeError("failed_precondition", `the model file cannot be used: ${thrown.message}${advice}`, {
    reason: FILE_REASONS[thrown.kind],
    cause: thrown,
  });
}

/** What ONNX Runtime threw while it loaded a model: the file's fault, told without paths. */
export function sessionError(thrown: unknown): ServeError {
  if (thrown instanceof ServeError) return thrown;
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  const why = firstSentence(text);
  return new ServeError("failed_precondition", `ONNX Runtime rejects the model: ${why}; ${REPAIR}`, {
    reason: "model_refused",
    cause: thrown,
  });
}

/** ONNX Runtime's own words are useful here, but not the source files and folders in them. */
export function firstSentence(text: string): string {
  const plain = text
    .replace(/(?:[A-Za-z]:)?(?:[\w.+-]*[/\\]){2,}([\w.+-]*)(?::\d+)?/g, "$1")
    .replace(/\s+/g, " ")
    .trim()
    .replace(/\.$/, "");
  return plain.length > 300 ? `${plain.slice(0, 300)}…` : plain;
}

function adviceFor(error: ModelFileError): string {
  if (error instanceof MissingInputs) return `. Write into model.yaml, for example, inputs: ${error.example}`;
  return error.kind === "corrupt" ? `; ${REPAIR}` : "";
}
