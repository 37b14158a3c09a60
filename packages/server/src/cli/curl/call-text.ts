import { shellWord } from "../../base/shell-text.ts";
import { exampleSize, type TensorSpec } from "../../base/signature.ts";
import { elementBytes, elementCount } from "../../base/tensor.ts";

/** A model that is to be called, and where. */
export interface CalledModel {
  /** `http://host:port`. */
  readonly origin: string;
  readonly name: string;
  readonly inputs: readonly TensorSpec[];
}

/** Languages in which a call is spelled. */
export type CallLanguage = "curl" | "python" | "typescript" | "grpcurl";

/** More numbers than this are not for pasting; they are made where they are sent. */
const MAX_PASTED = 256;

/** A call that works when it is pasted, with one row of zeros, or of empty texts. Undefined: it would be longer than a line may be. */
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

const shapeOf = ({ dims }: TensorSpec): number[] => dims.map(exampleSize);
const isShort = (spec: TensorSpec): boolean => elementCount(shapeOf(spec)) <= MAX_PASTED;

function zero({ datatype }: TensorSpec): string {
  return datatype === "BYTES" ? '""' : datatype === "BOOL" ? "false" : "0";
}

function nested(spec: TensorSpec): string {
  return shapeOf(spec).reduceRight(
    (inner, size) => `[${new Array<string>(size).fill(inner).join(",")}]`,
    zero(spec),
  );
}

function curlText({ origin, name, inputs }: CalledModel): string | undefined {
  const path = encodeURIComponent(name);
  if (inputs.every(isShort)) {
    const [only] = inputs;
    const value =
      inputs.length === 1
        ? nested(only!)
        : `{${inputs.map((spec) => `${JSON.stringify(spec.name)}:${nested(spec)}`).join(",")}}`;
    return `curl -s ${shellWord(`${origin}/predict/${path}`)} -H 'content-type: application/json' -d ${shellWord(`{"input":${value}}`)}\n`;
  }
  // One raw row of the only input: Triton's binary extension.
  const [only] = inputs;
  if (inputs.length !== 1 || only!.datatype === "BYTES") return undefined;
  const bytes = elementCount(shapeOf(only!).slice(1)) * elementBytes(only!.datatype);
  return `head -c ${bytes} /dev/zero | curl -s ${shellWord(`${origin}/v2/models/${path}/infer`)} --data-binary @- -H 'Inference-Header-Content-Length: 0' -o answer.bin -w '%{http_code} %{size_download} bytes\\n'\n`;
}

function pythonText({ origin, name, inputs }: CalledModel): string {
  const tensors = inputs.map((spec) => {
    const shape = shapeOf(spec);
    const data = `[${spec.datatype === "BYTES" ? '""' : spec.datatype === "BOOL" ? "False" : "0"}] * ${elementCount(shape)}`;
    return `    {"name": ${JSON.stringify(spec.name)}, "datatype": "${spec.datatype}", "shape": [${shape.join(", ")}], "data": ${data}},\n`;
  });
  return (
    `import json\nfrom urllib.request import Request, urlopen\n\ninputs = [\n${tensors.join("")}]\n` +
    `url = ${JSON.stringify(`${origin}/v2/models/${encodeURIComponent(name)}/infer`)}\n` +
    'request = Request(url, json.dumps({"inputs": inputs}).encode(), {"content-type": "application/json"})\n' +
    'for output in json.load(urlopen(request))["outputs"]:\n    print(output["name"], output["shape"], output["data"][:10])\n'
  );
}

function typescriptText({ origin, name, inputs }: CalledModel): string {
  const tensors = inputs.map((spec) => {
    const shape = shapeOf(spec);
    const values = `new Array(${elementCount(shape)}).fill(${zero(spec)})`;
    return `  ${JSON.stringify(spec.name)}: tensor("${spec.datatype}", [${shape.join(", ")}], ${values}),\n`;
  });
  return (
    'import { createClient, tensor } from "@sconce/client";\n\n' +
    `const client = createClient(${JSON.stringify(origin)});\n` +
    `const { outputs } = await client.infer(${JSON.stringify(name)}, {\n${tensors.join("")}});\n` +
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

function grpcurlText({ origin, name, inputs }: CalledModel): string | undefined {
  const url = new URL(origin);
  // Half precision goes as raw bytes only, which are not for pasting.
  if (!inputs.every((spec) => isShort(spec) && CONTENTS[spec.datatype] !== undefined)) return undefined;
  const tensors = inputs.map((spec) => {
    const shape = shapeOf(spec);
    const values = new Array<string>(elementCount(shape)).fill(zero(spec)).join(",");
    return `{"name":${JSON.stringify(spec.name)},"datatype":"${spec.datatype}","shape":[${shape.join(",")}],"contents":{"${CONTENTS[spec.datatype]}":[${values}]}}`;
  });
  const message = `{"modelName":${JSON.stringify(name)},"inputs":[${tensors.join(",")}]}`;
  const security = url.protocol === "https:" ? "" : "-plaintext ";
  return `grpcurl ${security}-d ${shellWord(message)} ${url.host} inference.GRPCInferenceService/ModelInfer\n`;
}
