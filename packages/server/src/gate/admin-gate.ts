import { createHash, timingSafeEqual } from "node:crypto";
import { ServeError } from "../base/errors.ts";
import { checkScope } from "./authenticator.ts";
import type { Caller } from "./caller.ts";

export interface AdminGateOptions {
  /** Whether this server does on request what the gate is before. */
  readonly isOn: boolean;
  /** What is said where it does not. Default: that it does not load and unload. */
  readonly whenOff?: string;
  /** Undefined: nobody may. */
  readonly token: string | undefined;
}

/** What a request says of who sends it. */
export interface Credentials {
  readonly authorization: string | undefined;
  /** Undefined: this server knows no callers. */
  readonly caller: Caller | undefined;
}

/** Who may load and unload models. */
export interface AdminGate {
  /**
   * Lets a caller with the scope `admin` pass or, where there are no callers, an `Authorization` header (`Bearer <token>`), and returns who it is. Throws
   * `failed_precondition`/`model_control_off`, `unauthenticated`/`missing_token`, `permission_denied`/`wrong_token` or `missing_scope`. How long it
   * takes tells nothing about the token.
   */
  admit(credentials: Credentials): string;
}

const BEARER = /^Bearer +([!-~]{1,4096})$/i;

export function createAdminGate({ isOn, token, whenOff = NO_CONTROL }: AdminGateOptions): AdminGate {
  const expected = token === undefined || token === "" ? undefined : digest(token);
  return {
    admit({ authorization, caller }) {
      if (!isOn) throw new ServeError("failed_precondition", whenOff, { reason: "model_control_off" });
      if (caller !== undefined) {
        checkScope(caller, "admin");
        return caller.name;
      }
      const given = authorization === undefined ? undefined : BEARER.exec(authorization)?.[1];
      if (given === undefined) {
        throw new ServeError(
          "unauthenticated",
          "this needs the administrator's token: send the header Authorization: Bearer <token>",
          { reason: "missing_token" },
        );
      }
      if (expected !== undefined && timingSafeEqual(digest(given), expected)) return "the administrator";
      throw new ServeError("permission_denied", "this is not the administrator's token", {
        reason: "wrong_token",
      });
    },
  };
}

/** Digests have one length, which the comparison needs, and hide the token's. */
function digest(token: string): Buffer {
  return createHash("sha256").update(token, "utf8").digest();
}

const NO_CONTROL =
  "models are not loaded and unloaded on request here: start the server with --model-control explicit";
