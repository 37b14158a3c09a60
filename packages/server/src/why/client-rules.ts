import { isWorthIt, LEAST_MS, ofTotal, type Rule } from "./finding.ts";

/** Fewer say nothing of how clients go about it. */
const FEW = 10;
/** Connections for a request: clients that keep theirs need next to none. */
const MANY_CONNECTIONS = 0.5;
/** One request after the other keeps one in the server, and never a second. */
const BUSY = 0.6;
const ONE = 1.02;
/** So little waiting, and nobody was in anybody's way. */
const NO_QUEUE = 0.05;
const LARGE_OUTPUT_BYTES = 262_144;
/** What a network of 1 Gbit/s carries. */
const WIRE_BYTES_PER_MS = 125_000;

/** Clients do not keep their connections. */
export const connectionPerRequest: Rule = ({ connections, inferences, load, connectMs }) => {
  const opened = connections - (load?.connections ?? 0);
  const share = opened / Math.max(1, inferences);
  if (opened < FEW || share < MANY_CONNECTIONS) return undefined;
  const took =
    connectMs === undefined
      ? ""
      : `; with one of its own a request takes ${connectMs.toFixed(2)} ms longer, from here`;
  return {
    id: "connection_per_request",
    costMs: (connectMs ?? 0) * Math.min(1, share),
    title: "Clients open a connection for nearly every request",
    evidence: `${opened} connections were opened for ${inferences} inferences${took}`,
    change:
      "keep connections: one requests.Session or httpx.Client for all requests, http.Agent({ keepAlive: true }), one gRPC channel; in nginx: proxy_http_version 1.1, keepalive 32",
  };
};

/** There is never a second request that could run beside the first, or with it. */
export const oneAtATime: Rule = (evidence) => {
  const { answered, serverMs, seconds, stages, batchRows, load, model } = evidence;
  if (load !== undefined || answered < FEW) return undefined;
  const inFlight = (answered * serverMs) / 1000 / seconds;
  const perRun = answered / Math.max(1, batchRows.count);
  if (inFlight < BUSY || inFlight > ONE || perRun > ONE) return undefined;
  if (stages.queue.mean > NO_QUEUE * serverMs || (!model.isBatching && model.instances === 1))
    return undefined;
  return {
    id: "one_at_a_time",
    costMs: 0,
    title: "Clients send one request at a time",
    evidence: `${inFlight.toFixed(2)} requests were in the server on average, and none waited for another: the next one came when the one before was answered`,
    change:
      "send several at once, over several connections or one of gRPC or HTTP/2, or several rows in a request: they share runs. sconce bench --connections 1,8,32 shows what that carries",
  };
};

/** Answers are large, and have outputs that may be left out. */
export const largeOutputs: Rule = (evidence) => {
  const { model, outputBytes, inputBytes, stages } = evidence;
  const { outputs } = model.signature;
  if (outputs.length < 2 || outputBytes < LARGE_OUTPUT_BYTES) return undefined;
  const spent =
    stages.encode.mean + stages.transfer.mean * (outputBytes / Math.max(1, inputBytes + outputBytes));
  if (!isWorthIt(spent, evidence)) return undefined;
  const smallest = evidence.outputSizes.toSorted((a, b) => a.bytes - b.bytes)[0]!;
  return {
    id: "large_outputs",
    costMs: spent,
    title: "Answers hold every output, and they are large",
    evidence: `${outputs.length} outputs are ${outputBytes} bytes a row; bringing them from the worker and writing them took ${ofTotal(spent, evidence)}`,
    change: `ask for the outputs that are needed: "outputs": [{"name": ${JSON.stringify(smallest.name)}}] in the request is ${smallest.bytes} bytes a row`,
    remedy: { kind: "outputs", outputs: [smallest.name] },
  };
};

/** Compressing takes longer than the bytes that it saves would take on a network. */
export const costlyCompression: Rule = ({ compression, inferences, serverMs }) => {
  const { plain, packed, seconds } = compression;
  const ms = (seconds * 1000) / Math.max(1, inferences);
  const saved = (plain - packed) / Math.max(1, inferences);
  const wireMs = saved / WIRE_BYTES_PER_MS;
  if (ms < LEAST_MS || !isWorthIt(ms - wireMs, { serverMs: serverMs + ms })) return undefined;
  return {
    id: "costly_compression",
    costMs: ms - wireMs,
    title: "Compressing answers takes longer than it saves",
    evidence: `compressing took ${ms.toFixed(2)} ms an inference and saved ${Math.round(saved)} bytes, which a network of 1 Gbit/s carries in ${wireMs.toFixed(2)} ms`,
    change:
      'have clients near the server send "Accept-Encoding: identity" (many libraries ask for gzip by themselves), or tensors as bytes, which compress badly anyway',
  };
};
