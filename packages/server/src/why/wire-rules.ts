import { isShared, isWorthIt, ofTotal, type Rule } from "./finding.ts";

/** Tensors smaller than this are read in no time, however they are spelled. */
const LARGE_BYTES = 4096;
/** Copying binary tensors takes well below this for a byte; reading decimal numbers takes more. */
const JSON_NS_PER_BYTE = 1;
/** Any client and any socket take some time. */
const OUTSIDE_MS = 2;
const NS_PER_MS = 1e6;

/** Large tensors come or go as decimal numbers. */
export const largeJson: Rule = (evidence) => {
  const { stages, inputBytes, outputBytes, load, answered, overRest } = evidence;
  const bytes = Math.max(inputBytes, outputBytes);
  const spelled = stages.decode.mean + stages.encode.mean;
  const isJson =
    load === undefined ? overRest * 2 > answered : load.protocol === "json" || load.protocol === "predict";
  if (!isJson || bytes < LARGE_BYTES || !isWorthIt(spelled, evidence)) return undefined;
  const perByte = (spelled * NS_PER_MS) / (inputBytes + outputBytes);
  if (perByte < JSON_NS_PER_BYTE) return undefined;
  return {
    id: "json_tensors",
    costMs: spelled,
    title: "Large tensors travel as JSON",
    evidence: `reading and writing tensors took ${ofTotal(spelled, evidence)}: ${perByte.toFixed(1)} ns for each of ${inputBytes + outputBytes} bytes, where a copy takes less than ${JSON_NS_PER_BYTE}`,
    change:
      "send tensors as bytes: gRPC, or REST with Inference-Header-Content-Length and binary_data_size (docs/protocols.md); measure it with sconce bench --protocol binary",
    remedy: { kind: "protocol", protocol: "binary" },
  };
};

/** Bodies take long to arrive. */
export const slowBodies: Rule = (evidence) => {
  const received = evidence.stages.receive.mean;
  if (!isWorthIt(received, evidence)) return undefined;
  return {
    id: "slow_bodies",
    costMs: received,
    title: "Request bodies arrive slowly",
    evidence: `from a request's headers to the end of its body passed ${ofTotal(received, evidence)}`,
    change:
      "keep connections open, send smaller bodies (binary tensors, uint8 images), and bring clients nearer",
  };
};

/** What a client of ours saw and the server did not spend. */
export const outsideServer: Rule = (evidence) => {
  const { load, serverMs, machine } = evidence;
  if (load === undefined || isShared(machine)) return undefined;
  const outside = load.meanMs - serverMs;
  if (outside < OUTSIDE_MS || !isWorthIt(outside, { serverMs: load.meanMs })) return undefined;
  return {
    id: "outside_server",
    costMs: outside,
    title: "Time passes between client and server",
    evidence: `a request took ${load.meanMs.toFixed(2)} ms for its client and ${serverMs.toFixed(2)} ms in the server's stages`,
    change:
      "the rest is the network, the server's sockets and the client itself: look at its processor time and event loop with sconce bench",
  };
};
