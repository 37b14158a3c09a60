import type { CancelSignal } from "../base/call-signal.ts";
import { ServeError } from "../base/errors.ts";
import { DrainingHandles } from "./draining-handles.ts";
import { untilAborted } from "./load-limit.ts";
import type { VersionStatus } from "./managed-registry.ts";
import type { ModelCandidate } from "./model-candidate.ts";
import type { IndexEntry } from "./registry.ts";
import type { ServedModelHandle } from "./served-model-handle.ts";
import {
  type Attempt,
  type FailedLoad,
  indexEntry,
  keptNote,
  NOT_LOADED,
  restingState,
  type VersionContext,
  type VersionState,
} from "./version-state.ts";

/**
 * One version of a model: what lies on disk, and what is in memory. All transitions are here; nothing here decides when.
 * A new instance replaces the old one in one assignment, and only then does the old one drain.
 */
export class ModelVersion {
  readonly name: string;
  readonly version: string;
  /** As the last readable scan saw it. */
  candidate: ModelCandidate;
  /** A scan did not find it any more; it lives on while it serves. */
  gone = false;
  /** Requests on their way to a just loaded instance; it must not be evicted under them. */
  pins = 0;
  /** Order of last use: the least recently used is evicted first. */
  usedAt = 0;
  readonly #context: VersionContext;
  readonly #draining: DrainingHandles;
  #unsubscribe: () => void = () => {};
  /** Requests in `waitForLoad`. */
  #waiting = 0;
  #state: VersionState;

