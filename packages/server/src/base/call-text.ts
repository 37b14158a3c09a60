import { shellWord } from "./shell-text.ts";

// Pages in browsers run this file as well: it imports nothing but what browsers have.

/** A tensor of a call that is spelled out. */
export interface CalledTensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  /** Its elements in row-major order; undefined: zeros, or empty texts. */
  readonly data: readonly (number | boolean | string)[] | undefined;
  /** Bytes of one element; 0: they differ. */
  readonly elementBytes: number;
}

/** A model that is to be called, and where. */
export interface CalledModel {
  /** `http://host:port`, and the path before the server's own where there is one. */
  readonly origin: string;
  readonly name: string;
  /** Undefined: as the version policy says. */
  readonly version?: string | undefined;
  readonly tensors: readonly CalledTensor[];
  /** Whether the server asks for a key, which the call takes from the environment variable SCONCE_KEY. */
  readonly needsKey?: boolean;
  /** A file that holds the JSON body, for tensors that nobody pastes; undefined: there is none. */
  readonly bodyFile?: string;
}

/** Languages in which a call is spelled. */
export type CallLanguage = "curl" | "python" | "typescript" | "grpcurl";

/** More numbers than this are not for pasting; they are made where they are sent, or read from a file. */
const MAX_PASTED = 256;

/** A call that works when it is pasted. Undefined: it would be longer than a line may be. */
export function callText(language: CallLanguage, model: CalledModel): string | undefined {
  switch (language) {
    case "curl":
      return curlText(model);
    case "python":
      return pythonText(model);
    case "typescript":
      return typescriptText(model);
    case "grpcurl":
      return grpcurlText(model);
  }
}

/** A model that is asked for what it is for: with a JSON value, or with the bytes of a file. */
export interface CalledTask extends Pick<CalledModel, "origin" | "name" | "needsKey"> {
  readonly input: { readonly file: string } | { readonly json: string };
}

/** The call as a curl line. */
export function taskCallText({ origin, name, needsKey, input }: CalledTask): string {
  const url = shellWord(`${origin}/predict/${encodeURIComponent(name)}`);
  const key = needsKey === true ? KEY_HEADER : "";
  if ("file" in input) return `curl -s ${url}${key} --data-binary @${shellWord(input.file)}\n`;
  return `curl -s ${url}${key} -H 'content-type: application/json' -d ${shellWord(input.json)}\n`;
}

const KEY_HEADER = ' -H "authorization: Bearer $SCONCE_KEY"';

const countOf = ({ shape }: CalledTensor): number => shape.reduce((product, size) => product * size, 1);
const isShort = (tensor: CalledTensor): boolean => countOf(tensor) <= MAX_PASTED;

function zero({ datatype }: CalledTensor): string {
  return datatype === "BYTES" ? '""' : datatype === "BOOL" ? "false" : "0";
}

/** The elements as JSON. */
function elements(tensor: CalledTensor): string[] {
  return tensor.data === undefined
    ? new Array<string>(countOf(tensor)).fill(zero(tensor))
    : tensor.data.map((value) => JSON.stringify(value));
}

function nested(tensor: CalledTensor): string {
  let parts = elements(tensor);
  for (const size of tensor.shape.toReversed()) {
    const outer: string[] = [];
    for (let i = 0; i < parts.length; i += size) outer.push(`[${parts.slice(i, i + size).join(",")}]`);
    parts = outer;
  }
  return parts[0] ?? "[]";
}

function inferUrl({ origin, name, version }: CalledModel): string {
  const at = version === undefined ? "" : `/versions/${encodeURIComponent(version)}`;
  return `${origin}/v2/models/${encodeURIComponent(name)}${at}/infer`;
}

/** The JSON body of a call. */
export function callBody({ tensors }: Pick<CalledModel, "tensors">): string {
  const spelled = tensors.map(
    (tensor) =>
      `{"name":${JSON.stringify(tensor.name)},"datatype":"${tensor.datatype}","shape":[${tensor.shape.join(",")}],"data":[${elements(tensor).join(",")}]}`,
  );
  return `{"inputs":[${spelled.join(",")}]}`;
}

function curlText(model: CalledModel): string | undefined {
  const { origin, name, version, tensors, bodyFile } = model;
  const head = `${model.needsKey === true ? KEY_HEADER : ""} -H 'content-type: application/json'`;
  if (!tensors.every(isShort)) {
    return bodyFile === undefined
      ? binaryCurlText(model)
      : `curl -s ${shellWord(inferUrl(model))}${head} -d @${shellWord(bodyFile)}\n`;
  }
  if (version !== undefined)
    return `curl -s ${shellWord(inferUrl(model))}${head} -d ${shellWord(callBody(model))}\n`;
  const [only] = tensors;
  const value =
    tensors.length === 1
      ? nested(only!)
      : `{${tensors.map((tensor) => `${JSON.stringify(tensor.name)}:${nested(tensor)}`).join(",")}}`;
  const url = `${origin}/predict/${encodeURIComponent(name)}`;
  return `curl -s ${shellWord(url)}${head} -d ${shellWord(`{"input":${value}}`)}\n`;
}

/** One raw row of zeros of the only input: Triton's binary extension. */
function binaryCurlText(model: CalledModel): string | undefined {
  const [only, ...others] = model.tensors;
  if (only === undefined || others.length > 0 || only.elementBytes === 0) return undefined;
  const bytes = countOf({ ...only, shape: only.shape.slice(1) }) * only.elementBytes;
  return `head -c ${bytes} /dev/zero | curl -s ${shellWord(inferUrl(model))} --data-binary @- -H 'Inference-Header-Content-Length: 0' -o answer.bin -w '%{http_code} %{size_download} bytes\\n'\n`;
}

