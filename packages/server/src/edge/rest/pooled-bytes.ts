/**
 * Uninitialised memory, cut out of Node's pool when it is small: a typed array of its own costs a microsecond and work for the garbage
 * collector. A plain `Uint8Array`, whose `slice` copies as a Buffer's does not.
 */
export function pooledBytes(size: number): Uint8Array {
  const { buffer, byteOffset } = Buffer.allocUnsafe(size);
  return new Uint8Array(buffer, byteOffset, size);
}
