import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { ServeError } from "../base/errors.ts";
import { faultCode, faultWords } from "../base/file-fault.ts";
import type { Logger } from "../base/logger.ts";
import { openBelow } from "../base/open-below.ts";
import { readAtMost } from "../base/read-at-most.ts";
import { writeWhole } from "../base/write-whole.ts";
import type { ModelCandidate } from "../models/model-candidate.ts";
import type { HeldBack, TrialMemory, TrialRecord } from "../models/trial-record.ts";
import { emptyTrialRecord } from "../models/trial-record.ts";
import { decodeRollouts, encodeRollouts, type StoredHeldBack } from "./rollout-state-text.ts";

const FILE_NAME = "rollouts.json";
const MOST_BYTES = 16 * 1024 * 1024;
/** Little enough that nobody waits for the digest of a piece. */
const PIECE_BYTES = 1 << 18;

/** What is known of rollouts, kept in a file. Its creator closes it. */
export interface RolloutFile extends TrialMemory {
  /**
   * Takes note of what lies on the disk, before the registry does: files under other names, or copied anew, that hold what did not pass are held back as
   * well. Never rejects.
   */
  recognize(candidates: readonly ModelCandidate[]): Promise<void>;
  /** Resolves when everything is written. */
  close(): Promise<void>;
}

/**
 * Opens the file in a folder, which is made where there is none. Rejects with `failed_precondition`/`unreadable_path` when it cannot be read, written or
 * understood: what was rolled back must not serve for that.
 */
export async function openRolloutFile(folder: string, logger: Logger): Promise<RolloutFile> {
  const path = join(folder, FILE_NAME);
  const file = new KeptRollouts(path, await readStored(folder, path), logger);
  try {
    await file.write();
  } catch (error) {
    throw unusable(path, faultWords(error), error);
  }
  return file;
}

async function readStored(folder: string, path: string): Promise<ReturnType<typeof decodeRollouts>> {
  let bytes: Buffer | undefined;
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    bytes = await readAtMost(path, MOST_BYTES);
  } catch (error) {
    if (faultCode(error) === "ENOENT") return new Map();
    throw unusable(path, faultWords(error), error);
  }
  try {
    if (bytes === undefined) throw new TypeError("it is too large");
    return decodeRollouts(bytes.toString("utf8"));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw unusable(path, `${why}; delete it to begin without what it says of earlier rollouts`, error);
  }
}

class KeptRollouts implements RolloutFile {
  readonly isKept = true;
  readonly #path: string;
  readonly #logger: Logger;
  readonly #records = new Map<string, TrialRecord>();
  /** SHA-256 of what is held back, by model, version and fingerprint; "": it cannot be told. */
  readonly #digests = new Map<string, string>();
  /** What the last look found. */
  #candidates: readonly ModelCandidate[] = [];
  #written = "";
  #isDirty = false;
  #writing: Promise<void> = Promise.resolve();

  constructor(path: string, stored: ReturnType<typeof decodeRollouts>, logger: Logger) {
    this.#path = path;
    this.#logger = logger;
    for (const [model, { heldBack, ...record }] of stored) {
      this.#records.set(model, { ...record, heldBack: new Map(heldBack) });
      for (const [version, held] of heldBack)
        if (held.sha256 !== undefined) this.#digests.set(keyOf(model, version, held), held.sha256);
    }
  }

  recordOf(model: string): TrialRecord {
    const known = this.#records.get(model);
    if (known !== undefined) return known;
    const record = emptyTrialRecord();
    this.#records.set(model, record);
    return record;
  }

  changed(): void {
    if (this.#isDirty) return;
    this.#isDirty = true;
    this.#writing = this.#writing.then(async () => {
      // What changes in one turn is written once.
      await new Promise(setImmediate);
      this.#isDirty = false;
      try {
        await this.write();
        await this.recognize(this.#candidates);
        await this.write();
      } catch (error) {
        this.#logger.error({ err: error }, "what became of rollouts cannot be kept in --state-dir");
      }
    });
  }

  async write(): Promise<void> {
    const text = encodeRollouts(this.#records, (model, version, held) =>
      this.#digests.get(keyOf(model, version, held)),
    );
    if (text === this.#written) return;
    await writeWhole(this.#path, text);
    this.#written = text;
  }

  async recognize(candidates: readonly ModelCandidate[]): Promise<void> {
    this.#candidates = candidates;
    for (const candidate of candidates) {
      const { name, version, fingerprint, problem } = candidate;
      const { heldBack } = this.#records.get(name) ?? {};
      const held = heldBack?.get(version);
      if (heldBack === undefined || held === undefined || problem !== undefined) continue;
      const before = this.#digests.get(keyOf(name, version, held));
      const isSame = held.fingerprint === fingerprint;
      // Without a digest of what was held back, other files may be anything.
      if (isSame ? before !== undefined : before === undefined || before === "") continue;
      const digest = await contentDigest(candidate);
      if (!isSame && digest !== before) continue;
      const recognized = { ...held, fingerprint };
      heldBack.set(version, recognized);
      this.#digests.set(keyOf(name, version, recognized), digest);
      this.changed();
    }
  }

  close(): Promise<void> {
    return this.#writing;
  }
}

function keyOf(model: string, version: string, { fingerprint }: HeldBack | StoredHeldBack): string {
  return `${model}\n${version}\n${fingerprint}`;
}

/** Of the model's own file, its code and its settings; "": one of them cannot be read. */
async function contentDigest(candidate: ModelCandidate): Promise<string> {
  const { file, codeFile, configFile, foreignFile, root } = candidate;
  const hash = createHash("sha256");
  try {
    for (const path of new Set([file, codeFile, configFile, foreignFile])) {
      if (path === undefined || path === "") continue;
      const pieces = createReadStream("", {
        fd: openBelow(root, path).fd,
        start: 0,
        highWaterMark: PIECE_BYTES,
      });
      const own = createHash("sha256");
      for await (const piece of pieces as AsyncIterable<Buffer>) own.update(piece);
      hash.update(own.digest());
    }
    return hash.digest("hex");
  } catch {
    return "";
  }
}

function unusable(path: string, why: string, cause: unknown): ServeError {
  return new ServeError("failed_precondition", `--state-dir: ${path}: ${why}`, {
    reason: "unreadable_path",
    cause,
  });
}
