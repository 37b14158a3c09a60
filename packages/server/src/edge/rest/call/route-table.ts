import { ServeError } from "../../../base/errors.ts";
import type { Route, RouteParams } from "./route.ts";
import { type KnownUrl, likelyUrl } from "./unknown-url.ts";

/** A route, and what the URL says in the places of its variables. */
export interface FoundRoute {
  readonly route: Route;
  readonly params: RouteParams;
}

export type RouteMatch =
  | FoundRoute
  /** There is no such route. `allow`: the methods that this URL has, when only the method is wrong. */
  | { readonly route: undefined; readonly error: ServeError; readonly allow: string | undefined };

export interface RouteTable {
  /** `target`: as in the request line. A GET route answers HEAD as well. */
  find(method: string, target: string): RouteMatch;
}

/** What the URLs that share a beginning have in common. */
interface Branch {
  readonly fixed: Map<string, Branch>;
  /** Where any other segment leads. */
  variable: Branch | undefined;
  /** By method; empty where no URL ends. */
  readonly routes: Map<string, Route>;
  /** Names of the variable segments on the way here. */
  readonly names: readonly string[];
}

const BAD_URL: RouteMatch = {
  route: undefined,
  error: new ServeError("invalid_argument", "the URL is not valid: check its percent-encoding", {
    reason: "bad_url",
  }),
  allow: undefined,
};

/** The methods that routes have. */
export const METHODS = "GET, HEAD, POST, PUT";
/** Methods that ask for something else than what a URL names. */
const NEVER_TAKEN: ReadonlySet<string> = new Set(["TRACE", "CONNECT"]);

/**
 * Finds routes by the segments of their URLs; `:name` stands for any one segment. A segment written out wins over a variable one.
 * Slashes at the end count, letters keep their case, and percent-encoded segments are decoded before they are compared.
 */
export function createRouteTable(routes: readonly Route[]): RouteTable {
  const root = newBranch([]);
  for (const route of routes) for (const url of route.urls) addRoute(root, route, url);
  const known = routes.flatMap(({ method, urls }) => urls.map((url) => ({ method, url })));
  return {
    find(method, target) {
      const path = pathOf(target);
      let segments = path.split("/");
      if (path.includes("%")) {
        try {
          segments = segments.map(decodeURIComponent);
        } catch {
          return BAD_URL;
        }
      }
      const values: string[] = [];
      const branch = descend(root, segments, values);
      if (branch === undefined) {
        if (!NEVER_TAKEN.has(method))
          return { route: undefined, error: noSuchUrl({ method, path }, known), allow: undefined };
        return { route: undefined, error: noSuchMethod(method), allow: METHODS };
      }
      const route = branch.routes.get(method);
      return route === undefined ? wrongMethod(branch) : { route, params: paramsOf(branch.names, values) };
    },
  };
}

function newBranch(names: readonly string[]): Branch {
  return { fixed: new Map(), variable: undefined, routes: new Map(), names };
}

function addRoute(root: Branch, route: Route, url: string): void {
  let branch = root;
  for (const segment of url.split("/")) {
    if (segment.startsWith(":")) {
      branch.variable ??= newBranch([...branch.names, segment.slice(1)]);
      branch = branch.variable;
    } else {
      const next = branch.fixed.get(segment) ?? newBranch(branch.names);
      branch.fixed.set(segment, next);
      branch = next;
    }
  }
  branch.routes.set(route.method, route);
  if (route.method === "GET") branch.routes.set("HEAD", route);
}

/** Where the segments lead; puts the variable ones into `values`. */
function descend(branch: Branch, segments: readonly string[], values: string[], at = 0): Branch | undefined {
  if (at === segments.length) return branch.routes.size === 0 ? undefined : branch;
  const segment = segments[at]!;
  const fixed = branch.fixed.get(segment);
  const found = fixed && descend(fixed, segments, values, at + 1);
  if (found !== undefined || branch.variable === undefined) return found;
  values.push(segment);
  const other = descend(branch.variable, segments, values, at + 1);
  if (other === undefined) values.pop();
  return other;
}

/** Without the query; without scheme and host, which a client may send (RFC 9112 §3.2.2). */
function pathOf(target: string): string {
  const end = target.search(/[?#]/);
  const path = end < 0 ? target : target.slice(0, end);
  if (path.startsWith("/")) return path;
  const [, absolute] = /^https?:\/\/[^/]*(.*)$/i.exec(path) ?? [];
  return absolute === undefined ? path : absolute || "/";
}

function paramsOf(names: readonly string[], values: readonly string[]): RouteParams {
  const params: Record<string, string> = {};
  for (let i = 0; i < names.length; i++) params[names[i]!] = values[i]!;
  return params;
}

function noSuchUrl(
  asked: { readonly method: string; readonly path: string },
  known: readonly KnownUrl[],
): ServeError {
  const likely = likelyUrl(asked, known);
  const help =
    likely === undefined
      ? "POST /predict/{model} predicts, GET /v2/models lists the models"
      : `did you mean ${likely}? GET /v2/models lists the models`;
  return new ServeError("not_found", `there is nothing under this URL; ${help}`, { reason: "no_such_url" });
}

export function noSuchMethod(method: string): ServeError {
  return new ServeError("invalid_argument", `this server knows no ${method}; it takes ${METHODS}`, {
    reason: "method_not_allowed",
  });
}

function wrongMethod({ routes }: Branch): RouteMatch {
  const allow = [...routes.keys()].join(", ");
  return {
    route: undefined,
    error: new ServeError("invalid_argument", `this URL takes ${allow} only`, {
      reason: "method_not_allowed",
    }),
    allow,
  };
}
