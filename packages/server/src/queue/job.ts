import type { InferRequest } from "../base/infer-request.ts";
import type { NamedTensor } from "../base/tensor.ts";

/** Requests join only when their keys are equal. Numbers where one variable dimension (or none) decides: no strings are built then. */
export type ShapeKey = number | string;

/** What a request gets: its outputs, and how many rows shared the run. */
export interface Answer {
  /** In the order the request asked for, or in signature order. Bytes are views on the received block. */
  readonly outputs: readonly NamedTensor[];
  readonly batchRows: number;
}

/** What one tenant has waiting at one priority, as far as its pieces need to know it. */
export interface Line {
  readonly tenant: string;
  /** Pieces. */
  readonly size: number;
  remove(piece: Piece): void;
}

/** The waiting pieces of one line that may join each other, oldest first. */
export interface Bucket {
  readonly line: Line;
  readonly key: ShapeKey;
  first: Piece | undefined;
  last: Piece | undefined;
}

/**
 * Rows of one request that run together: the whole request, or a part of one that is larger than a batch. It is its own list node
 * (no allocation per queue operation, removal from the middle in constant time).
 */
export class Piece {
  readonly job: Job;
  readonly rowStart: number;
  readonly rows: number;
  readonly bytes: number;
  /** A batch that holds it must not wait for more after this time. */
  dueMs = 0;
  /** How many workers were lost while they executed it. */
  deaths = 0;
  /** Re-runs that cost nobody anything because its worker died before it began. */
  freeRetries = 0;
  /** The next part of the same request. */
  sibling: Piece | undefined = undefined;
  /** Where it waits; undefined: it does not. */
  bucket: Bucket | undefined = undefined;
  previous: Piece | undefined = undefined;
  next: Piece | undefined = undefined;
  bucketPrevious: Piece | undefined = undefined;
  bucketNext: Piece | undefined = undefined;
  /** The cut-out outputs of a finished part, in signature order. */
  outputs: readonly NamedTensor[] | undefined = undefined;

  constructor(job: Job, rowStart: number, rows: number, bytes: number) {
    this.job = job;
    this.rowStart = rowStart;
    this.rows = rows;
    this.bytes = bytes;
  }
}

/** Told when a request's signal fires. */
export interface JobOwner {
  abandoned(job: Job): void;
}

/** One submitted request on its way. It listens to its signal itself, so that no closure is made per request. */
export class Job {
  readonly request: InferRequest;
  /** In signature order. */
  readonly inputs: readonly NamedTensor[];
  readonly rows: number;
  readonly bytes: number;
  readonly tenant: string;
  /** 0 is the highest priority. */
  readonly level: number;
  shapeKey: ShapeKey;
  /** Indices of the outputs wanted, in order; undefined: all. */
  readonly wanted: readonly number[] | undefined;
  /** When to give up: the deadline, or earlier while it waits if the queue has a timeout. Infinity: never. */
  expiresMs: number = Number.POSITIVE_INFINITY;
  heapIndex = -1;
  first: Piece | undefined = undefined;
  piecesLeft = 0;
  waitingPieces = 0;
  isSettled = false;
  /** When it was submitted. */
  queuedMs = 0;
  /** Set when it is suspected of ending workers. */
  fingerprint: string | undefined = undefined;
  resolve!: (answer: Answer) => void;
  reject!: (error: Error) => void;
  #owner: JobOwner | undefined = undefined;

  constructor(options: {
    readonly request: InferRequest;
    readonly inputs: readonly NamedTensor[];
    readonly rows: number;
    readonly bytes: number;
    readonly tenant: string;
    readonly level: number;
    readonly shapeKey: ShapeKey;
    readonly wanted: readonly number[] | undefined;
  }) {
    this.request = options.request;
    this.inputs = options.inputs;
    this.rows = options.rows;
    this.bytes = options.bytes;
    this.tenant = options.tenant;
    this.level = options.level;
    this.shapeKey = options.shapeKey;
    this.wanted = options.wanted;
  }

  get deadlineMs(): number {
    return this.request.deadlineMs ?? Number.POSITIVE_INFINITY;
  }

  watch(owner: JobOwner): void {
    this.#owner = owner;
    this.request.signal.addEventListener("abort", this);
  }

  unwatch(): void {
    this.request.signal.removeEventListener("abort", this);
  }

  handleEvent(): void {
    this.#owner?.abandoned(this);
  }
}
