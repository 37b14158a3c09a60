import { type FileHandle, open } from "node:fs/promises";
import { ServeError } from "../../../base/errors.ts";
import { faultCode, faultWords } from "../../../base/file-fault.ts";
import type { Logger } from "../../../base/logger.ts";

/** Keeps requests as they came. */
export interface RequestRecorder {
  /** `body` may change afterwards. Never throws. */
  record(request: RecordedRequest): void;
  /** Resolves when everything is written. */
  close(): Promise<void>;
}

interface RecordedRequest {
  readonly url: string | undefined;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Uint8Array;
}

interface RecorderOptions {
  readonly maxBytes: number;
  readonly logger: Logger;
}

/** What says how a body is to be read. Others may hold secrets. */
const KEPT_HEADERS = ["content-type", "content-encoding", "inference-header-content-length"] as const;
/** Of what the disk has not taken yet; requests that come meanwhile are left out. */
const MOST_WAITING_BYTES = 16 * 2 ** 20;

/**
 * Writes one line of JSON for each request into a new file, until that has so many bytes: `{"path", "headers", "base64"}`, which
 * `sconce bench --requests` sends again. Rejects with `failed_precondition`/`unreadable_path` where there can be no such file; when the disk takes no more, the
 * recording ends, and nothing else.
 */
export async function recordRequests(path: string, options: RecorderOptions): Promise<RequestRecorder> {
  return recordInto(await openNew(path), options);
}

/** Writes into a file that it closes. */
export function recordInto(handle: FileHandle, { maxBytes, logger }: RecorderOptions): RequestRecorder {
  const file = handle.createWriteStream();
  let written = 0;
  let isOver = false;
  let left = 0;
  const end = (): Promise<void> =>
    new Promise((resolve) => {
      isOver = true;
      if (file.destroyed) resolve();
      else file.end(() => resolve());
    });
  file.on("error", ({ message }) => {
    if (!isOver)
      logger.error({ why: message }, "requests are not recorded any more; they are served all the same");
    isOver = true;
    file.destroy();
  });
  return {
    record({ url = "", headers, body }) {
      if (isOver) return;
      if (file.writableLength > MOST_WAITING_BYTES) {
        left += 1;
        return;
      }
      const line = `${JSON.stringify({ path: pathOf(url), headers: keptOf(headers), base64: Buffer.from(body).toString("base64") })}\n`;
      if (written + line.length > maxBytes) {
        logger.warn(
          { bytes: written, leftOut: left },
          "--record-limit is reached: requests are not recorded any more",
        );
        void end();
        return;
      }
      written += line.length;
      file.write(line);
    },
    close: end,
  };
}

/** Bodies are people's data: whoever runs the server reads them, and nobody else. What is there already is not overwritten. */
async function openNew(path: string): Promise<FileHandle> {
  try {
    return await open(path, "wx", 0o600);
  } catch (cause) {
    const words = faultCode(cause) === "EEXIST" ? "it is there already; name a new file" : faultWords(cause);
    throw new ServeError("failed_precondition", `--record ${path}: ${words}`, {
      reason: "unreadable_path",
      cause,
    });
  }
}

/** Queries may hold keys. */
function pathOf(url: string): string {
  const at = url.search(/[?#]/);
  return at < 0 ? url : url.slice(0, at);
}

function keptOf(headers: RecordedRequest["headers"]): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of KEPT_HEADERS) {
    const value = headers[name];
    if (typeof value === "string") kept[name] = value;
  }
  return kept;
}
