import { type ClientHttp2Session, connect } from "node:http2";
import type { Target } from "./attack.ts";
import type { Door } from "./doors.ts";

/** What somebody hears who knocks: `status` of HTTP, and of gRPC where it has one. */
export interface Reply {
  readonly status: number;
  readonly grpcStatus: string | undefined;
  /** Status and body, and of the headers those that speak of the error. */
  readonly words: string;
}

/** Asks over one HTTP/2 connection. */
export interface DoorKnocker {
  knock(door: Door, authorization?: string): Promise<Reply>;
  close(): void;
}

export function doorKnocker({ url, entry }: Target): DoorKnocker {
  const session = connect(url, { ca: entry?.ca });
  return {
    knock: (door, authorization) => knock(session, door, authorization),
    close: () => session.destroy(),
  };
}

/** Against servers that never answer; a busy machine may take its time. */
const PATIENCE_MS = 60_000;

function knock(session: ClientHttp2Session, door: Door, authorization: string | undefined): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ":method": door.method,
      ":path": door.path,
      ...door.headers,
      ...(authorization !== undefined && { authorization }),
    });
    let fields: Readonly<Record<string, unknown>> = {};
    let body = "";
    const take = (more: object): void => {
      fields = { ...fields, ...more };
    };
    stream.setEncoding("latin1");
    stream.on("response", take);
    stream.on("trailers", take);
    stream.on("data", (chunk: string) => {
      body += chunk;
    });
    // A stream that is refused before its body has arrived may be reset; what was said before counts.
    stream.on("error", () => {});
    session.once("error", reject);
    const timer = setTimeout(() => reject(new Error(`${door.name} was not answered`)), PATIENCE_MS);
    stream.on("close", () => {
      clearTimeout(timer);
      session.off("error", reject);
      const status = Number(fields[":status"] ?? 0);
      const own = fields["grpc-status"] ?? /grpc-status: ?(\d+)/.exec(plainText(door, body))?.[1];
      const told = ["grpc-message", "sconce-reason", "www-authenticate"].map((name) => fields[name] ?? "");
      resolve({
        status,
        grpcStatus: own === undefined ? undefined : String(own),
        words: [status, own ?? "", ...told, plainText(door, body)].join(" "),
      });
    });
    stream.end(door.body);
  });
}

/** gRPC-Web in text is base64 of frames. */
function plainText({ headers }: Door, body: string): string {
  const isText = headers["content-type"]?.includes("grpc-web-text") === true;
  return isText ? Buffer.from(body, "base64").toString("latin1") : body;
}
