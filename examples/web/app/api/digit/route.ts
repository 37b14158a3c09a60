// POST /api/digit of a site: its pages ask the site, and the site asks the model. No key of the server's reaches a browser.
import { ClientError, createClient, tensor } from "@sconce/client";

const key = process.env.SCONCE_API_KEY;
const client = createClient(process.env.SCONCE_URL ?? "http://127.0.0.1:8080", {
  headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
});

export async function POST(request: Request): Promise<Response> {
  const pixels: unknown = await request.json().catch(() => undefined);
  if (!Array.isArray(pixels) || pixels.length !== 64 || !pixels.every((pixel) => typeof pixel === "number"))
    return Response.json({ error: "send 64 numbers from 0 to 1" }, { status: 400 });
  try {
    const image = tensor("FP32", [1, 1, 8, 8], Float32Array.from(pixels));
    // Whoever leaves the site's page cancels the call, on the model's server as well.
    const { outputs } = await client.infer("digits", { image }, { signal: request.signal });
    const scores = outputs.probabilities?.data as Float32Array;
    const digit = scores.indexOf(Math.max(...scores));
    return Response.json({ digit, probability: scores[digit] });
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    return Response.json({ error: error.message }, { status: error.status ?? 503 });
  }
}
