const REQUEST_ID = /^[A-Za-z0-9._~+/=:@-]{1,128}$/;

/** The client's `x-request-id` when it is short and plain enough for headers and logs, else a new one from `makeId`. */
export function requestId(given: string | undefined, makeId: () => string): string {
  return given !== undefined && given.length <= 128 && REQUEST_ID.test(given) ? given : makeId();
}
