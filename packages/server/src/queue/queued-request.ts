import type { AbortListener } from "../base/call-signal.ts";
import type { InferRequest } from "../base/infer-request.ts";
import type { ResultReceiver } from "../base/result-receiver.ts";
import type { NamedTensor } from "../base/tensor.ts";
import {
  type BatchPlan,
  inputsInOrder,
  rowsOf,
  type ShapeKey,
  shapeKeyOf,
  wantedOutputs,
} from "./batch-plan.ts";
import type { QueueConfig } from "./queue-config.ts";

/** What a request gets: its outputs, and how many rows shared the run. */
export interface RequestResult {
  /** In the order the request asked for, or in signature order. Bytes are views on the received block. */
  readonly outputs: readonly NamedTensor[];
  readonly batchRows: number;
}

/** The waiting items of one tenant queue that may share a run, oldest first. */
export interface ShapeBucket {
  readonly queue: { remove(item: BatchItem): void };
  readonly key: ShapeKey;
  first: BatchItem | undefined;
  last: BatchItem | undefined;
}

/**
 * Rows of one request that run together: the whole request, or a part of one that is larger than a batch. It is its own list node
 * (no allocation per queue operation, removal from the middle in constant time).
 */
export class BatchItem {
  readonly request: QueuedRequest;
  readonly rowStart: number;
  readonly rows: number;
  readonly bytes: number;
  /** A batch that holds it must not wait for more after this time. */
  dueMs = 0;
  /** How many workers were lost while they executed it. */
  deaths = 0;
  /** Retries that cost nothing of the budget, because its worker died before it began. */
  freeRetries = 0;
  /** The next part of the same request. */
  sibling: BatchItem | undefined = undefined;
  /** Where it waits; undefined: it does not. */
  bucket: ShapeBucket | undefined = undefined;
  previous: BatchItem | undefined = undefined;
  next: BatchItem | undefined = undefined;
  bucketPrevious: BatchItem | undefined = undefined;
  bucketNext: BatchItem | undefined = undefined;
  /** The outputs of a finished part, in signature order. */
  outputs: readonly NamedTensor[] | undefined = undefined;

  constructor(request: QueuedRequest, rowStart: number, rows: number, bytes: number) {
    this.request = request;
    this.rowStart = rowStart;
    this.rows = rows;
    this.bytes = bytes;
  }
}

/** Told when a request's signal fires. */
export interface SignalListener {
  signalFired(request: QueuedRequest): void;
}

/** One submitted request, until it is answered. It listens to its signal itself, so that no closure is made per request. */
export class QueuedRequest implements AbortListener {
  readonly request: InferRequest;
  /** In signature order. */
  readonly inputs: readonly NamedTensor[];
  readonly rows: number;
  readonly bytes: number;
  readonly tenant: string;
  /** 0 is the highest priority. */
  readonly level: number;
  readonly receiver: ResultReceiver<RequestResult>;
  /** Indices of the outputs wanted, in order; undefined: all. */
  readonly wanted: readonly number[] | undefined;
  /** When it was submitted. */
  readonly queuedMs: number;
  readonly first: BatchItem;
  /** How it runs: as the model's requests do, or alone. */
  readonly plan: BatchPlan;
  /** When it ends without a result: the deadline, or earlier while it waits if the queue has a timeout. Infinity: never. */
  expiresMs: number;
  heapIndex = -1;
  itemsLeft = 0;
  waitingItems = 0;
  isSettled = false;
  /** Somebody has pieces of its answer: it cannot be run again. */
  hasPieces = false;
  /** Set when it is suspected of ending workers. */
  fingerprint: string | undefined = undefined;
  #shapeKey: ShapeKey;
  #listener: SignalListener | undefined = undefined;

  /** Throws `invalid_argument` when its names do not fit the signature. */
  constructor(
    modelPlan: BatchPlan,
    config: QueueConfig,
    options: {
      readonly request: InferRequest;
      readonly nowMs: number;
      /** How many requests came before it. */
      readonly number: number;
      readonly receiver: ResultReceiver<RequestResult>;
    },
  ) {
    const { request, nowMs } = options;
    const plan = (request.isAlone === true ? modelPlan.alone : undefined) ?? modelPlan;
    this.plan = plan;
    const inputs = inputsInOrder(plan, request.inputs);
    let bytes = 0;
    for (let i = 0; i < inputs.length; i++) bytes += inputs[i]!.bytes.length;
    this.request = request;
    this.inputs = inputs;
    this.rows = rowsOf(plan, inputs);
    this.bytes = bytes;
    this.tenant = request.tenant ?? "";
    this.level = levelOf(config, request.priority);
    this.receiver = options.receiver;
    this.wanted = wantedOutputs(plan, request);
    this.queuedMs = nowMs;
    this.expiresMs = Math.min(this.deadlineMs, nowMs + (config.queueTimeoutMs ?? Number.POSITIVE_INFINITY));
    this.#shapeKey = plan === modelPlan ? shapeKeyOf(plan, inputs) : `alone ${options.number}`;
    this.first = splitRequest(plan, this);
  }

  get deadlineMs(): number {
    return this.request.deadlineMs ?? Number.POSITIVE_INFINITY;
  }

  /** Its items share a run only with items of the same key. */
  get shapeKey(): ShapeKey {
    return this.#shapeKey;
  }

  /** It is larger than a batch and runs in parts. */
  get isSplit(): boolean {
    return this.first.sibling !== undefined;
  }

  /** Keeps it out of everybody else's run. To be called before it waits. */
  runAlone(): void {
    this.#shapeKey = `alone ${this.fingerprint}`;
  }

  watchSignal(listener: SignalListener): void {
    this.#listener = listener;
    this.request.signal.addEventListener("abort", this);
  }

  unwatchSignal(): void {
    this.request.signal.removeEventListener("abort", this);
  }

  handleEvent(): void {
    this.#listener?.signalFired(this);
  }
}

/** Triton's rule: 0 and what lies above the lowest priority mean the default. */
function levelOf(config: QueueConfig, priority: number): number {
  const isKnown = priority >= 1 && priority <= config.priorityLevels;
  return (isKnown ? priority : config.defaultPriority) - 1;
}

/**
 * Splits a request into items of at most `plan.maxRows` rows, linked by `sibling`; returns the first. Nearly every request is one
 * item. All but the last are full; the last takes rows from the one before when it would fall below the model's minimum.
 */
function splitRequest(plan: BatchPlan, request: QueuedRequest): BatchItem {
  const { rows, bytes } = request;
  if (rows <= plan.maxRows || !plan.isBatched) {
    request.itemsLeft = 1;
    return new BatchItem(request, 0, rows, bytes);
  }
  const items: BatchItem[] = [];
  for (let start = 0; start < rows; ) {
    const own = itemRows(plan, rows - start);
    const item = new BatchItem(request, start, own, Math.round((bytes * own) / rows));
    const previous = items.at(-1);
    if (previous !== undefined) previous.sibling = item;
    items.push(item);
    start += own;
  }
  request.itemsLeft = items.length;
  return items[0]!;
}

function itemRows(plan: BatchPlan, left: number): number {
  if (left <= plan.maxRows) return left;
  const rest = left - plan.maxRows;
  if (rest >= plan.minRows) return plan.maxRows;
  const shorter = left - plan.minRows;
  return Math.max(plan.minRows, shorter - (shorter % plan.rowMultiple));
}
