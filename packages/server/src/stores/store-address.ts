import { createHash } from "node:crypto";
import { ServeError } from "../base/errors.ts";
import { oneLine } from "../base/printable.ts";

export type StoreKind = "s3" | "gs" | "https";

/** Where models lie that are not files of this machine. */
export interface StoreAddress {
  readonly kind: StoreKind;
  /** For logs and messages: without a URL's query, which may hold a signature. */
  readonly display: string;
  /** Of `s3` and `gs`. */
  readonly bucket: string;
  /** Of `s3` and `gs`, without slashes at its ends; "" is the whole bucket. */
  readonly prefix: string;
  /** Of `https`: with its query, without its fragment. */
  readonly url: string;
  /** What a model is called that has no other name: the last part of the address. */
  readonly lastPart: string;
  /** The digest that the one file must have, in hex; undefined: any. */
  readonly sha256: string | undefined;
  /** Of the address without the digest: where its copy lies. */
  readonly id: string;
}

const SCHEME = /^(s3|gs|https?):\/\//i;
const BUCKET = /^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/i;
const DIGEST = /^sha256=([0-9a-f]{64})$/i;
const ID_CHARS = 32;

/** Whether a text is meant as the address of a store rather than as a path. */
export function isStoreAddress(text: string): boolean {
  return SCHEME.test(text);
}

/** Reads an address. Throws `invalid_argument`/`bad_store_address`. */
export function parseStoreAddress(text: string): StoreAddress {
  const [scheme = ""] = SCHEME.exec(text)?.slice(1) ?? [];
  const at = text.indexOf("#");
  const address = at < 0 ? text : text.slice(0, at);
  const sha256 = at < 0 ? undefined : digestOf(text.slice(at + 1), address);
  if (scheme.toLowerCase() === "http")
    throw bad(address, "models are not read over plain HTTP: use https://, or download the file");
  return scheme.toLowerCase() === "https" ? webAddress(address, sha256) : bucketAddress(address, sha256);
}

function bucketAddress(address: string, sha256: string | undefined): StoreAddress {
  const kind = address.slice(0, 2).toLowerCase() as StoreKind;
  const [bucket = "", ...parts] = address.slice(address.indexOf("//") + 2).split("/");
  if (!BUCKET.test(bucket)) throw bad(address, `expected ${kind}://BUCKET or ${kind}://BUCKET/PREFIX`);
  const prefix = parts.join("/").replace(/^\/+|\/+$/g, "");
  const display = oneLine(`${kind}://${bucket}${prefix === "" ? "" : `/${prefix}`}`);
  const lastPart = prefix.slice(prefix.lastIndexOf("/") + 1) || bucket;
  return { kind, display, bucket, prefix, url: "", lastPart, sha256, id: idOf(display) };
}

function webAddress(address: string, sha256: string | undefined): StoreAddress {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined) throw bad(address, "this is no URL");
  if (url.username !== "" || url.password !== "")
    throw bad(
      `${url.protocol}//${url.host}${url.pathname}`,
      "leave name and password out: they would show in process lists",
    );
  const display = oneLine(`${url.origin}${url.pathname}`);
  const lastPart = decoded(url.pathname.slice(url.pathname.lastIndexOf("/") + 1));
  if (lastPart === "") throw bad(display, "expected the URL of one file, such as https://HOST/model.pt2");
  return {
    kind: "https",
    display,
    bucket: "",
    prefix: "",
    url: url.href,
    lastPart,
    sha256,
    id: idOf(display),
  };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function digestOf(fragment: string, address: string): string {
  const [, digest] = DIGEST.exec(fragment) ?? [];
  if (digest === undefined) {
    throw bad(withoutQuery(address), "after # expected sha256= and 64 hexadecimal digits");
  }
  return digest.toLowerCase();
}

/** A signature in the query opens a store: the copy of a file is the same whoever signed for it. */
function idOf(display: string): string {
  return createHash("sha256").update(display).digest("hex").slice(0, ID_CHARS);
}

function withoutQuery(address: string): string {
  return address.replace(/\?.*$/s, "").replace(/\/\/[^/]*@/, "//");
}

function bad(address: string, why: string): ServeError {
  return new ServeError("invalid_argument", `${oneLine(withoutQuery(address))}: ${why}`, {
    reason: "bad_store_address",
  });
}
