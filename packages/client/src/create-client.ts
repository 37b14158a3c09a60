import { type Datatype, ServeError } from "@sconce/protocol";
import type { HttpRequest, HttpResponse } from "./ask-endpoint.ts";
import { Caller } from "./caller.ts";
import type {
  AnyModels,
  CallOptions,
  Client,
  ClientOptions,
  InferOptions,
  InputValue,
  ModelMetadata,
  ModelTypes,
  StreamOptions,
} from "./client.ts";
import { ClientError } from "./client-error.ts";
import { inferRequest, type ModelName, modelPath } from "./infer-request.ts";
import { type InferResponse, inferResponse } from "./infer-response.ts";
import { openStream, streamMessage } from "./model-stream.ts";
import { nestedTensor } from "./nested-values.ts";
import { predictRequest } from "./predict-request.ts";
import { systemTiming } from "./timing.ts";
import type { TypedTensor } from "./typed-tensor.ts";

const TIMEOUT_MS = 60_000;
const ATTEMPTS = 3;
const RETRY_SHARE = 0.2;

/**
 * A client of one server, or of several with the same models. `Models` are the types that `sconce types` writes. Throws `invalid_argument` for what is no
 * address.
 */
export function createClient<Models extends { [Name in keyof Models]: ModelTypes } = AnyModels>(
  endpoints: string | readonly string[],
  options: ClientOptions = {},
): Client<Models> {
  const urls = [endpoints].flat().map(checkedUrl);
  if (urls.length === 0) throw new ServeError("invalid_argument", "a client needs the address of a server");
  return new RestClient(urls, options) as unknown as Client<Models>;
}

function checkedUrl(endpoint: string): string {
  const parsed = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (parsed?.protocol !== "http:" && parsed?.protocol !== "https:") {
    throw new ServeError(
      "invalid_argument",
      `${JSON.stringify(endpoint)} is no address of a server, such as http://127.0.0.1:8080`,
    );
  }
  return parsed.href.replace(/\/+$/, "");
}

class RestClient implements Client {
  readonly #caller: Caller;
  readonly #options: ClientOptions;
  /** By model and version: what the datatypes of nested lists are taken from. */
  readonly #known = new Map<string, Promise<ModelMetadata>>();

  constructor(urls: readonly string[], options: ClientOptions) {
    this.#options = options;
    this.#caller = new Caller(urls, {
      fetch: options.fetch ?? globalThis.fetch.bind(globalThis),
      timing: options.timing ?? systemTiming,
      attempts: options.attempts ?? ATTEMPTS,
      retryShare: options.retryShare ?? RETRY_SHARE,
      hedgeAfterMs: options.hedgeAfterMs,
    });
  }

  async infer(
    model: string,
    inputs: Readonly<Record<string, InputValue>>,
    options: InferOptions = {},
  ): Promise<InferResponse> {
    const name = { model, version: options.version };
    const tensors = await this.#tensors(name, inputs, options);
    try {
      return inferResponse(await this.#call(inferRequest(name, tensors, options), options));
    } catch (error) {
      // The model may have changed since it was asked what it takes.
      if (error instanceof ClientError && error.status === 400) this.#known.delete(keyOf(name));
      throw error;
    }
  }

  async *stream(
    model: string,
    inputs:
      | AsyncIterable<Readonly<Record<string, InputValue>>>
      | Iterable<Readonly<Record<string, InputValue>>>,
    options: StreamOptions = {},
  ): AsyncGenerator<InferResponse, void, undefined> {
    const name = { model, version: options.version };
    const webSocket = this.#options.webSocket ?? globalThis.WebSocket;
    if (webSocket === undefined) {
      throw new ServeError(
        "unimplemented",
        "there is no WebSocket here, as before Node 22: give createClient the option webSocket, such as that of the package ws",
      );
    }
    const own = options.signal === undefined ? [] : [options.signal];
    const endpoint = this.#caller.endpoint();
    endpoint.inFlight += 1;
    try {
      yield* openStream(inputs, {
        endpoint: endpoint.url,
        path: modelPath(name, "/stream"),
        webSocket,
        signal: AbortSignal.any([this.#caller.closed, ...own]),
        encode: async (each, id) => {
          const tensors = await this.#tensors(name, each, options);
          return streamMessage(inferRequest(name, tensors, { ...options, id }));
        },
      });
    } finally {
      endpoint.inFlight -= 1;
    }
  }

  async predict(model: string, input: unknown, options: CallOptions = {}): Promise<unknown> {
    const answer = await this.#call(predictRequest({ model, version: options.version }, input), options);
    const value = json(answer);
    return typeof value === "object" && value !== null && "prediction" in value ? value.prediction : value;
  }

  async metadata(model: string, options: CallOptions = {}): Promise<ModelMetadata> {
    const path = modelPath({ model, version: options.version }, "");
    return json(await this.#call({ method: "GET", path, headers: {} }, options)) as ModelMetadata;
  }

  async isReady(options: CallOptions = {}): Promise<boolean> {
    try {
      await this.#call(
        { method: "GET", path: "/v2/health/ready", headers: {} },
        { ...options, mayRepeat: false },
      );
      return true;
    } catch (error) {
      if (error instanceof ClientError) return false;
      throw error;
    }
  }

  close(): void {
    this.#caller.close();
  }

  #call(request: HttpRequest, { timeoutMs, signal, mayRepeat = true }: CallOptions): Promise<HttpResponse> {
    const { headers: own = {}, timeoutMs: usualMs = TIMEOUT_MS } = this.#options;
    const mostMs = timeoutMs ?? usualMs;
    const headers = {
      ...(typeof own === "function" ? own() : own),
      ...request.headers,
      "x-request-timeout-ms": String(Math.max(1, Math.ceil(mostMs))),
    };
    return this.#caller.call({ ...request, headers }, { timeoutMs: mostMs, signal, mayRepeat });
  }

  async #tensors(
    name: ModelName,
    inputs: Readonly<Record<string, InputValue>>,
    options: CallOptions,
  ): Promise<ReadonlyMap<string, TypedTensor>> {
    const tensors = new Map<string, TypedTensor>();
    for (const [input, value] of Object.entries(inputs)) {
      if (isTensor(value)) tensors.set(input, value);
      else tensors.set(input, nestedTensor(await this.#datatype(name, input, options), value, input));
    }
    return tensors;
  }

  async #datatype(name: ModelName, input: string, options: CallOptions): Promise<Datatype> {
    const key = keyOf(name);
    const asked = this.#known.get(key) ?? this.metadata(name.model, options);
    this.#known.set(key, asked);
    try {
      const { inputs } = await asked;
      const port = inputs.find(({ name: known }) => known === input);
      if (port !== undefined) return port.datatype;
      const names = inputs.map(({ name: known }) => known).join(", ");
      throw new ServeError("invalid_argument", `${name.model} has no input ${input}; it takes ${names}`);
    } catch (error) {
      this.#known.delete(key);
      throw error;
    }
  }
}

function keyOf({ model, version = "" }: ModelName): string {
  return JSON.stringify([model, version]);
}

function isTensor(value: InputValue): value is TypedTensor {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function json({ bytes, endpoint }: HttpResponse): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new ClientError("data_loss", `${endpoint} sent an answer that is not JSON`, {
      cause,
      trace: { endpoint, status: 200 },
    });
  }
}
