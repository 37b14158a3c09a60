import type { Clock } from "../../base/clock.ts";
import type { NamedTensor } from "../../base/tensor.ts";
import type { CachedResponse, ResponseCache } from "./response-cache.ts";

export interface MemoryCacheOptions {
  readonly clock: Clock;
  /** Least recently used answers make room past this. An answer that is larger alone is not kept. */
  readonly maxBytes: number;
  /** How long an answer may be repeated. */
  readonly ttlMs: number;
}

/** What an entry costs beside its tensors: key, map slot, objects. */
const ENTRY_BYTES = 512;

interface Entry {
  readonly answer: CachedResponse;
  readonly bytes: number;
  readonly expiresMs: number;
}

/** Answers in this process, bounded by bytes. */
export interface MemoryCache extends ResponseCache {
  get(key: string): CachedResponse | undefined;
  /** `ttlMs`: of one that has been kept elsewhere before; default: the cache's own. */
  set(key: string, answer: CachedResponse, ttlMs?: number): void;
  readonly size: number;
  readonly bytes: number;
}

export function createMemoryCache(options: MemoryCacheOptions): MemoryCache {
  return new LruCache(options);
}

class LruCache implements MemoryCache {
  readonly #options: MemoryCacheOptions;
  /** In order of last use, oldest first. */
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  constructor(options: MemoryCacheOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): CachedResponse | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    if (this.#options.clock.nowMs() >= entry.expiresMs) {
      this.#bytes -= entry.bytes;
      return undefined;
    }
    this.#entries.set(key, entry);
    return entry.answer;
  }

  set(key: string, { outputs, parameters }: CachedResponse, ttlMs: number = this.#options.ttlMs): void {
    const bytes = outputs.reduce((sum, output) => sum + output.bytes.length, ENTRY_BYTES);
    this.#drop(key);
    if (bytes > this.#options.maxBytes) return;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes + bytes <= this.#options.maxBytes) break;
      this.#drop(oldest);
    }
    const expiresMs = this.#options.clock.nowMs() + ttlMs;
    this.#entries.set(key, { answer: { outputs: outputs.map(ownBytes), parameters }, bytes, expiresMs });
    this.#bytes += bytes;
  }

  #drop(key: string): void {
    this.#bytes -= this.#entries.get(key)?.bytes ?? 0;
    this.#entries.delete(key);
  }
}

/** A copy: an answer is a view on the block of its whole batch, and would keep all of it alive. */
function ownBytes({ name, datatype, shape, bytes }: NamedTensor): NamedTensor {
  return { name, datatype, shape, bytes: bytes.slice() };
}
