import { ClientError, responseError } from "./client-error.ts";
import type { Endpoint } from "./endpoint-pool.ts";

/** `fetch`, as browsers and Node have it. */
export type Fetch = typeof globalThis.fetch;

/** One HTTP request, the same for every endpoint. */
export interface HttpRequest {
  readonly method: "GET" | "POST";
  /** From `/` on. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: RequestInit["body"];
}

/** What came back with status 200. */
export interface HttpResponse {
  readonly headers: Headers;
  readonly bytes: Uint8Array;
  readonly endpoint: string;
}

/**
 * Asks one endpoint once. Throws ClientError for any status but 2xx and when no response comes (`unavailable`), and the signal's reason when it
 * is aborted.
 */
export async function askEndpoint(
  endpoint: Endpoint,
  request: HttpRequest,
  { fetch, signal }: { readonly fetch: Fetch; readonly signal: AbortSignal },
): Promise<HttpResponse> {
  const { method, path, headers, body } = request;
  endpoint.inFlight += 1;
  try {
    const init = { method, headers, signal, ...(body !== undefined && { body }) };
    const response = await fetch(`${endpoint.url}${path}`, init);
    const bytes = new Uint8Array(await response.arrayBuffer());
    if (response.ok) return { headers: response.headers, bytes, endpoint: endpoint.url };
    throw responseError(response, new TextDecoder().decode(bytes), endpoint.url);
  } catch (error) {
    if (error instanceof ClientError) throw error;
    signal.throwIfAborted();
    throw new ClientError("unavailable", `${endpoint.url} did not answer: ${causeOf(error)}`, {
      cause: error,
      trace: { endpoint: endpoint.url },
    });
  } finally {
    endpoint.inFlight -= 1;
  }
}

/** What Node's `fetch` says stands in its cause; browsers say nothing. */
function causeOf(error: unknown): string {
  const { cause, message } = error as Error;
  if (cause instanceof AggregateError) return String((cause as { readonly code?: string }).code ?? message);
  return cause instanceof Error ? cause.message : message;
}
