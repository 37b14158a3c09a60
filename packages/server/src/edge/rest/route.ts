import type { Exchange } from "./exchange.ts";

export type RouteParams = Readonly<Record<string, string | undefined>>;

/** What a REST edge answers under some URLs (`:name` stands for any one segment). Whatever `run` throws or rejects with becomes the error answer. */
export interface Route {
  readonly method: "GET" | "POST";
  readonly urls: readonly string[];
  run(exchange: Exchange, params: RouteParams): void | Promise<void>;
}
