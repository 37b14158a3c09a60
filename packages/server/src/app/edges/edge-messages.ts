import type { CollectedCounts } from "../../base/collected-counts.ts";
import type { ErrorCode } from "../../base/errors.ts";
import type { Config } from "../../config/load-config.ts";

/** What the server process tells an edge process over their channel. */
export type ToEdge =
  /** The first one. */
  | { readonly kind: "start"; readonly config: Config; readonly place: number; readonly processes: number }
  /** Comes with a socket: a connection that is its own from now on. */
  | { readonly kind: "connection"; readonly id: number }
  | { readonly kind: "logLevel"; readonly level: string }
  /** Reads certificates and keys again. `ask`, here and below: by which the reply is known, not 0. */
  | { readonly kind: "reload"; readonly ask: number }
  | { readonly kind: "count"; readonly ask: number }
  | { readonly kind: "reclaim"; readonly bytes: number }
  /** Not ready any more: responses say that their connection closes. */
  | { readonly kind: "leave" }
  /** No more connections come: finishes what is there. */
  | { readonly kind: "drain" };

export type LogLevel = "debug" | "info" | "warn" | "error";

/** What an edge process tells the server process. */
export type FromEdge =
  | { readonly kind: "ready" }
  | { readonly kind: "failed"; readonly code: ErrorCode; readonly reason: string; readonly message: string }
  /** It has this connection, and has read nothing of it yet. */
  | { readonly kind: "taken"; readonly id: number }
  /** These connections are closed. */
  | { readonly kind: "closed"; readonly ids: readonly number[] }
  | { readonly kind: "log"; readonly level: LogLevel; readonly fields: object; readonly message: string }
  /** What could not be read again stays as it was; the log says so. */
  | { readonly kind: "reloaded"; readonly ask: number }
  /** What it has counted since it told last. `ask`: that it was asked with; 0: nobody did. */
  | {
      readonly kind: "counted";
      readonly ask: number;
      readonly counts: CollectedCounts;
      readonly cpuS: number;
      readonly residentBytes: number;
    }
  | { readonly kind: "reclaim"; readonly bytes: number }
  /** Connections are asked to leave now; it ends when the last one has. */
  | { readonly kind: "closing" };