/** Whether the elements are read from a file. */
function isFiled({ tensors, bodyFile }: CalledModel): boolean {
  return bodyFile !== undefined && !tensors.every(isShort);
}

const PYTHON_WORDS: Readonly<Record<string, string>> = { true: "True", false: "False" };

function pythonText(model: CalledModel): string {
  const { tensors, bodyFile } = model;
  const spelled = tensors.map((tensor) => {
    const { name, datatype, shape, data } = tensor;
    const words = (data === undefined ? [zero(tensor)] : elements(tensor)).map(
      (one) => PYTHON_WORDS[one] ?? one,
    );
    const list = `[${words.join(", ")}]${data === undefined ? ` * ${countOf(tensor)}` : ""}`;
    return `    {"name": ${JSON.stringify(name)}, "datatype": "${datatype}", "shape": [${shape.join(", ")}], "data": ${list}},\n`;
  });
  const body = isFiled(model)
    ? `body = open(${JSON.stringify(bodyFile)}, "rb").read()\n`
    : `inputs = [\n${spelled.join("")}]\nbody = json.dumps({"inputs": inputs}).encode()\n`;
  const key = model.needsKey === true;
  const headers = `{"content-type": "application/json"${key ? ', "authorization": "Bearer " + os.environ["SCONCE_KEY"]' : ""}}`;
  return (
    `import json\n${key ? "import os\n" : ""}from urllib.request import Request, urlopen\n\n${body}` +
    `request = Request(${JSON.stringify(inferUrl(model))}, body, ${headers})\n` +
    'for output in json.load(urlopen(request))["outputs"]:\n    print(output["name"], output["shape"], output["data"][:10])\n'
  );
}

function typescriptText(model: CalledModel): string {
  const { origin, name, version, tensors, bodyFile } = model;
  const filed = isFiled(model);
  const spelled = tensors.map((tensor, i) => {
    const { datatype, shape, data } = tensor;
    const values = filed
      ? `inputs[${i}].data`
      : data === undefined
        ? `new Array(${countOf(tensor)}).fill(${zero(tensor)})`
        : `[${elements(tensor).join(", ")}]`;
    return `  ${JSON.stringify(tensor.name)}: tensor("${datatype}", [${shape.join(", ")}], ${values}),\n`;
  });
  const options = [version === undefined ? "" : `version: ${JSON.stringify(version)}`].filter(
    (text) => text !== "",
  );
  const headers =
    model.needsKey === true ? `, { headers: { authorization: "Bearer " + process.env.SCONCE_KEY } }` : "";
  return (
    `${filed ? 'import { readFileSync } from "node:fs";\n' : ""}import { createClient, tensor } from "@sconce/client";\n\n` +
    (filed ? `const { inputs } = JSON.parse(readFileSync(${JSON.stringify(bodyFile)}, "utf8"));\n` : "") +
    `const client = createClient(${JSON.stringify(origin)}${headers});\n` +
    `const { outputs } = await client.infer(${JSON.stringify(name)}, {\n${spelled.join("")}}${options.length === 0 ? "" : `, { ${options.join(", ")} }`});\n` +
    "for (const [name, { shape, data }] of Object.entries(outputs)) console.log(name, shape, data.slice(0, 10));\n"
  );
}

const CONTENTS: Readonly<Record<string, string>> = {
  BOOL: "boolContents",
  INT8: "intContents",
  INT16: "intContents",
  INT32: "intContents",
  INT64: "int64Contents",
  UINT8: "uintContents",
  UINT16: "uintContents",
  UINT32: "uintContents",
  UINT64: "uint64Contents",
  FP32: "fp32Contents",
  FP64: "fp64Contents",
  BYTES: "bytesContents",
};

function grpcurlText(model: CalledModel): string | undefined {
  const { origin, name, version, tensors } = model;
  const url = new URL(origin);
  // Half precision goes as raw bytes only, which are not for pasting.
  if (!tensors.every((tensor) => isShort(tensor) && CONTENTS[tensor.datatype] !== undefined))
    return undefined;
  const spelled = tensors.map((tensor) => {
    const { datatype, shape } = tensor;
    const values = (datatype === "BYTES" ? inBase64(tensor) : elements(tensor)).join(",");
    return `{"name":${JSON.stringify(tensor.name)},"datatype":"${datatype}","shape":[${shape.join(",")}],"contents":{"${CONTENTS[datatype]}":[${values}]}}`;
  });
  const which = version === undefined ? "" : `"modelVersion":${JSON.stringify(version)},`;
  const message = `{"modelName":${JSON.stringify(name)},${which}"inputs":[${spelled.join(",")}]}`;
  const security = url.protocol === "https:" ? "" : "-plaintext ";
  const key = model.needsKey === true ? '-H "authorization: Bearer $SCONCE_KEY" ' : "";
  return `grpcurl ${security}${key}-d ${shellWord(message)} ${url.host} inference.GRPCInferenceService/ModelInfer\n`;
}

/** Texts as protobuf's JSON spells bytes. */
function inBase64({ data, shape }: CalledTensor): string[] {
  if (data === undefined) return new Array<string>(shape.reduce((a, b) => a * b, 1)).fill('""');
  return data.map((text) => {
    const bytes = new TextEncoder().encode(String(text));
    return `"${btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""))}"`;
  });
}
