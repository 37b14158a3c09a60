import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const scriptPath = (name: string): string =>
  fileURLToPath(new URL(`../../../scripts/${name}`, import.meta.url));

/** Servers of two makers of stores that keep objects in memory. */
export interface PythonStores {
  /** What leads Amazon's and Google's packages to them. */
  readonly env: Readonly<Record<string, string>>;
  makeBuckets(name: string): Promise<void>;
  putS3(bucket: string, key: string, content: Buffer): Promise<void>;
  putGs(bucket: string, key: string, content: Buffer): Promise<void>;
  close(): void;
}

/** A key that must not show anywhere. */
export const SECRET_CANARY = "canary-of-the-secret-key";

/** Starts moto and gcp-storage-emulator; or says why they cannot be. */
export async function startPythonStores(): Promise<PythonStores | { readonly skip: string }> {
  const args = [scriptPath("python-env.mjs"), scriptPath("python/stores-requirements.txt")];
  const made = spawnSync(process.execPath, args, { encoding: "utf8" });
  if (made.status !== 0) return { skip: `needs moto and gcp-storage-emulator: ${made.stdout.trim()}` };
  const child = spawn(made.stdout.trim(), [scriptPath("python/serve_stores.py")], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = once(child, "exit").then(() => {
    throw new Error("the Python servers of stores ended before they listened");
  });
  const [line] = (await Promise.race([once(child.stdout, "data"), ended])) as [Buffer];
  ended.catch(() => {});
  const { s3, gs } = JSON.parse(line.toString()) as { readonly s3: number; readonly gs: number };
  const [s3Url, gsUrl] = [`http://127.0.0.1:${s3}`, `http://127.0.0.1:${gs}`];
  return {
    env: {
      AWS_ENDPOINT_URL: s3Url,
      AWS_REGION: "us-east-1",
      AWS_ACCESS_KEY_ID: "tester",
      AWS_SECRET_ACCESS_KEY: SECRET_CANARY,
      STORAGE_EMULATOR_HOST: gsUrl,
      GOOGLE_CLOUD_PROJECT: "tests",
    },
    async makeBuckets(name) {
      await send(`${s3Url}/${name}`, { method: "PUT" });
      const body = JSON.stringify({ name });
      await send(`${gsUrl}/storage/v1/b?project=tests`, { method: "POST", headers: JSON_BODY, body });
    },
    async putS3(bucket, key, content) {
      await send(`${s3Url}/${bucket}/${key.split("/").map(encodeURIComponent).join("/")}`, {
        method: "PUT",
        headers: SIGNED,
        body: new Uint8Array(content),
      });
    },
    async putGs(bucket, key, content) {
      const query = `uploadType=media&name=${encodeURIComponent(key)}`;
      await send(`${gsUrl}/upload/storage/v1/b/${bucket}/o?${query}`, {
        method: "POST",
        headers: { "Content-Type": "application/octet-stream" },
        body: new Uint8Array(content),
      });
    },
    close: () => void child.stdin.end(),
  };
}

/** Moto asks that a request that replaces something is signed, and does not look at the signature. */
const SIGNED = {
  Authorization:
    "AWS4-HMAC-SHA256 Credential=tester/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0",
};
const JSON_BODY = { "Content-Type": "application/json" };

async function send(url: string, init: RequestInit): Promise<void> {
  const response = await fetch(url, init);
  const text = await response.text();
  if (!response.ok) throw new Error(`${init.method} ${url}: ${response.status} ${text}`);
}
