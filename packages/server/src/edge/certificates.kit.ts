import { generateKeyPairSync, type KeyObject, randomBytes, sign, X509Certificate } from "node:crypto";

/** A certificate with its key, as PEM files hold them; it can sign others when it is a CA's. */
export interface MadeCertificate {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly name: string;
  readonly privateKey: KeyObject;
}

export interface CertificateWishes {
  readonly name: string;
  /** Who signs it. Default: itself. */
  readonly by?: MadeCertificate;
  readonly isCa?: boolean;
  /** IPv4 addresses that it is for as well. */
  readonly addresses?: readonly string[];
  /** Default: in a day. */
  readonly notAfter?: Date;
}

const DAY_MS = 86_400_000;
const OID = {
  commonName: "550403",
  ecdsaWithSha256: "2a8648ce3d040302",
  basicConstraints: "551d13",
  subjectAltName: "551d11",
} as const;

/** Makes a certificate for localhost (X.509 v3, ECDSA on P-256) without any program but Node. */
export function makeCertificate({
  name,
  by,
  isCa = false,
  addresses = [],
  notAfter,
}: CertificateWishes): MadeCertificate {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const until = notAfter ?? new Date(Date.now() + DAY_MS);
  const tbs = sequence(
    tagged(0xa0, integer(Buffer.of(2))),
    integer(Buffer.concat([Buffer.of(0x40), randomBytes(8)])),
    sequence(oid(OID.ecdsaWithSha256)),
    distinguishedName(by?.name ?? name),
    sequence(time(new Date(until.getTime() - 2 * DAY_MS)), time(until)),
    distinguishedName(name),
    publicKey.export({ type: "spki", format: "der" }),
    tagged(0xa3, sequence(isCa ? caExtension() : addressesExtension(addresses))),
  );
  const signature = sign("sha256", tbs, by?.privateKey ?? privateKey);
  const der = sequence(tbs, sequence(oid(OID.ecdsaWithSha256)), bitString(signature));
  return {
    cert: pem("CERTIFICATE", der),
    key: Buffer.from(privateKey.export({ type: "pkcs8", format: "pem" })),
    name,
    privateKey,
  };
}

/** A list of certificates that a CA takes back, as a PEM file holds it. `nextUpdate` by default in a day. */
export function makeRevocationList(
  by: MadeCertificate,
  revoked: readonly MadeCertificate[],
  nextUpdate: Date = new Date(Date.now() + DAY_MS),
): Buffer {
  const thisUpdate = time(new Date(nextUpdate.getTime() - 2 * DAY_MS));
  const entries = revoked.map(({ cert }) =>
    sequence(integer(Buffer.from(new X509Certificate(cert).serialNumber, "hex")), thisUpdate),
  );
  const tbs = sequence(
    integer(Buffer.of(1)),
    sequence(oid(OID.ecdsaWithSha256)),
    distinguishedName(by.name),
    thisUpdate,
    time(nextUpdate),
    ...(entries.length === 0 ? [] : [sequence(...entries)]),
  );
  const signature = sign("sha256", tbs, by.privateKey);
  return pem("X509 CRL", sequence(tbs, sequence(oid(OID.ecdsaWithSha256)), bitString(signature)));
}

function pem(what: string, der: Buffer): Buffer {
  const lines = der
    .toString("base64")
    .match(/.{1,64}/g)!
    .join("\n");
  return Buffer.from(`-----BEGIN ${what}-----\n${lines}\n-----END ${what}-----\n`);
}

function caExtension(): Buffer {
  const isCa = sequence(tagged(0x01, Buffer.of(0xff)));
  return sequence(oid(OID.basicConstraints), tagged(0x01, Buffer.of(0xff)), octets(isCa));
}

function addressesExtension(addresses: readonly string[]): Buffer {
  const names = sequence(
    tagged(0x82, Buffer.from("localhost")),
    tagged(0x87, Buffer.of(127, 0, 0, 1)),
    tagged(0x87, Buffer.concat([Buffer.alloc(15), Buffer.of(1)])),
    ...addresses.map((address) => tagged(0x87, Buffer.from(address.split(".").map(Number)))),
  );
  return sequence(oid(OID.subjectAltName), octets(names));
}

function distinguishedName(name: string): Buffer {
  return sequence(tagged(0x31, sequence(oid(OID.commonName), tagged(0x0c, Buffer.from(name)))));
}

function time(date: Date): Buffer {
  const digits = date.toISOString().replace(/[-:T]|\..*/g, "");
  return tagged(0x17, Buffer.from(`${digits.slice(2)}Z`));
}

function tagged(tag: number, ...contents: readonly Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const size = content.length;
  const length = size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 0xff];
  return Buffer.concat([Buffer.of(tag, ...length), content]);
}

const sequence = (...contents: readonly Buffer[]): Buffer => tagged(0x30, ...contents);
const integer = (bytes: Buffer): Buffer => tagged(0x02, bytes);
const oid = (hex: string): Buffer => tagged(0x06, Buffer.from(hex, "hex"));
const octets = (content: Buffer): Buffer => tagged(0x04, content);
const bitString = (content: Buffer): Buffer => tagged(0x03, Buffer.of(0), content);