  constructor(candidate: ModelCandidate, context: VersionContext) {
    this.name = candidate.name;
    this.version = candidate.version;
    this.candidate = candidate;
    this.#context = context;
    const { clock, logger, drainTimeoutMs } = context;
    this.#draining = new DrainingHandles({
      model: candidate.name,
      version: candidate.version,
      drainTimeoutMs,
      onReleased: (handle) => context.onReleased(handle),
      clock,
      logger,
    });
    this.#state = restingState(candidate, clock.nowMs());
  }

  get state(): VersionState {
    return this.#state;
  }

  /** The instance that answers requests now, if any. */
  get serving(): ServedModelHandle | undefined {
    return this.#state.kind === "ready" ? this.#state.handle : undefined;
  }

  /** It answers requests. */
  get well(): boolean {
    return this.#state.kind === "ready" && this.#state.handle.failure() === undefined;
  }

  /** The load under way, if any. */
  get pending(): Promise<void> | undefined {
    if (this.#state.kind === "loading") return this.#state.attempt.done;
    return this.#state.kind === "ready" ? this.#state.successor?.done : undefined;
  }

  /** Nothing of it is in memory or on its way there. */
  get idle(): boolean {
    return (this.#state.kind === "unloaded" || this.#state.kind === "failed") && this.#draining.isEmpty;
  }

  get status(): VersionStatus {
    const { name, version } = this;
    const state = this.#state;
    const handle = state.kind === "ready" || state.kind === "draining" ? state.handle : undefined;
    const hasFailed = state.kind === "ready" && state.handle.failure() !== undefined;
    return { name, version, state: hasFailed ? "failed" : state.kind, handle };
  }

  get indexEntry(): IndexEntry {
    return indexEntry(this.name, this.version, this.#state);
  }

  /** Takes over what a scan found. What serves goes on serving; why the disk's content does not, becomes its note. */
  observe(candidate: ModelCandidate): void {
    this.gone = false;
    const state = this.#state;
    if (candidate.problem !== undefined) {
      this.#observeProblem(candidate, candidate.problem);
      return;
    }
    this.candidate = candidate;
    if (
      state.kind === "ready" &&
      state.note !== candidate.remark &&
      state.fingerprint === candidate.fingerprint
    ) {
      this.#set({ ...state, note: candidate.remark });
    }
    if (state.kind === "failed" && state.fingerprint !== candidate.fingerprint) {
      this.#set({ kind: "unloaded", reason: NOT_LOADED });
    }
  }

  /** Whether what lies on disk is what serves. A worker may know better than the scan, which looks at sizes and times. */
  get current(): boolean {
    const { fingerprint } = this.candidate;
    const state = this.#state;
    return (
      state.kind === "ready" && state.fingerprint === fingerprint && !this.gone && !state.handle.isOutdated()
    );
  }

  /** Whether what lies on disk was tried and did not load. */
  get rejected(): boolean {
    return !this.current && this.#failure() !== undefined;
  }

  /** Whether what lies on disk is neither in memory, nor on its way there, nor known to fail for now. */
  get stale(): boolean {
    const { fingerprint, problem } = this.candidate;
    if (problem !== undefined || this.gone) return false;
    const attempt = this.#attempt();
    if (attempt !== undefined) return attempt.candidate.fingerprint !== fingerprint;
    return !this.current && !this.#isHopeless();
  }

  /** The failed load of what lies on disk. */
  #failure(): FailedLoad | undefined {
    const state = this.#state;
    const failed = state.kind === "ready" ? state.rejected : state.kind === "failed" ? state : undefined;
    return failed?.fingerprint === this.candidate.fingerprint ? failed : undefined;
  }

  /** Whether loading what lies on disk failed, and it is not time to try it again. */
  #isHopeless(): boolean {
    const failed = this.#failure();
    if (failed === undefined) return false;
    return !failed.mayPass || this.#context.clock.nowMs() - failed.atMs < this.#context.retryFailedMs;
  }

  /** Starts loading the candidate, or joins the load of it that is under way. The promise never rejects; see `state`. */
  load(): Promise<void> {
    const current = this.#attempt();
    if (current?.candidate.fingerprint === this.candidate.fingerprint) return current.done;
    this.#abort("the model's files changed while they were loaded");
    const attempt = this.#start(this.candidate);
    if (this.#state.kind === "ready") this.#set({ ...this.#state, successor: attempt });
    else this.#set({ kind: "loading", attempt });
    return attempt.done;
  }

  /**
   * Loads on behalf of a request, or joins the load under way; resolves when it ended, however. Rejects when `signal` fires;
   * a load that waits for memory or its turn ends when nobody waits for it any more.
   */
  async waitForLoad(signal: CancelSignal): Promise<void> {
    const done = this.pending ?? this.load();
    this.#waiting += 1;
    try {
      await untilAborted(done, signal);
    } finally {
      this.#waiting -= 1;
      if (this.#waiting === 0 && signal.aborted) this.#abandon();
    }
  }

  /** Stops serving: requests in flight finish, new ones are refused. Resolves when all memory is given back. */
  unload(reason: string): Promise<void> {
    const error = new ServeError("unavailable", `model "${this.name}" is being unloaded`, {
      reason: "unloading",
    });
    const attempt = this.#attempt();
    if (attempt !== undefined) {
      attempt.abort.abort(error);
      this.#draining.wait(attempt.done);
    }
    const state = this.#state;
    if (state.kind === "ready") {
      this.#unsubscribe();
      this.#set({ kind: "draining", handle: state.handle, reason });
      void this.#draining.add(state.handle, () => {
        if (this.#state.kind === "draining" && this.#state.handle === state.handle) {
          this.#set({ kind: "unloaded", reason });
        }
      });
    } else if (state.kind === "loading" || state.kind === "failed") {
      this.#set({ kind: "unloaded", reason });
    }
    return this.#draining.released;
  }

  /** Ends everything now. */
  destroy(reason: string): void {
    this.#attempt()?.abort.abort(new ServeError("unavailable", "the server is stopping"));
    const handle = this.serving;
    if (handle !== undefined) this.#unsubscribe();
    this.#set({ kind: "unloaded", reason });
    handle?.destroy(reason);
    this.#draining.destroy(reason);
  }

  #observeProblem(candidate: ModelCandidate, problem: string): void {
    const state = this.#state;
    if (state.kind === "ready") {
      if (!candidate.unreadable) this.#abort("the model's files changed while they were loaded");
      const successor = candidate.unreadable ? state.successor : undefined;
      this.#set({ ...state, successor, note: keptNote(problem) });
    } else if (!candidate.unreadable) {
      this.candidate = candidate;
      this.#abort("the model's files changed while they were loaded");
      if (state.kind !== "draining") this.#set(restingState(candidate, this.#context.clock.nowMs()));
    }
  }

  /** Ends the load under way; its outcome is nobody's any more once the state moved on. */
  #abort(reason: string): void {
    this.#attempt()?.abort.abort(new ServeError("cancelled", reason));
  }

  /** Takes a load that has not begun out of its queue. */
  #abandon(): void {
    if (this.#state.kind !== "loading" || this.#state.attempt.begun) return;
    const { attempt } = this.#state;
    this.#set({ kind: "unloaded", reason: NOT_LOADED });
    attempt.abort.abort(new ServeError("cancelled", "nobody waits for the model any more"));
  }

  #attempt(): Attempt | undefined {
    if (this.#state.kind === "loading") return this.#state.attempt;
    return this.#state.kind === "ready" ? this.#state.successor : undefined;
  }

  #start(candidate: ModelCandidate): Attempt {
    const abort = new AbortController();
    const finished = this.#context.load(candidate, abort.signal, () => {
      attempt.begun = true;
    });
    const done = finished.then(
      (handle) => this.#onLoaded(attempt, handle),
      (error: unknown) => this.#onLoadFailed(attempt, ServeError.from(error)),
    );
    const attempt: Attempt = { candidate, abort, begun: false, done };
    return attempt;
  }

  async #onLoaded(attempt: Attempt, handle: ServedModelHandle): Promise<void> {
    if (this.#attempt() !== attempt) {
      await this.#draining.add(handle, () => {});
      return;
    }
    const old = this.serving;
    this.#unsubscribe();
    this.#unsubscribe = this.#watch(handle);
    const { fingerprint, remark: note } = attempt.candidate;
    this.#set({ kind: "ready", handle, fingerprint, rejected: undefined, successor: undefined, note });
    if (old !== undefined) void this.#draining.add(old, () => {});
  }

  #watch(handle: ServedModelHandle): () => void {
    const stopHealth = handle.onHealthChange(() => this.#context.onChange(this.indexEntry));
    const stopIdle = handle.onIdle(() => this.#context.onIdle());
    return () => {
      stopHealth();
      stopIdle();
    };
  }

  #onLoadFailed(attempt: Attempt, error: ServeError): void {
    if (this.#attempt() !== attempt) return;
    const { name, version } = this;
    this.#context.logger.warn({ model: name, version, err: error }, `model failed to load: ${error.message}`);
    const { fingerprint } = attempt.candidate;
    const mayPass = error.code === "unavailable";
    const failed: FailedLoad = { fingerprint, mayPass, atMs: this.#context.clock.nowMs() };
    const state = this.#state;
    if (state.kind === "ready") {
      this.#set({ ...state, rejected: failed, successor: undefined, note: keptNote(error.message) });
      return;
    }
    this.#set({ kind: "failed", reason: error.message, ...failed });
  }

  #set(state: VersionState): void {
    this.#state = state;
    this.#context.onChange(this.indexEntry);
  }
}
