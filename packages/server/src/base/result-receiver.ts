/**
 * Told how something ended: one of the two is called, once, perhaps before the call that asked has returned. Neither may throw. The two ends
 * of a promise fit; on the way of a request an object that exists anyway saves the promise.
 */
export interface ResultReceiver<T> {
  resolve(value: T): void;
  reject(error: Error): void;
}

/** What takes requests and reports each one's end. */
interface Taker<Q, R> {
  submit(request: Q, receiver: ResultReceiver<R>): void;
}

/** For callers that would rather wait than be told. */
export function submitTo<Q, R>(taker: Taker<Q, R>, request: Q): Promise<R> {
  return new Promise((resolve, reject) => taker.submit(request, { resolve, reject }));
}
