import assert from "node:assert/strict";
import { test } from "node:test";
import { ServeError } from "../base/errors.ts";
import { isStoreAddress, parseStoreAddress } from "./store-address.ts";

const DIGEST = "ab".repeat(32);

test("buckets, prefixes and files are told apart", () => {
  const cases = [
    ["s3://models", "s3", "models", "", "models"],
    ["s3://models/", "s3", "models", "", "models"],
    ["S3://models/a/b/", "s3", "models", "a/b", "b"],
    ["gs://my_bucket.example/a//b.pt2", "gs", "my_bucket.example", "a//b.pt2", "b.pt2"],
  ] as const;
  for (const [text, kind, bucket, prefix, lastPart] of cases) {
    const address = parseStoreAddress(text);
    assert.deepEqual(
      [address.kind, address.bucket, address.prefix, address.lastPart],
      [kind, bucket, prefix, lastPart],
      text,
    );
  }
  const web = parseStoreAddress(`https://host:8443/a/m%20x.pt2?sig=secret#sha256=${DIGEST.toUpperCase()}`);
  assert.equal(web.url, "https://host:8443/a/m%20x.pt2?sig=secret");
  assert.equal(web.display, "https://host:8443/a/m%20x.pt2");
  assert.equal(web.lastPart, "m x.pt2");
  assert.equal(web.sha256, DIGEST);
});

test("a path is no address", () => {
  for (const text of ["models", "/s3/models", "s3:/models", "file:///models", "C:\\models"])
    assert.ok(!isStoreAddress(text), text);
});

test("one copy is for one place, whoever signed for it and whatever its digest should be", () => {
  const id = (text: string): string => parseStoreAddress(text).id;
  assert.equal(id("https://h/a?sig=1"), id(`https://h/a?sig=2#sha256=${DIGEST}`));
  assert.notEqual(id("s3://bucket/a"), id("gs://bucket/a"));
  assert.notEqual(id("s3://bucket/a"), id("s3://bucket/b"));
});

test("an address that cannot be read from says why, without what it was signed with", () => {
  const cases = [
    ["http://host/a?sig=secret", /plain HTTP/],
    ["https://user:secret@host/a?sig=secret", /leave name and password out/],
    ["https://host/?sig=secret", /the URL of one file/],
    ["https://[/a?secret", /no URL/],
    ["s3://", /expected s3:\/\/BUCKET/],
    ["s3://a b/c", /expected s3/],
    ["gs://../a", /expected gs/],
    ["https://host/a?sig=secret#md5=1", /expected sha256=/],
    [`https://host/a?sig=secret#sha256=${DIGEST}0`, /expected sha256=/],
  ] as const;
  for (const [text, words] of cases) {
    assert.throws(
      () => parseStoreAddress(text),
      (error) => {
        assert.ok(error instanceof ServeError);
        assert.equal(error.reason, "bad_store_address");
        assert.match(error.message, words);
        assert.doesNotMatch(error.message, /secret/);
        return true;
      },
      text,
    );
  }
});
