import type { RunningServer } from "../app/start-server.ts";
import { VERSION } from "../app/version.ts";
import { oneLine } from "../base/printable.ts";
import { shellWord } from "../base/shell-text.ts";
import { exampleSize, type TensorSpec } from "../base/signature.ts";
import type { ServerConfig } from "../config/server-options.ts";
import { takesAnyBody } from "../edge/torchserve/handler-call.ts";
import { LOADS_ON_USE } from "../models/version-state.ts";
import { fitLines } from "./fit-lines.ts";

/** The first words of `sconce serve`, as soon as the port is open. */
export function banner({
  url,
  healthUrl,
  torchserve,
}: Pick<RunningServer, "url" | "healthUrl" | "torchserve">): string {
  const authority = new URL(url).host;
  const rows: readonly Row[] = [
    ["REST", `${url}/v2`, "Open Inference Protocol"],
    ["", `${url}/predict/{model}`, "the short form"],
    ["gRPC", authority, "GRPCInferenceService"],
    ["models", `${url}/`, "for a browser"],
    ["metrics", `${url}/metrics`, "for Prometheus"],
    ...(healthUrl === undefined
      ? []
      : [["health", `${healthUrl}/v2/health/ready`, "a thread of its own"] as const]),
    ...torchserveRows(torchserve),
  ];
  const width = Math.max(...rows.map(([, address]) => address.length));
  const lines = rows.map(
    ([label, address, what]) => `  ${label.padEnd(10)} ${address.padEnd(width)}  ${what}
`,
  );
  return `Sconce ${VERSION} listens on ${url}
${lines.join("")}`;
}

type Row = readonly [label: string, address: string, what: string];

function torchserveRows(addresses: RunningServer["torchserve"]): readonly Row[] {
  if (addresses === undefined) return [];
  const { management, metrics, grpcInference, grpcManagement } = addresses;
  return [
    ["torchserve", management, "management"],
    ["", metrics, "metrics"],
    ["", grpcInference, "gRPC, inference"],
    ["", grpcManagement, "gRPC, management"],
  ];
}

const NOTHING_FOUND =
  "No model was found: a model is a file (.pt2, .onnx, .mar, …), or a folder with one or with a model.py\n";

/** How a report is shown. */
interface ReportOptions {
  /** Default: as wide as it is. */
  readonly columns?: number | undefined;
  /** What curl must be told for this server: `curlAccess`. */
  readonly access?: string;
}

/** Options for curl, each with a space behind it: the certificate, where the system may not know its CA, and the key. */
export function curlAccess({
  tlsCert,
  apiKeys,
  jwtKeys,
}: Pick<ServerConfig, "tlsCert" | "apiKeys" | "jwtKeys">): string {
  const ca = tlsCert === undefined ? "" : `--cacert ${shellWord(tlsCert)} `;
  return apiKeys === undefined && jwtKeys === undefined
    ? ca
    : `${ca}-H "Authorization: Bearer $SCONCE_API_KEY" `;
}

/** What became of every model, within so many columns if they are known, and a line to paste for the first one that is ready. */
export function readyReport(
  running: RunningServer,
  elapsedMs: number,
  { columns, access = "" }: ReportOptions = {},
): string {
  const models = running.models().map((model) => ({
    ...model,
    name: oneLine(model.name),
    reason: oneLine(model.reason),
  }));
  if (models.length === 0) return NOTHING_FOUND;
  const width = Math.max(5, ...models.map(({ name }) => name.length));
  const lines = models.map(({ name, version, state, reason }) => {
    return fitLines(
      `  ${name.padEnd(width)}  ${version.padEnd(3)} ${state}${reason === "" ? "" : `: ${reason}`}`,
      columns,
    );
  });
  const ready = models.filter(({ state }) => state === "READY");
  const example = ready.map(({ name }) => exampleCall(running, name)).find((call) => call !== undefined);
  const resting = models.filter(({ reason }) => reason === LOADS_ON_USE).length;
  const later = resting === 0 ? "" : `, ${resting} ${resting === 1 ? "loads" : "load"} on first use`;
  const head = `${ready.length} of ${models.length} models ready after ${(elapsedMs / 1000).toFixed(2)} s${later}`;
  const call = example?.replace(/^curl -s /, () => `curl -s ${access}`);
  return `${head}\n${lines.join("\n")}\n${call === undefined ? "" : `Try:\n${call}\n`}`;
}

const MAX_EXAMPLE_ELEMENTS = 256;

function exampleCall(running: RunningServer, name: string): string | undefined {
  const inputs = running.inputsOf(name);
  const isArchive = takesAnyBody(inputs);
  // The head of a request to a TorchServe archive is JSON, or nothing.
  const values = inputs.map((spec) => (isArchive && spec.name === "head" ? '[""]' : exampleValue(spec)));
  if (inputs.length === 0 || values.some((value) => value === undefined)) return undefined;
  const word = encodeURIComponent(name);
  if (isArchive && running.torchserve !== undefined)
    return `curl -s ${shellWord(`${running.url}/predictions/${word}`)} -d text`;
  const body =
    inputs.length === 1
      ? values[0]
      : `{${inputs.map((spec, i) => `${JSON.stringify(spec.name)}:${values[i]}`).join(",")}}`;
  const url = shellWord(`${running.url}/predict/${word}`);
  return `curl -s ${url} -H 'content-type: application/json' -d ${shellWord(`{"input":${body}}`)}`;
}

/** A gentle ramp for one row, as JSON; undefined when the tensor is too large for a line to paste. */
function exampleValue(spec: TensorSpec): string | undefined {
  const shape = spec.dims.map(exampleSize);
  const count = shape.reduce((product, size) => product * size, 1);
  if (count > MAX_EXAMPLE_ELEMENTS) return undefined;
  return nest(shape, { next: 0, count, spec });
}

function nest(
  shape: readonly number[],
  ramp: { next: number; readonly count: number; readonly spec: TensorSpec },
): string {
  if (shape.length === 0) return element(ramp);
  const items = Array.from({ length: shape[0]! }, () => nest(shape.slice(1), ramp));
  return `[${items.join(",")}]`;
}

function element(ramp: { next: number; readonly count: number; readonly spec: TensorSpec }): string {
  const index = ramp.next++;
  switch (ramp.spec.datatype) {
    case "BOOL":
      return "true";
    case "BYTES":
      return '"text"';
    case "FP32":
    case "FP64":
      return String(Math.round((index / ramp.count) * 100) / 100);
    default:
      return "1";
  }
}
