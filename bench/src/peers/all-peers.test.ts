import assert from "node:assert/strict";
import { test } from "node:test";
import { peerNames } from "./all-peers.ts";

test("--peers names some of the servers, and without it all take part", () => {
  assert.deepEqual(peerNames("litserve, ray"), ["litserve", "ray"]);
  assert.equal(peerNames(undefined).length, 8);
});

test("a misspelt peer is refused with the names that there are", () => {
  assert.throws(() => peerNames("litserv"), /unknown peer litserv; there are: triton, .*torchserve/);
});
