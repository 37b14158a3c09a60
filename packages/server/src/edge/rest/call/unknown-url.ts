import { nearestWord } from "../../../base/nearest-word.ts";

/** What other servers call things, and where they are here. `*` is a model. */
const ELSEWHERE: ReadonlyArray<readonly [pattern: RegExp, here: string]> = [
  // TorchServe, TensorFlow Serving and KServe's first protocol, SageMaker and Vertex, and plain habits.
  [/^\/predictions\/([^/:]+)(?:\/[^/]+)?$/, "POST /predict/*"],
  [/^\/v1\/models\/([^/:]+)(?:\/versions\/[^/:]+)?:(?:predict|classify|regress)$/, "POST /predict/*"],
  [/^\/v2\/models\/([^/:]+)\/predict$/, "POST /v2/models/*/infer"],
  [/^\/models\/([^/:]+)\/(?:predict|infer)$/, "POST /predict/*"],
  [/^\/(?:invocations|infer|inference|predictions|api\/predict|v1\/predict|v2\/infer)\/?$/, "POST /predict"],
  [/^\/(?:health|ready|live|status)\/?$/, "GET /v2/health/ready"],
  [/^\/models\/?$/, "GET /v2/models"],
  [/^\/(?:v1\/)?models\/([^/:]+)\/?$/, "GET /v2/models/*"],
];
/** Longer ones are no slip of a hand. */
const MAX_PATH = 256;
const MAX_SEGMENTS = 8;

/** A method and a URL with `:name` for any one segment. */
export interface KnownUrl {
  readonly method: string;
  readonly url: string;
}

/** Where a client that asked for an unknown path probably wanted to go: `POST /predict/digits`. Undefined: nobody knows. */
export function likelyUrl(
  { method: asked, path }: { readonly method: string; readonly path: string },
  known: readonly KnownUrl[],
): string | undefined {
  if (path.length > MAX_PATH) return undefined;
  for (const [pattern, here] of ELSEWHERE) {
    const found = pattern.exec(path);
    if (found !== null) return here.replace("*", () => found[1] ?? "*");
  }
  const segments = path.split("/");
  if (segments.length > MAX_SEGMENTS) return undefined;
  const spelled = new Map<string, string>();
  for (const { method, url } of known) {
    const filled = fill(url, segments);
    if (filled !== undefined && (method === asked || !spelled.has(filled))) spelled.set(filled, method);
  }
  const nearest = nearestWord(path, spelled.keys());
  return nearest === undefined ? undefined : `${spelled.get(nearest)} ${nearest}`;
}

/** A known URL with the path's own segments where it takes any. */
function fill(url: string, segments: readonly string[]): string | undefined {
  const own = url.split("/");
  if (own.length !== segments.length && own.length + 1 !== segments.length) return undefined;
  return own.map((segment, i) => (segment.startsWith(":") ? segments[i] : segment)).join("/");
}
