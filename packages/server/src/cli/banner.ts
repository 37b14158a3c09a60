import type { RunningServer } from "../app/start-server.ts";
import { VERSION } from "../app/version.ts";
import { oneLine } from "../base/printable.ts";
import { exampleSize, type TensorSpec } from "../base/signature.ts";
import { LOADS_ON_USE } from "../models/version-state.ts";

/** The first words of `sconce serve`, as soon as the port is open. */
export function banner({
  url,
  healthUrl,
  torchserve,
}: Pick<RunningServer, "url" | "healthUrl" | "torchserve">): string {
  const authority = new URL(url).host;
  return `Sconce ${VERSION} listens on ${url}
  REST      ${url}/v2  (Open Inference Protocol)   ${url}/predict/{model}
  gRPC      ${authority}  (inference.GRPCInferenceService, sconce.v1.ModelServing)
  metrics   ${url}/metrics      models  ${url}/
${healthUrl === undefined ? "" : `  health    ${healthUrl}/v2/health/ready  (a thread of its own)\n`}${torchserveLine(torchserve)}`;
}

function torchserveLine(addresses: RunningServer["torchserve"]): string {
  if (addresses === undefined) return "";
  const { management, metrics, grpcInference, grpcManagement } = addresses;
  return `  TorchServe's management ${management}, metrics ${metrics}; gRPC: inference ${grpcInference}, management ${grpcManagement}\n`;
}

/** What became of every model, and a line to paste for the first one that is ready. */
export function readyReport(running: RunningServer, elapsedMs: number): string {
  const models = running.models().map((model) => ({
    ...model,
    name: oneLine(model.name),
    reason: oneLine(model.reason),
  }));
  const width = Math.max(5, ...models.map(({ name }) => name.length));
  const lines = models.map(({ name, version, state, reason }) => {
    return `  ${name.padEnd(width)}  ${version.padEnd(3)} ${state}${reason === "" ? "" : `: ${reason}`}`;
  });
  const ready = models.filter(({ state }) => state === "READY");
  const example = ready.map(({ name }) => exampleCall(running, name)).find((call) => call !== undefined);
  const resting = models.filter(({ reason }) => reason === LOADS_ON_USE).length;
  const later = resting === 0 ? "" : `, ${resting} ${resting === 1 ? "loads" : "load"} on first use`;
  const head = `${ready.length} of ${models.length} models ready after ${(elapsedMs / 1000).toFixed(2)} s${later}`;
  return `${head}\n${lines.join("\n")}\n${example === undefined ? "" : `Try:\n${example}\n`}`;
}

const MAX_EXAMPLE_ELEMENTS = 256;

function exampleCall(running: RunningServer, name: string): string | undefined {
  const inputs = running.inputsOf(name);
  const values = inputs.map(exampleValue);
  if (inputs.length === 0 || values.some((value) => value === undefined)) return undefined;
  const body =
    inputs.length === 1 ? values[0] : `{${inputs.map((spec, i) => `"${spec.name}":${values[i]}`).join(",")}}`;
  return `curl -s ${running.url}/predict/${name} -H 'content-type: application/json' -d '{"input":${body}}'`;
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
