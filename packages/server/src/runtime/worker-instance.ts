import type { Clock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";
import type { Instance, InstanceState } from "../base/instance.ts";
import type { Logger } from "../base/logger.ts";
import type { ReportListener } from "../base/metric-report.ts";
import type { ModelDescription } from "../base/model-description.ts";
import type { RunRequest, RunResult } from "../base/run.ts";
import type { Signature } from "../base/signature.ts";
import { NO_BYTES, NO_CHUNKS } from "../worker/frame-writer.ts";
import { LineLimit } from "../worker/line-limit.ts";
import { Supervisor, type SupervisorState } from "../worker/supervisor.ts";
import type { Call, CallResult, Worker } from "../worker/worker.ts";
import type { FileIdentity } from "./file-identity.ts";
import { loadError, notReady, startError } from "./instance-errors.ts";
import type { LoadCaution } from "./load-caution.ts";
import { residentBytes, watchMemory } from "./memory-watch.ts";
import { decodeMessage, encodeMessage, type LoadedMessage, METHODS } from "./model-messages.ts";
import { pieceReader } from "./pieces.ts";
import type { LoadSpec } from "./runtime.ts";
import { decodeTensors, encodeTensors, tensorFailure } from "./tensor-codec.ts";
import { whenIdle } from "./when-idle.ts";

export interface WorkerInstanceOptions {
  readonly id: string;
  /** Among the instances of its model, from 0 on. */
  readonly index: number;
  readonly spec: LoadSpec;
  /** Shared by all instances of the model. */
  readonly files: FileIdentity;
  /** Shared by all instances of the model. */
  readonly caution: LoadCaution;
  /** What the first instance learned; undefined until then. */
  description(): ModelDescription | undefined;
  acquire(onStart: (worker: Worker) => void): Promise<Worker>;
  /** Makes later starts of the model faster; called when this instance has nothing to do. */
  optimise(): void;
  onProgress(stage: string): void;
  /** Told of the numbers that the model reports. Default: nobody is. */
  readonly onReports?: ReportListener | undefined;
  onStateChange(instance: Instance): void;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
}

const MAX_FAILURES_LOGGED_PER_SECOND = 5;

const READY: InstanceState = { kind: "ready" };

const MIB = 1024 * 1024;

const badOutput = tensorFailure("bad_output", "the model's result");

/** One worker with one model in it, kept alive. */
export class WorkerInstance implements Instance {
  readonly id: string;
  readonly #options: WorkerInstanceOptions;
  readonly #slot: Supervisor;
  readonly #logLimit: LineLimit;
  /** Of runs whose pieces nobody takes. */
  readonly #readReports: Call["onBytes"];
  #description: ModelDescription | undefined;
  #stopMemoryWatch: (() => void) | undefined;
  #stopWarmUp: (() => void) | undefined;
  #stopOptimising: (() => void) | undefined;
  /** A warm-up that ended a worker is not tried on the next one. */
  #isWarmUpSafe = true;

  constructor(options: WorkerInstanceOptions) {
    this.id = options.id;
    this.#options = options;
    this.#logLimit = new LineLimit(options.clock, MAX_FAILURES_LOGGED_PER_SECOND);
    this.#readReports = pieceReader(undefined, options.onReports);
    this.#slot = new Supervisor({
      acquire: options.acquire,
      prepare: (worker) => this.#load(worker),
      isOutdated: (error) => error.reason === "model_file_changed",
      onChange: (state) => this.#onSlotChange(state),
      clock: options.clock,
      random: options.random,
      logger: options.logger,
    });
  }

  get state(): InstanceState {
    const { state } = this.#slot;
    switch (state.kind) {
      case "ready":
        return READY;
      case "starting":
        return { kind: "restarting", attempt: 0, reason: "it is starting" };
      default:
        return state;
    }
  }

  /** Loads the model for the first time; rejects as `Runtime.load` does. */
  async start(): Promise<ModelDescription> {
    try {
      await this.#slot.start();
    } catch (error) {
      throw startError(error);
    }
    return this.#description!;
  }

  run(request: RunRequest): Promise<RunResult> {
    const { state } = this.#slot;
    if (state.kind !== "ready") return Promise.reject(notReady(state));
    const { header, chunks } = encodeTensors(request.inputs, 0);
    const call = {
      method: METHODS.run,
      header,
      chunks,
      timeoutMs: this.#timeoutMs(),
      mayOvertake: this.takesSignal,
      signal: this.takesSignal ? request.signal : undefined,
      onBytes:
        request.onPiece === undefined
          ? this.#readReports
          : pieceReader(request.onPiece, this.#options.onReports),
    };
    return state.worker.call(call).then(this.#onResult).catch(this.#onRunFailed);
  }

  /** Requests leave a run that others are in. */
  get takesSignal(): boolean {
    return this.#description?.runsAtOnce !== undefined;
  }

  get pid(): number | undefined {
    const { state } = this.#slot;
    return state.kind === "ready" ? state.worker.pid : undefined;
  }

  async residentBytes(): Promise<number | undefined> {
    const { pid } = this;
    return pid === undefined ? undefined : residentBytes(pid);
  }

  async close(): Promise<void> {
    await this.#slot.close();
  }

  destroy(reason: string): void {
    this.#slot.destroy(reason);
  }

  #timeoutMs(): number {
    const { executionTimeoutMs, mayAsk } = this.#options.spec.options;
    const asked = this.#description?.asks?.executionTimeoutMs;
    return asked === undefined || mayAsk?.executionTimeoutMs === undefined
      ? executionTimeoutMs
      : Math.min(asked, mayAsk.executionTimeoutMs);
  }

  readonly #onResult = (result: CallResult): RunResult => {
    const { tensors, computeMs } = decodeTensors(result.header, result.payload, badOutput);
    checkOutputs(tensors, this.#description!.signature);
    return { outputs: tensors, computeMs };
  };

  /** The client learns that the model failed; how, only the log. (Deaths are logged where the state changes.) */
  readonly #onRunFailed = (error: unknown): never => {
    const { code, reason, message, cause } = ServeError.from(error);
    // Before anybody hears of it: what this worker has in memory must not run again.
    if (reason === "model_file_changed") this.#slot.replace(message);
    if (code === "internal" && this.#logLimit.take()) {
      const leftOut = this.#logLimit.takeDropped();
      this.#options.logger.warn(
        { reason, detail: cause, ...(leftOut > 0 && { leftOut }) },
        `a run failed: ${message}`,
      );
    }
    throw error;
  };

  async #load(worker: Worker): Promise<void> {
    const { spec, index, files, caution, clock, onProgress, optimise } = this.#options;
    const attempt = caution.attempt(spec);
    const isTouched = await files.check();
    this.#description ??= this.#options.description();
    const wantsDigest = this.#description === undefined || isTouched;
    const digest = wantsDigest ? undefined : this.#description?.digest;
    const result = await worker
      .call({
        method: METHODS.load,
        header: encodeMessage({ spec: attempt.spec, instance: index, wantsDigest, digest }),
        chunks: [],
        timeoutMs: spec.options.loadTimeoutMs,
        onNote: (stage) => {
          attempt.reached(stage);
          onProgress(stage);
        },
      })
      .catch((error: unknown) => {
        attempt.failed(error);
        throw loadError(error, spec);
      });
    const loaded = decodeMessage<LoadedMessage>(result.header);
    files.accept(loaded.files, loaded.description.digest);
    await files.check();
    this.#description ??= loaded.description;
    await checkResident(worker, spec);
    this.#watchMemory(worker);
    if (!loaded.isWarm) this.#warmUpLater(worker);
    if (loaded.mayOptimise === true && index === 0) {
      this.#stopOptimising?.();
      this.#stopOptimising = whenIdle({ worker, clock, act: optimise });
    }
  }

  #warmUpLater(worker: Worker): void {
    const { clock, spec, logger } = this.#options;
    const timeoutMs = spec.options.executionTimeoutMs;
    const warmUp = async (): Promise<void> => {
      if (!this.#isWarmUpSafe) return;
      this.#isWarmUpSafe = false;
      try {
        await worker.call({ method: METHODS.warm, header: NO_BYTES, chunks: NO_CHUNKS, timeoutMs });
        this.#isWarmUpSafe = true;
      } catch (error) {
        logger.warn({ err: error }, "the warm-up with a larger batch failed");
      }
    };
    this.#stopWarmUp?.();
    this.#stopWarmUp = whenIdle({ worker, clock, act: () => void warmUp() });
  }

  #watchMemory(worker: Worker): void {
    const { memoryLimitBytes: limitBytes } = this.#options.spec.options;
    if (limitBytes === undefined || worker.pid === undefined) return;
    this.#stopMemoryWatch?.();
    this.#stopMemoryWatch = watchMemory({
      pid: worker.pid,
      limitBytes,
      clock: this.#options.clock,
      onExceeded: (bytes) => {
        this.#slot.fault(
          `it passed its memory limit (${Math.round(bytes / MIB)} of ${Math.round(limitBytes / MIB)} MiB)`,
        );
      },
    });
  }

  #onSlotChange(state: SupervisorState): void {
    const { logger } = this.#options;
    if (state.kind !== "ready") {
      this.#stopMemoryWatch?.();
      this.#stopWarmUp?.();
      this.#stopOptimising?.();
    }
    if (state.kind === "restarting")
      logger.warn({ reason: state.reason, attempt: state.attempt }, "a model's worker died");
    if (state.kind === "failed") logger.error({ reason: state.reason }, "a model's worker is given up");
    if (state.kind === "ready") logger.info({ pid: state.worker.pid }, "a model's worker is ready");
    this.#options.onStateChange(this);
  }
}

