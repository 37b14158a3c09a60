import { showShape } from "@sconce/protocol";
import { ServeError } from "../../../base/errors.ts";
import { type TensorSpec, wireShape } from "../../../base/signature.ts";
import { exampleRequest } from "./example-request.ts";
import type { RestCall } from "./rest-call.ts";

/** What bodies are by their header, whatever they hold; `curl -d` calls JSON a form, and many clients call it text. */
const BY_TYPE: ReadonlyArray<readonly [prefix: string, kind: string]> = [
  ["image/", "an image"],
  ["audio/", "sound"],
  ["video/", "a video"],
  ["multipart/", "multipart"],
  ["application/pdf", "a PDF file"],
];
const IS_JSON = "application/json";

/** What bodies are by their first bytes. */
const BY_BYTES: ReadonlyArray<readonly [beginning: string, kind: string]> = [
  ["\x89PNG\r\n", "a PNG image"],
  ["\xff\xd8\xff", "a JPEG image"],
  ["GIF8", "a GIF image"],
  ["RIFF", "a WebP image or a WAV file"],
  ["BM", "a BMP image"],
  ["II*\0", "a TIFF image"],
  ["MM\0*", "a TIFF image"],
  ["%PDF", "a PDF file"],
  ["\x93NUMPY", "a NumPy file"],
  ["PK\x03\x04", "a zip archive (.npz, .pt)"],
  ["\x1f\x8b", "gzip data without Content-Encoding: gzip"],
  ["\x80\x02", "a pickle"],
  ["\x80\x03", "a pickle"],
  ["\x80\x04", "a pickle"],
  ["\x80\x05", "a pickle"],
  ["<", "HTML or XML"],
  ["--", "multipart"],
];
const LONGEST_BEGINNING = 8;
const JSON_BEGINNING = /^\s*[{[]/;
const FORM = /^[^\s={}[\]"]{1,64}=/;
/** Of a form's first field. */
const MAX_FORM_CHARS = 80;

/** A body that came for a model. */
export interface InferenceTarget {
  readonly model: string;
  /** What the model takes; undefined while it is not loaded. */
  readonly inputs: readonly TensorSpec[] | undefined;
}

/** What a body is, by its header alone, when no model can take it as JSON. */
export function foreignType(contentType: string | undefined): string | undefined {
  if (contentType === undefined || contentType.startsWith(IS_JSON)) return undefined;
  const type = contentType.trimStart().toLowerCase();
  return BY_TYPE.find(([prefix]) => type.startsWith(prefix))?.[1];
}

/** An error about a body that is no JSON, with what it is in place of that and what the model takes; any other error as it is. */
export function explainBody(call: RestCall, thrown: unknown, body: Buffer, target: InferenceTarget): unknown {
  if (!(thrown instanceof ServeError)) return thrown;
  if (thrown.reason !== "bad_json" && thrown.reason !== "bad_utf8") return thrown;
  const kind = kindOf(body);
  if (kind !== undefined) return unsupported(call, kind, target);
  if (thrown.reason === "bad_utf8") {
    const isMeantAsJson = JSON_BEGINNING.test(body.toString("latin1", 0, LONGEST_BEGINNING));
    return isMeantAsJson ? thrown : unsupported(call, "neither text nor a file that is known here", target);
  }
  const { inputs } = target;
  if (inputs === undefined) return thrown;
  const example = exampleRequest(call, target.model, inputs);
  return new ServeError("invalid_argument", `${thrown.message}; for example: ${example}`, {
    reason: "bad_json",
  });
}

function kindOf(body: Buffer): string | undefined {
  const beginning = body.toString("latin1", 0, LONGEST_BEGINNING);
  const known = BY_BYTES.find(([bytes]) => beginning.startsWith(bytes));
  if (known !== undefined) return known[1];
  return FORM.test(body.toString("latin1", 0, MAX_FORM_CHARS)) ? "a form" : undefined;
}

/** Says what to send in place of such a body. */
export function unsupported(call: RestCall, kind: string, { model, inputs }: InferenceTarget): ServeError {
  return new ServeError("invalid_argument", `the body is ${kind}; ${advice(call, kind, { model, inputs })}`, {
    reason: "unsupported_media_type",
  });
}

function advice(call: RestCall, kind: string, { model, inputs }: InferenceTarget): string {
  if (inputs === undefined) return `send the inputs of model "${model}" as JSON: {"input": …}`;
  const takes = inputs
    .map((spec) => `"${spec.name}" (${spec.datatype} ${showShape(wireShape(spec))})`)
    .join(", ");
  const json = `model "${model}" takes ${takes}, as JSON: ${exampleRequest(call, model, inputs)}`;
  if (inputs.length !== 1) return json;
  if (inputs[0]!.datatype === "BYTES") {
    return `${json}; or as it is: curl -H 'Inference-Header-Content-Length: 0' --data-binary @FILE to /v2/models/${model}/infer`;
  }
  return kind.includes("image")
    ? `${json}; sconce predict ${model} --input FILE makes that of an image`
    : json;
}
