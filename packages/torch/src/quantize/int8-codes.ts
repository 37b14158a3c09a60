/** The largest code: 7 bits where sums of 8-bit products may overflow. */
export function maxCode({ reduceRange }: { readonly reduceRange?: boolean }): number {
  return reduceRange === true ? 63 : 127;
}

/** Codes and the scales that make numbers of them again. */
export interface Codes {
  readonly codes: Int8Array;
  readonly scales: Float32Array;
}

/** Symmetric codes of a [k, n] matrix with one scale per column: scale = max |column| / maxCode. */
export function perColumn(values: Float32Array, { k, n }: { k: number; n: number }, limit: number): Codes {
  const scales = new Float32Array(n);
  for (let i = 0; i < k; i++) {
    for (let j = 0; j < n; j++) scales[j] = Math.max(scales[j]!, Math.abs(values[i * n + j]!));
  }
  for (let j = 0; j < n; j++) scales[j] = scales[j]! === 0 ? 1 : scales[j]! / limit;
  const codes = new Int8Array(k * n);
  for (let i = 0; i < k; i++) {
    for (let j = 0; j < n; j++) codes[i * n + j] = code(values[i * n + j]! / scales[j]!, limit);
  }
  return { codes, scales };
}

/** Symmetric codes with one scale per row (output channel). */
export function perRow(values: Float32Array, rows: number, limit: number): Codes {
  const scales = new Float32Array(rows);
  const codes = new Int8Array(values.length);
  const size = values.length / rows;
  for (let row = 0; row < rows; row++) {
    let largest = 0;
    for (let i = row * size; i < (row + 1) * size; i++) largest = Math.max(largest, Math.abs(values[i]!));
    const scale = largest === 0 ? 1 : largest / limit;
    scales[row] = scale;
    for (let i = row * size; i < (row + 1) * size; i++) codes[i] = code(values[i]! / scale, limit);
  }
  return { codes, scales };
}

function code(value: number, limit: number): number {
  return Math.max(-limit, Math.min(limit, Math.round(value)));
}

/** A [rows, columns] matrix as [columns, rows]. */
export function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(values.length);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) result[j * rows + i] = values[i * columns + j]!;
  }
  return result;
}

/** The bytes of an array, not copied. */
export function bytesOf(values: Int8Array | Int32Array | Float32Array | BigInt64Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