function checkOutputs(outputs: RunResult["outputs"], signature: Signature): void {
  if (outputs.length !== signature.outputs.length) {
    throw badOutput(`it has ${outputs.length} outputs; the signature has ${signature.outputs.length}`);
  }
  for (let i = 0; i < outputs.length; i++) {
    const spec = signature.outputs[i]!;
    const { datatype, shape } = outputs[i]!;
    const isRank = signature.areSizesClaimed === true || shape.length === spec.dims.length;
    if (datatype === spec.datatype && isRank) continue;
    throw badOutput(
      `output ${spec.name} is ${datatype} with ${shape.length} dimensions; the signature has ${spec.datatype} with ${spec.dims.length}`,
    );
  }
}

/** A worker that is past its limit before the first request would be ended and started for ever. */
async function checkResident({ pid }: Worker, { options }: LoadSpec): Promise<void> {
  const limitBytes = options.memoryLimitBytes;
  const bytes = limitBytes === undefined || pid === undefined ? undefined : await residentBytes(pid);
  if (limitBytes === undefined || bytes === undefined || bytes <= limitBytes) return;
  throw new ServeError(
    "invalid_argument",
    `memory_limit is ${Math.round(limitBytes / MIB)} MiB, and a worker takes ${Math.round(bytes / MIB)} MiB with the model loaded: raise memory_limit`,
    { reason: "invalid_config" },
  );
}
