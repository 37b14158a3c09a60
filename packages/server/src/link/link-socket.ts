import { Socket } from "node:net";

/** One end of a socket pair: a descriptor that this process was given, or what Node made of one. */
export type LinkEnd = number | Socket;

/** Node's types know `onread` of connections that are made, not of those that are there. */
type SocketOptions = ConstructorParameters<typeof Socket>[0];

/** Where what is received belongs. */
export interface LinkSink {
  /** Never empty; the next bytes are written into it. */
  space(): Uint8Array;
  /** So many bytes of it were written. False: the link is broken. */
  advance(count: number): boolean;
}

/**
 * Opens an end so that the system writes what is received where it stays: Node would make a buffer for every 64 KiB, of which a tensor would be put together.
 * What was a socket of a child process is not one any more.
 */
export function openLinkSocket(end: LinkEnd, sink: LinkSink): Socket {
  const onread = { buffer: () => sink.space(), callback: (count: number) => sink.advance(count) };
  if (typeof end === "number") return new Socket({ fd: end, onread } as SocketOptions);
  // Node has no public way to say this of a socket that it has made.
  const { _handle: handle } = end as unknown as { _handle: object | null };
  if (handle === null || end.destroyed) return end;
  (end as unknown as { _handle: object | null })._handle = null;
  return new Socket({ handle, onread } as SocketOptions);
}
