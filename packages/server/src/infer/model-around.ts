import { ServeError } from "../base/errors.ts";
import type { InferRequest, InferResponse } from "../base/infer-request.ts";
import type { ModelDescription } from "../base/model-description.ts";
import type { RequestHead } from "../base/request-head.ts";
import type { ResultReceiver } from "../base/result-receiver.ts";
import type { RunSettings } from "../base/run-settings.ts";
import { InFlight } from "../models/in-flight.ts";
import type { ModelStatistics } from "../models/model-statistics.ts";
import type { ModelWorkers } from "../models/registry.ts";
import type { ModelGauges, ServedModelHandle, StatelessModel } from "../models/served-model-handle.ts";

/**
 * A model around another one: what it does not say itself, the inner one says. It counts the requests that it took, and closes when they are
 * settled. Owns `inner`.
 */
export abstract class ModelAround implements ServedModelHandle {
  readonly name: string;
  readonly version: string;
  readonly memoryBytes: number;
  protected readonly inner: ServedModelHandle;
  /** Requests that this model took, whatever becomes of them in the inner one. */
  protected readonly taken: InFlight = new InFlight();
  readonly #own: Partial<Pick<ServedModelHandle, "description" | "settings">>;
  readonly #holds = new InFlight();
  #closing: Promise<void> | undefined;

  constructor(
    inner: ServedModelHandle,
    own: Partial<Pick<ServedModelHandle, "description" | "settings" | "memoryBytes">> = {},
  ) {
    this.name = inner.name;
    this.version = inner.version;
    this.#own = own;
    this.memoryBytes = own.memoryBytes ?? inner.memoryBytes;
    this.inner = inner;
  }

  /** A pipeline's may change. */
  get description(): ModelDescription {
    return this.#own.description ?? this.inner.description;
  }

  get settings(): RunSettings {
    return this.#own.settings ?? this.inner.settings;
  }

  abstract submit(request: InferRequest, receiver: ResultReceiver<InferResponse>): void;

  rejectEarly(head: RequestHead): ServeError | undefined {
    return this.inner.rejectEarly(head);
  }

  statistics(): ModelStatistics {
    return this.inner.statistics();
  }

  workers(): Promise<ModelWorkers> {
    return this.inner.workers();
  }

  gauges(): Promise<ModelGauges> {
    return this.inner.gauges();
  }

  holdsSequence(request: InferRequest): boolean {
    return this.inner.holdsSequence?.(request) === true;
  }

  get stateless(): StatelessModel | undefined {
    return this.inner.stateless;
  }

  liveSequences(): number {
    return this.inner.liveSequences?.() ?? 0;
  }

  inFlight(): number {
    return this.taken.count;
  }

  failure(): string | undefined {
    return this.inner.failure();
  }

  isOutdated(): boolean {
    return this.inner.isOutdated();
  }

  onHealthChange(listener: () => void): () => void {
    return this.inner.onHealthChange(listener);
  }

  hold(): boolean {
    if (!this.inner.hold()) return false;
    this.#holds.begin();
    this.taken.begin();
    return true;
  }

  release(): void {
    this.inner.release();
    this.#holds.end();
    this.taken.end();
  }

  onIdle(listener: () => void): () => void {
    return this.taken.onIdle(listener);
  }

  close(): Promise<void> {
    this.#closing ??= this.drain();
    return this.#closing;
  }

  destroy(reason: string): void {
    this.inner.destroy(reason);
  }

  /** `onIdle` of a model that counts what its inner one has in flight as well. */
  protected onBothIdle(listener: () => void): () => void {
    const settled = (): void => {
      if (this.inFlight() === 0) listener();
    };
    const stops = [this.inner.onIdle(settled), this.taken.onIdle(settled)];
    return () => {
      for (const stop of stops) stop();
    };
  }

  /** Throws `unavailable` once the model is closing, and nobody holds it. */
  protected requireOpen(): void {
    if (this.#closing !== undefined && this.#holds.count === 0)
      throw new ServeError("unavailable", "the model is being unloaded: try again", { reason: "draining" });
  }

  /** A request that this model took may still ask the inner one, which stays open until all of them are settled. */
  protected async drain(): Promise<void> {
    await this.taken.idle();
    await this.inner.close();
  }
}
