import type { Bucket, Line, Piece, ShapeKey } from "./job.ts";

/** Empty buckets kept for reuse, so that a model with few shapes allocates none per request. */
const KEPT_BUCKETS = 16;

/**
 * What one tenant has waiting at one priority: every piece hangs in two lists, one over all pieces in order of arrival and one
 * per shape.
 */
export class Lane implements Line {
  readonly tenant: string;
  readonly buckets: Map<ShapeKey, Bucket> = new Map();
  first: Piece | undefined = undefined;
  last: Piece | undefined = undefined;
  size = 0;

  constructor(tenant: string) {
    this.tenant = tenant;
  }

  append(piece: Piece): void {
    piece.previous = this.last;
    if (this.last === undefined) this.first = piece;
    else this.last.next = piece;
    this.last = piece;
    this.size += 1;

    const bucket = this.#bucketFor(piece.job.shapeKey);
    piece.bucket = bucket;
    piece.bucketPrevious = bucket.last;
    if (bucket.last === undefined) bucket.first = piece;
    else bucket.last.bucketNext = piece;
    bucket.last = piece;
  }

  remove(piece: Piece): void {
    if (piece.previous === undefined) this.first = piece.next;
    else piece.previous.next = piece.next;
    if (piece.next === undefined) this.last = piece.previous;
    else piece.next.previous = piece.previous;
    piece.previous = undefined;
    piece.next = undefined;
    this.size -= 1;
    this.#removeFromBucket(piece, piece.bucket!);
  }

  #bucketFor(key: ShapeKey): Bucket {
    let bucket = this.buckets.get(key);
    if (bucket === undefined) {
      bucket = { line: this, key, first: undefined, last: undefined };
      this.buckets.set(key, bucket);
    }
    return bucket;
  }

  #removeFromBucket(piece: Piece, bucket: Bucket): void {
    if (piece.bucketPrevious === undefined) bucket.first = piece.bucketNext;
    else piece.bucketPrevious.bucketNext = piece.bucketNext;
    if (piece.bucketNext === undefined) bucket.last = piece.bucketPrevious;
    else piece.bucketNext.bucketPrevious = piece.bucketPrevious;
    piece.bucketPrevious = undefined;
    piece.bucketNext = undefined;
    piece.bucket = undefined;
    if (bucket.first === undefined && this.buckets.size > KEPT_BUCKETS) this.buckets.delete(bucket.key);
  }
}
