/** What WebSocket connections may cost. Each is tested at its border. */
export interface WebSocketLimits {
  /** Connections at once. They count as connections of the listener, too. */
  readonly maxSockets: number;
  /** One message. It is unmasked and put together in one go, so it is much less than a request's body may have. */
  readonly maxMessageBytes: number;
  /** Frames that one message may come in. */
  readonly maxFragments: number;
  /** Messages of one connection between "read" and "answer taken by the client"; further ones stay unread. */
  readonly maxInFlight: number;
  /** A connection on which nothing was asked for this long is closed. */
  readonly idleMs: number;
  /** Answers to pings that a client does not read. */
  readonly maxUnreadBytes: number;
  /** How long a client may take to say goodbye. */
  readonly closeTimeoutMs: number;
}

export const DEFAULT_WEB_SOCKET_LIMITS: WebSocketLimits = {
  maxSockets: 4096,
  maxMessageBytes: 4 * 1024 * 1024,
  maxFragments: 1024,
  maxInFlight: 64,
  idleMs: 65_000,
  maxUnreadBytes: 256 * 1024,
  closeTimeoutMs: 5000,
};
