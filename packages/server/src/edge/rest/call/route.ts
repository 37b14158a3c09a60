import type { Need } from "../../../gate/caller.ts";
import type { RestCall } from "./rest-call.ts";

export type RouteParams = Readonly<Record<string, string | undefined>>;

/** What a REST edge answers under some URLs (`:name` stands for any one segment). Whatever `run` throws or rejects with becomes the error response. */
export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "DELETE" | "OPTIONS";
  readonly urls: readonly string[];
  /** Where the server knows its callers: what they need for this. Default: `infer`. */
  readonly needs?: Need;
  /** The model and version of whose URL this is an inference, which an edge process answers where it knows the model. Undefined: it is none. */
  asks?(params: RouteParams): { readonly model: string | undefined; readonly version: string | undefined };
  /** Its response comes in pieces, which the fast lane does not send. Default: false. */
  readonly isInPieces?: boolean;
  /** Where the server knows its callers: says to somebody who may not come in what they are told, instead of `run`. Default: in this server's own words. */
  refuse?(call: RestCall, error: unknown): void;
  run(call: RestCall, params: RouteParams): void | Promise<void>;
}
