import type { RestCall } from "./rest-call.ts";

export type RouteParams = Readonly<Record<string, string | undefined>>;

/** What a REST edge answers under some URLs (`:name` stands for any one segment). Whatever `run` throws or rejects with becomes the error response. */
export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "DELETE" | "OPTIONS";
  readonly urls: readonly string[];
  /** Its response comes in pieces, which the fast lane does not send. Default: false. */
  readonly isInPieces?: boolean;
  run(call: RestCall, params: RouteParams): void | Promise<void>;
}
