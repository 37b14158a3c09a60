/** One version of a model, as the server lists it. */
export interface ListedModel {
  readonly name: string;
  readonly version: string;
  readonly state: "READY" | "UNAVAILABLE" | "LOADING" | "UNLOADING";
  readonly reason: string;
}

/** A tensor of a signature; −1 for a size that requests choose. */
export interface TensorPort {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
}

export interface ModelSignature {
  readonly name: string;
  readonly versions: readonly string[];
  readonly platform: string;
  readonly inputs: readonly TensorPort[];
  readonly outputs: readonly TensorPort[];
}

export interface OutputTensor extends TensorPort {
  readonly data: readonly (number | string | boolean | null)[];
}

export interface TimedResponse {
  readonly outputs: readonly OutputTensor[];
  /** The stages of the request with their milliseconds, as the server timed them, without their total. */
  readonly stages: readonly (readonly [stage: string, ms: number])[];
  /** From sending to having the answer, as this page saw it. */
  readonly tookMs: number;
}

/** An answer of a model that does more than take tensors. */
export interface TimedPrediction extends Omit<TimedResponse, "outputs"> {
  readonly prediction: unknown;
}

/** An answer of the server that says no. */
export class ServerError extends Error {
  readonly status: number;
  readonly reason: string;

  constructor(status: number, reason: string, message: string) {
    super(message);
    this.status = status;
    this.reason = reason;
  }
}

/** What this page asks its server for. Every promise rejects with `ServerError`, or with what `fetch` says. */
export interface ServerApi {
  /** The server's URL as calls from elsewhere begin, without a slash at the end. */
  readonly origin: string;
  /** Sent with everything from now on; "": nothing is. */
  setKey(key: string): void;
  readonly hasKey: boolean;
  models(): Promise<readonly ListedModel[]>;
  signature(model: string, version: string): Promise<ModelSignature>;
  infer(path: string, body: string): Promise<TimedResponse>;
  /** What a model is for; undefined: it takes tensors only. */
  task(model: string, version: string): Promise<string | undefined>;
  /** Asks a model for what it is for. */
  predict(model: string, body: BodyInit, type: string): Promise<TimedPrediction>;
  /** Loads a model, or loads it anew; or unloads it. */
  control(model: string, what: "load" | "unload"): Promise<void>;
  request(path: string, init?: RequestInit): Promise<Response>;
}

/** `/v2/models/NAME/versions/VERSION`, relative to the server. */
export function modelPath(model: string, version: string): string {
  return `v2/models/${encodeURIComponent(model)}/versions/${encodeURIComponent(version)}`;
}

export function createServerApi(): ServerApi {
  const base = new URL(".", document.baseURI).href;
  let key = "";
  const request = async (path: string, init: RequestInit = {}): Promise<Response> => {
    const headers = new Headers(init.headers);
    if (key !== "") headers.set("authorization", `Bearer ${key}`);
    const response = await fetch(base + path, { ...init, headers });
    if (!response.ok) throw await errorOf(response);
    return response;
  };
  const json = async (path: string, init?: RequestInit): Promise<unknown> =>
    (await request(path, init)).json();
  const timed = async (path: string, body: BodyInit, type: string) => {
    const sentMs = performance.now();
    const response = await request(path, { method: "POST", body, headers: { "content-type": type } });
    const value: unknown = await response.json();
    const stages = stagesOf(response.headers.get("server-timing") ?? "");
    return { value, stages, tookMs: performance.now() - sentMs };
  };
  return {
    origin: base.replace(/\/$/, ""),
    setKey(given) {
      key = given;
    },
    get hasKey() {
      return key !== "";
    },
    models: async () => (await json("v2/repository/index", { method: "POST" })) as readonly ListedModel[],
    signature: async (model, version) => (await json(modelPath(model, version))) as ModelSignature,
    async infer(path, body) {
      const { value, ...times } = await timed(path, body, "application/json");
      return { ...(value as Pick<TimedResponse, "outputs">), ...times };
    },
    async task(model, version) {
      const { parameters } = (await json(`${modelPath(model, version)}/config`)) as {
        readonly parameters?: { readonly task?: { readonly string_value: string } };
      };
      return parameters?.task?.string_value;
    },
    async predict(model, body, type) {
      const { value, ...times } = await timed(`predict/${encodeURIComponent(model)}`, body, type);
      return { ...(value as Pick<TimedPrediction, "prediction">), ...times };
    },
    async control(model, what) {
      await request(`v2/repository/models/${encodeURIComponent(model)}/${what}`, { method: "POST" });
    },
    request,
  };
}

async function errorOf(response: Response): Promise<ServerError> {
  const text = await response.text();
  try {
    const { error, reason } = JSON.parse(text) as { readonly error?: string; readonly reason?: string };
    return new ServerError(response.status, reason ?? "", error ?? text);
  } catch {
    return new ServerError(response.status, "", text === "" ? `status ${response.status}` : text);
  }
}

/** `queue;dur=0.120, compute;dur=1.2, total;dur=1.3` */
function stagesOf(header: string): TimedResponse["stages"] {
  const stages = Array.from(
    header.matchAll(/([\w.-]+);dur=([\d.]+)/g),
    ([, stage, ms]) => [stage!, Number(ms)] as const,
  );
  return stages.filter(([stage]) => stage !== "total");
}
