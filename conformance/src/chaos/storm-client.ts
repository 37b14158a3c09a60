import { Agent, request } from "node:http";
import type { ServiceError } from "@grpc/grpc-js";
import { type Message, protoClient } from "../grpc-client.ts";
import { ROW_BYTES } from "./row.ts";
import type { ChangeKind } from "./storm-history.ts";

/** Codes as both protocols spell them; what is not here is not expected in a storm, and shows as its number. */
const REST_CODES: Readonly<Record<number, string>> = {
  400: "failed_precondition",
  404: "not_found",
  409: "aborted",
  503: "unavailable",
};
const GRPC_CODES: Readonly<Record<number, string>> = {
  5: "not_found",
  9: "failed_precondition",
  10: "aborted",
  14: "unavailable",
};

export const NOT_READY = "unavailable model_not_ready";

/** What a request found, whatever its protocol. */
export interface StormAnswer {
  /** `ok`, or a code and a reason such as `not_found model_not_found`. */
  readonly outcome: string;
  readonly detail: string;
  /** What shows the content that serves: the model's tag, or its largest batch. */
  readonly content?: number | undefined;
  readonly version?: number | undefined;
  /** An inference: the answer repeats the question. */
  readonly isRight?: boolean | undefined;
}

export type Report = "ready" | "metadata" | "config" | "statistics";
export const REPORTS: readonly Report[] = ["ready", "metadata", "config", "statistics"];

/** Everything that a storm asks for. */
export interface StormClient {
  infer(model: string, row: Uint8Array, version?: number): Promise<StormAnswer>;
  report(what: Report, model: string): Promise<StormAnswer>;
  change(kind: ChangeKind, model: string): Promise<StormAnswer>;
  /** States by `name/version`. */
  index(): Promise<ReadonlyMap<string, string>>;
  isServerLive(): Promise<boolean>;
  close(): void;
}

interface RestAnswer {
  readonly status: number;
  readonly json: Message;
}

/** Over REST, on as many connections as requests are under way. */
export function createRestStormClient(url: string, token: string): StormClient {
  const agent = new Agent({ keepAlive: true });
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const ask = (method: string, path: string, body = ""): Promise<RestAnswer> =>
    new Promise((resolve, reject) => {
      const sent = request(`${url}/v2/${path}`, { method, agent, headers }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on("data", (chunk: Buffer) => chunks.push(chunk));
        answer.on("error", reject);
        answer.on("end", () => {
          const json = JSON.parse(Buffer.concat(chunks).toString("utf8")) as Message;
          resolve({ status: answer.statusCode ?? 0, json });
        });
      });
      sent.on("error", reject);
      sent.end(body);
    });
  return {
    async infer(model, row, version) {
      const path = version === undefined ? model : `${model}/versions/${version}`;
      const input = { name: "x", datatype: "UINT8", shape: [1, ROW_BYTES], data: [...row] };
      const answer = await ask("POST", `models/${path}/infer`, JSON.stringify({ inputs: [input] }));
      if (answer.status !== 200) return refusalOf(answer);
      const [y, tag] = answer.json["outputs"] as readonly { readonly data: readonly number[] }[];
      const isRight = Buffer.compare(Buffer.from(y!.data), row) === 0;
      return { ...OK, content: tag!.data[0], version: Number(answer.json["model_version"]), isRight };
    },
    async report(what, model) {
      const path = { ready: "/ready", metadata: "", config: "/config", statistics: "/stats" }[what];
      const answer = await ask("GET", `models/${model}${path}`);
      if (what === "ready" && answer.json["ready"] === false && answer.status === 503) return UNREADY;
      if (answer.status !== 200) return refusalOf(answer);
      if (what === "config") return { ...OK, content: Number(answer.json["max_batch_size"]) };
      return what === "statistics" ? listing(answer.json["model_stats"]) : OK;
    },
    async change(kind, model) {
      const answer = await ask("POST", `repository/models/${model}/${kind}`);
      return answer.status === 200 ? OK : refusalOf(answer);
    },
    async index() {
      const { json } = await ask("POST", "repository/index");
      return statesOf(json as unknown as readonly Message[]);
    },
    isServerLive: async () => (await ask("GET", "health/live")).status === 200,
    close: () => agent.destroy(),
  };
}

/** Over one gRPC channel. */
export function createGrpcStormClient(url: string, token: string): StormClient {
  const proto = "inference/grpc_service.proto";
  const target = new URL(url).host;
  const client = protoClient({ proto, service: "inference.GRPCInferenceService", target });
  const headers = { authorization: `Bearer ${token}` };
  const ask = async (
    method: string,
    message: Message,
    read: (answer: Message) => StormAnswer,
  ): Promise<StormAnswer> => {
    try {
      return read(await client.unary(method, message, headers));
    } catch (error) {
      const { code, details, metadata } = error as ServiceError;
      const reason = String(metadata?.get("sconce-reason")[0] ?? "");
      return { outcome: `${GRPC_CODES[code] ?? code} ${reason}`, detail: details ?? String(error) };
    }
  };
  return {
    infer(model, row, version) {
      const inputs = [{ name: "x", datatype: "UINT8", shape: [1, ROW_BYTES] }];
      const modelVersion = version === undefined ? "" : String(version);
      const message = { modelName: model, modelVersion, inputs, rawInputContents: [row] };
      return ask("ModelInfer", message, (answer) => {
        const [y, tag] = answer["rawOutputContents"] as readonly Buffer[];
        const isRight = Buffer.compare(y!, row) === 0;
        const content = Number(tag!.readBigInt64LE(0));
        return { ...OK, content, version: Number(answer["modelVersion"]), isRight };
      });
    },
    report(what, name) {
      switch (what) {
        case "ready":
          return ask("ModelReady", { name }, (answer) => (answer["ready"] === true ? OK : UNREADY));
        case "metadata":
          return ask("ModelMetadata", { name }, () => OK);
        case "config":
          return ask("ModelConfig", { name }, (answer) => {
            return { ...OK, content: Number((answer["config"] as Message)["maxBatchSize"]) };
          });
        case "statistics":
          return ask("ModelStatistics", { name }, (answer) => listing(answer["modelStats"]));
      }
    },
    change(kind, modelName) {
      const method = kind === "load" ? "RepositoryModelLoad" : "RepositoryModelUnload";
      return ask(method, { modelName }, () => OK);
    },
    async index() {
      const answer = await client.unary("RepositoryIndex", {});
      return statesOf(answer["models"] as readonly Message[]);
    },
    isServerLive: async () => (await client.unary("ServerLive", {}))["live"] === true,
    close: () => client.close(),
  };
}

const OK: StormAnswer = { outcome: "ok", detail: "" };
const UNREADY: StormAnswer = { outcome: NOT_READY, detail: "" };

function refusalOf({ status, json }: RestAnswer): StormAnswer {
  return {
    outcome: `${REST_CODES[status] ?? status} ${json["reason"]}`,
    detail: String(json["error"]),
  };
}

/** A model that is not in memory has no statistics. */
function listing(statistics: unknown): StormAnswer {
  return (statistics as readonly unknown[]).length > 0 ? OK : UNREADY;
}

function statesOf(lines: readonly Message[]): ReadonlyMap<string, string> {
  const states = new Map<string, string>();
  for (const { name, version, state } of lines) {
    const key = `${name}/${version}`;
    states.set(key, states.has(key) ? "listed twice" : String(state));
  }
  return states;
}
