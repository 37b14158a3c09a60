import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { createClient, ErrorReply } from "@redis/client";
import { connectRedis } from "./redis-connection.ts";

const PASSWORD = "s3cret";

/** A peer that takes connections and says nothing, or what it is told. */
async function startPeer(say: (socket: Socket) => void = () => {}) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("data", () => say(socket));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

for (const isTls of [false, true]) {
  test(`a peer that takes the connection and says nothing${isTls ? " of TLS" : ""} is given up when the signal says so`, async () => {
    const peer = await startPeer();
    const giveUp = new AbortController();
    const tls = isTls ? { ca: undefined, cert: undefined, key: undefined } : undefined;
    const address = {
      host: "127.0.0.1",
      port: peer.port,
      database: 1,
      username: "u",
      password: PASSWORD,
      tls,
    };
    const attempt = connectRedis({ createClient, ErrorReply }, address, { signal: giveUp.signal });
    giveUp.abort();
    await assert.rejects(attempt, { code: "unavailable" });
    peer.close();
  });
}

test("what a peer answers to the password is the reason, without the password", async () => {
  const peer = await startPeer((socket) => socket.end(`-WRONGPASS ${"no ".repeat(200)}\r\n`));
  const { signal } = new AbortController();
  const address = { host: "127.0.0.1", port: peer.port, database: 0, username: "u", password: PASSWORD };
  await assert.rejects(
    connectRedis({ createClient, ErrorReply }, { ...address, tls: undefined }, { signal }),
    ({ message }: Error) => message.length <= 200 && !message.includes(PASSWORD),
  );
  peer.close();
});

test("a number of any length stays a text, also in the answer to the password: the client would read it digit by digit", async () => {
  const peer = await startPeer((socket) => {
    socket.write("(12345678901234567890\r\n");
    socket.on("data", () => socket.write("*1\r\n(12345678901234567890\r\n"));
  });
  const { signal } = new AbortController();
  const address = { host: "127.0.0.1", port: peer.port, database: 0, username: undefined };
  const asked = createClient;
  const seen: unknown[] = [];
  const watched = ((...args: Parameters<typeof createClient>) => {
    const client = asked(...args);
    const send = client.sendCommand.bind(client);
    client.sendCommand = (async (command: string[]) => {
      const reply = await send(command);
      seen.push(reply);
      return reply;
    }) as typeof client.sendCommand;
    return client;
  }) as typeof createClient;
  const connection = await connectRedis(
    { createClient: watched, ErrorReply },
    { ...address, password: PASSWORD, tls: undefined },
    { signal },
  );
  await connection.send(["GETRANGE", "k", "0", "10"]);
  assert.deepEqual(seen, ["12345678901234567890", ["12345678901234567890"]]);
  connection.destroy();
  peer.close();
});
