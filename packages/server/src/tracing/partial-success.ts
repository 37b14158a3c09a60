import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

/** How many spans an `ExportTraceServiceResponse` says were rejected; 0 as well for what is none. */
export function rejectedSpans(answer: Uint8Array): number {
  try {
    const reader = new BinaryReader(answer);
    while (reader.pos < reader.len) {
      const [field, type] = reader.tag();
      if (field === 1 && type === WireType.LengthDelimited) return rejectedIn(reader.bytes());
      reader.skip(type, field);
    }
  } catch {
    // A collector that answers nonsense has taken the spans all the same.
  }
  return 0;
}

function rejectedIn(partialSuccess: Uint8Array): number {
  const reader = new BinaryReader(partialSuccess);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === 1 && type === WireType.Varint) return Math.max(0, Number(reader.int64()));
    reader.skip(type, field);
  }
  return 0;
}
