import type * as RedisClient from "@redis/client";
import { ServeError } from "../../base/errors.ts";
import type { StoreConnection, StoreReply } from "./store-connection.ts";

/** Where a Redis or Valkey server is, and how to be let in. */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  readonly database: number;
  readonly username: string | undefined;
  /** Undefined: the connection is not encrypted. */
  readonly tls: RedisTls | undefined;
}

export interface RedisTls {
  readonly ca: Buffer | undefined;
  readonly cert: Buffer | undefined;
  readonly key: Buffer | undefined;
}

/** RESP's marks of a text of bytes, which is left as bytes, and of a number of any length, which the client would read in quadratic time. */
const BLOB_STRING = 36;
const BIG_NUMBER = 40;
/** Of what a server says into the log. */
const MAX_MESSAGE = 200;

/** What is used of @redis/client, which is imported where a store is named. */
export type RedisLibrary = Pick<typeof RedisClient, "createClient" | "ErrorReply">;

/** A peer that says nothing while TLS is agreed on is given up, whatever its signal says. */
const SILENCE_MS = 2000;

/** Connects once, with the password of that moment. Rejects with what the network or the server says; never with the password. */
export async function connectRedis(
  { createClient, ErrorReply }: RedisLibrary,
  address: RedisAddress & { readonly password: string | undefined },
  { signal }: { readonly signal: AbortSignal },
): Promise<StoreConnection> {
  const { host, port, database, username, password, tls } = address;
  const client = createClient({
    RESP: 2,
    disableClientInfo: true,
    maintNotifications: "disabled",
    disableOfflineQueue: true,
    commandOptions: { typeMapping: { [BLOB_STRING]: Buffer, [BIG_NUMBER]: String } },
    socket: {
      host,
      port,
      reconnectStrategy: false,
      connectTimeout: SILENCE_MS,
      noDelay: true,
      ...(tls === undefined ? {} : { tls: true, ...tls }),
    },
  });
  const listeners: ((reason: string) => void)[] = [];
  const tell = (reason: string): void => {
    for (const listener of listeners.splice(0)) listener(reason);
  };
  client.on("error", (error: Error) => tell(wordsOf(error)));
  client.on("end", () => tell("the connection was closed"));
  const destroy = (): void => {
    listeners.length = 0;
    if (client.isOpen) client.destroy();
  };
  // The client does not hear of an end while TLS is agreed on.
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  try {
    await Promise.race([client.connect(), aborted]);
    // Not by the client's own options: it reads the replies to its own questions without the mapping.
    const questions: string[][] = [];
    if (password !== undefined)
      questions.push(["AUTH", ...(username === undefined ? [] : [username]), password]);
    if (database !== 0) questions.push(["SELECT", String(database)]);
    await Promise.race([Promise.all(questions.map((question) => client.sendCommand(question))), aborted]);
  } catch (error) {
    destroy();
    throw new ServeError("unavailable", wordsOf(error), { cause: error });
  }
  return {
    async send(command) {
      try {
        return (await client.sendCommand([...command])) as StoreReply;
      } catch (error) {
        if (!(error instanceof ErrorReply)) throw error;
        const message = wordsOf(error);
        return { word: message.split(" ", 1)[0]!, message };
      }
    },
    onEnd: (listener) => void listeners.push(listener),
    destroy,
  };
}

function wordsOf(error: unknown): string {
  return (error instanceof Error ? error.message || error.name : String(error)).slice(0, MAX_MESSAGE);
}
