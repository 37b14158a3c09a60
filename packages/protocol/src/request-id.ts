/** The longest id that a request may carry, in UTF-8: the same over REST and gRPC, since answers repeat it. */
export const MAX_ID_BYTES = 1024;
