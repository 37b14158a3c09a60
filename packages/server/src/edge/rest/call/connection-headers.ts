/** They concern a connection of HTTP/1.1 (RFC 9113 §8.2.2). Node's streams throw at each, and their client would wait for ever. */
export const CONNECTION_HEADERS: ReadonlySet<string> = new Set([
  "connection",
  "http2-settings",
  "keep-alive",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade",
]);
