import { createEngineSession } from "./engine-session.ts";

/** An ONNX model of one node, y = Identity(x), float32 [1]. */
const IDENTITY = "CAo6NwoQCgF4EgF5IghJZGVudGl0eRIBZ1oPCgF4EgoKCAgBEgQKAggBYg8KAXkSCgoICAESBAoCCAFCBAoAEBU=";

/**
 * Creates and drops one trivial session. The first session of a process costs about 30 ms more than later ones (kernel registration,
 * CPU detection); a spare worker pays that before anybody waits for it.
 */
export async function warmRuntime(): Promise<void> {
  const bytes = new Uint8Array(Buffer.from(IDENTITY, "base64"));
  const session = await createEngineSession(bytes, { intraOpNumThreads: 1, logSeverityLevel: 3 });
  await session.release();
}
