// Tests docs/errors.md against the source.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { ERROR_CODES, isErrorCode } from "@sconce/protocol";
import { statusNumber } from "../edge/grpc/status.ts";
import { statusOf } from "../edge/rest/status.ts";
import { REJECT_REASONS } from "../queue/observer.ts";
import { parseSources, reasonsIn } from "./error-reasons.kit.ts";

const root = fileURLToPath(new URL("../../../..", import.meta.url));
const page = readFileSync(`${root}/docs/errors.md`, "utf8");
const sources = ["server", "protocol"].flatMap((name) => parseSources(`${root}/packages/${name}/src`));

const given = reasonsIn(sources);

/** `ModelFileErrorKind` of @sconce/torch, under which model files are refused. */
const MODEL_FILE_REASONS = ["model_file_corrupt", "model_file_limit", "model_file_unsupported"];

interface Row {
  readonly reason: string;
  readonly code: string;
  readonly http: number;
  readonly grpc: string;
}

/** Rows of the tables of reasons: five cells. */
const rows: readonly Row[] = [
  ...page.matchAll(/^\| `(\w+)` \| `(\w+)` \| (\d+) \| ([^|]+) \| [^|]{20,} \|$/gm),
].map(([, reason = "", code = "", http, grpc = ""]) => ({ reason, code, http: Number(http), grpc }));
/** Rows of the table of codes: four cells. */
const codes = [...page.matchAll(/^\| `(\w+)` \| (\d+) \| ([^|]+) \| [^|]+ \|$/gm)].map(
  ([, code = "", http, grpc = ""]) => ({ reason: "", code, http: Number(http), grpc }),
);

test("every reason that the source gives is on the page, with its code", () => {
  const missing: string[] = [];
  const has = (reason: string, code: string | undefined): boolean =>
    rows.some((row) => row.reason === reason && (code === undefined || row.code === code));
  for (const [reason, known] of given) {
    for (const code of known.size === 0 ? [undefined] : known) {
      if (!has(reason, code)) missing.push(`${reason} (${code ?? "any code"})`);
    }
  }
  for (const reason of [...REJECT_REASONS, ...MODEL_FILE_REASONS]) {
    if (!has(reason, undefined)) missing.push(reason);
  }
  assert.deepEqual(missing, []);
});

test("the page lists no reason that the source cannot give", () => {
  const known = new Set<string>([...given.keys(), ...REJECT_REASONS, ...MODEL_FILE_REASONS]);
  assert.deepEqual(
    rows.filter(({ reason }) => !known.has(reason)).map(({ reason }) => reason),
    [],
  );
  const wrongCode = rows.filter(({ reason, code }) => {
    const codesGiven = given.get(reason);
    return codesGiven !== undefined && codesGiven.size > 0 && !codesGiven.has(code) && !isRejection(reason);
  });
  assert.deepEqual(wrongCode, []);
});

function isRejection(reason: string): boolean {
  return (REJECT_REASONS as readonly string[]).includes(reason);
}

test("each row has the statuses that the edges answer with, and stands there once", () => {
  assert.ok(rows.length > 70);
  for (const { reason, code, http, grpc } of [...rows, ...codes]) {
    assert.ok(isErrorCode(code), code);
    assert.equal(http, statusOf({ code, reason }), reason);
    assert.equal(grpc, `${statusNumber(code)} ${code.toUpperCase()}`, reason);
  }
  const keys = rows.map(({ reason, code }) => `${reason} ${code}`);
  assert.equal(new Set(keys).size, keys.length);
});

test("the page has every code", () => {
  assert.deepEqual(codes.map(({ code }) => code).sort(), [...ERROR_CODES].sort());
});

test("the scan sees every way in which a reason is given", () => {
  for (const reason of [
    "model_not_found",
    "worker_died_waiting",
    "empty_body",
    "bad_request",
    "unsupported_extension",
  ]) {
    assert.ok(given.has(reason), reason);
  }
});
