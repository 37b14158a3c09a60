import assert from "node:assert/strict";
import { test } from "node:test";
import { peerPackage } from "./peer-package.ts";

const MISSING = "a-package-that-nobody-has";

test("a package that is not installed is named in one sentence; what a package throws itself is not hidden", async () => {
  await assert.rejects(
    peerPackage(MISSING, () => import(MISSING) as Promise<unknown>),
    {
      reason: "no_store_client",
      message: `this address is read by the package ${MISSING}, which is not installed: npm install ${MISSING}`,
    },
  );
  await assert.rejects(
    peerPackage(MISSING, () => import(MISSING) as Promise<unknown>, "what --cache-store names is asked"),
    {
      message: `what --cache-store names is asked by the package ${MISSING}, which is not installed: npm install ${MISSING}`,
    },
  );
  const broken = new Error("broken");
  await assert.rejects(
    peerPackage("x", () => Promise.reject(broken)),
    (error) => error === broken,
  );
  assert.equal(await peerPackage("x", () => Promise.resolve(7)), 7);
});
