/** What became of an export. */
export type Sent =
  /** `rejected`: spans that the collector did not want. */
  | { readonly kind: "accepted"; readonly rejected: number }
  /** Worth another try, after as long as the collector asks for. */
  | { readonly kind: "retry"; readonly afterMs: number | undefined; readonly why: string }
  | { readonly kind: "refused"; readonly why: string };

/** One way to a collector. */
export interface SpanSender {
  /** Sends an `ExportTraceServiceRequest`. Never rejects. */
  send(body: Uint8Array, timeoutMs: number): Promise<Sent>;
  /** Cuts what is under way. */
  close(): void;
}

/** How TLS is spoken with a collector: PEM, each as it stands in its file. */
export interface SenderTls {
  readonly ca: Buffer | undefined;
  readonly cert: Buffer | undefined;
  readonly key: Buffer | undefined;
}

export interface SenderOptions {
  readonly endpoint: URL;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: SenderTls;
  readonly userAgent: string;
  /** Calls once after so many milliseconds; what it returns cancels that. */
  after(delayMs: number, callback: () => void): () => void;
}

/** Responses are a few bytes. */
export const MOST_RESPONSE_BYTES: number = 64 * 1024;
