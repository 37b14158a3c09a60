import type { Counter, Metrics } from "../base/metrics.ts";
import type { RejectionReason } from "./listener.ts";

/** `sconce_connections_refused_total{reason}`: connections that were closed at the door. */
export function countRejections(metrics: Metrics): (reason: RejectionReason) => void {
  const counterOf = (reason: RejectionReason): Counter =>
    metrics.counter("sconce_connections_refused_total", "Connections that were closed without a response.", {
      reason,
    });
  const counters: Readonly<Record<RejectionReason, Counter>> = {
    connections: counterOf("connections"),
    connections_per_address: counterOf("connections_per_address"),
    descriptors: counterOf("descriptors"),
    first_bytes_timeout: counterOf("first_bytes_timeout"),
    handshakes: counterOf("handshakes"),
    tls_failed: counterOf("tls_failed"),
    not_tls: counterOf("not_tls"),
  };
  return (reason) => counters[reason].add(1);
}

/** `sconce_slow_transfers_total{reason}`: bodies and responses of clients that were too slow. */
export function countSlowTransfers(metrics: Metrics): (reason: string) => void {
  const help = "Bodies and responses that were given up because their clients were too slow.";
  return (reason) => metrics.counter("sconce_slow_transfers_total", help, { reason }).add(1);
}

/** `sconce_connections_total`: connections of clients. Beside the inferences it says whether clients keep theirs. */
export function countConnections(metrics: Metrics): () => void {
  const counter = metrics.counter("sconce_connections_total", "Connections whose clients said something.");
  return () => counter.add(1);
}

/** What compressing answers took, and saved. */
export function measureCompression(
  metrics: Metrics,
): (bytes: { plain: number; packed: number }, ms: number) => void {
  const counterOf = (kind: "plain" | "packed"): Counter =>
    metrics.counter(
      "sconce_compressed_bytes_total",
      "Bytes of answers before and after they were compressed.",
      { kind },
    );
  const [plainBytes, packedBytes] = [counterOf("plain"), counterOf("packed")];
  const seconds = metrics.counter(
    "sconce_compression_seconds_total",
    "Time that answers waited to be compressed.",
  );
  return ({ plain, packed }, ms) => {
    plainBytes.add(plain);
    packedBytes.add(packed);
    seconds.add(ms / 1000);
  };
}
