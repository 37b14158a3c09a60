import { ServeError } from "../base/errors.ts";
import { faultCode, faultWords } from "../base/file-fault.ts";
import { writeWhole } from "../base/write-whole.ts";
import type { ApiKeys } from "../gate/api-keys.ts";
import {
  holdsApiKey,
  makeTokens,
  parseTokens,
  TOKEN_KINDS,
  type TokenFile,
  type TokenKind,
  tokenKeys,
  tokensText,
} from "../gate/torchserve-tokens.ts";
import { readAccessFile } from "./read-access-file.ts";

const MOST_BYTES = 64 * 1024;

/** TorchServe's tokens, in a file that clients' scripts read. */
export interface OpenTokens {
  keys(): ApiKeys;
  /** Reads the file again. Rejects as `openTokens` does; the tokens before stay then. */
  reload(): Promise<void>;
  /** A new token of a kind, for whoever holds the API key. Resolves with whether it was right. */
  renew(authorization: string | undefined, kind: TokenKind): Promise<boolean>;
}

/**
 * Reads the tokens in a file. Where there is none it is made, and what has expired is made anew. Rejects with `invalid_argument`/`bad_key_file` for what is no such file,
 * and `failed_precondition`/`unreadable_path`.
 */
export async function openTokens(path: string, expirationMs: number): Promise<OpenTokens> {
  const makers = () => ({ nowMs: Date.now(), expirationMs });
  let file = await read(path);
  const old = TOKEN_KINDS.filter((kind) => file === undefined || file[kind].expiresAtMs <= Date.now());
  if (old.length > 0) {
    file = makeTokens(file, old, makers());
    await write(path, file);
  }
  let current: TokenFile = file!; // made if it was not there
  let writing: Promise<unknown> = Promise.resolve();
  return {
    keys: () => tokenKeys(current),
    async reload() {
      current = (await read(path)) ?? current;
    },
    async renew(authorization, kind) {
      if (!holdsApiKey(current, authorization)) return false;
      const renewing = writing.then(async () => {
        const next = makeTokens(current, [kind], makers());
        await write(path, next);
        current = next;
      });
      writing = renewing.catch(() => {});
      await renewing;
      return true;
    },
  };
}

async function read(path: string): Promise<TokenFile | undefined> {
  let bytes: Buffer | undefined;
  try {
    bytes = await readAccessFile(path, MOST_BYTES);
  } catch (cause) {
    if (cause instanceof ServeError) throw cause;
    if (faultCode(cause) === "ENOENT") return undefined;
    throw unusable(path, cause);
  }
  if (bytes === undefined)
    throw new ServeError("invalid_argument", `${path} is larger than 64 KiB`, { reason: "bad_key_file" });
  return parseTokens(bytes.toString("utf8"));
}

/** Readable by the owner alone, as TorchServe writes it. */
async function write(path: string, file: TokenFile): Promise<void> {
  try {
    await writeWhole(path, tokensText(file));
  } catch (cause) {
    throw unusable(path, cause);
  }
}

function unusable(path: string, cause: unknown): ServeError {
  return new ServeError("failed_precondition", `--torchserve-tokens: ${path}: ${faultWords(cause)}`, {
    reason: "unreadable_path",
    cause,
  });
}
