/** A longer message would fill the headers that a client takes twice over; it goes without details. */
const MAX_MESSAGE_BYTES = 1024;
const DOMAIN = field(2, "sconce");
const ERROR_INFO = typeName("ErrorInfo");
const RETRY_INFO = typeName("RetryInfo");

interface StatusFacts {
  /** gRPC's number. */
  readonly status: number;
  readonly message: string;
  readonly reason: string;
  readonly retryMs: number | undefined;
}

/**
 * The value of `grpc-status-details-bin`: a google.rpc.Status whose details are ErrorInfo, with the reason, and where trying again may help RetryInfo.
 * Undefined: the message is too long to be sent twice. Put together as text of one character for each byte, since overload makes many of them.
 */
export function statusDetails({ status, message, reason, retryMs }: StatusFacts): string | undefined {
  const text = Buffer.from(message, "utf8").toString("latin1");
  if (text.length > MAX_MESSAGE_BYTES) return undefined;
  const info = field(3, ERROR_INFO + field(2, field(1, reason) + DOMAIN));
  const retry = retryMs === undefined ? "" : retryInfo(retryMs);
  const bytes = Buffer.from(`\b${String.fromCharCode(status)}${field(2, text)}${info}${retry}`, "latin1");
  // Without padding, as gRPC asks of those who send.
  const base64 = bytes.toString("base64");
  const end = base64.indexOf("=");
  return end < 0 ? base64 : base64.slice(0, end);
}

function retryInfo(retryMs: number): string {
  const ms = Math.ceil(retryMs);
  const delay = integer(1, Math.floor(ms / 1000)) + integer(2, (ms % 1000) * 1_000_000);
  return field(3, RETRY_INFO + field(2, field(1, delay)));
}

/** What google.protobuf.Any calls a message of google.rpc. */
function typeName(type: string): string {
  return field(1, `type.googleapis.com/google.rpc.${type}`);
}

function field(number: number, bytes: string): string {
  return String.fromCharCode(8 * number + 2) + varint(bytes.length) + bytes;
}

function integer(number: number, value: number): string {
  return value === 0 ? "" : String.fromCharCode(8 * number) + varint(value);
}

function varint(value: number): string {
  let bytes = "";
  let rest = value;
  while (rest >= 0x80) {
    bytes += String.fromCharCode((rest % 0x80) + 0x80);
    rest = Math.floor(rest / 0x80);
  }
  return bytes + String.fromCharCode(rest);
}
