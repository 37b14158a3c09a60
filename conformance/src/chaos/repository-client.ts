/** One line of the repository's index. */
export interface IndexLine {
  readonly name: string;
  readonly version: string;
  readonly state: string;
  readonly reason: string;
}

/** A reason that nobody can act on, or that says that something of ours is broken. */
export const UNHELPFUL: RegExp =
  /internal error|\bundefined\b|invariant|\b(?:Type|Range|Reference|Syntax)Error\b|^$/;

export async function repositoryIndex(url: string): Promise<readonly IndexLine[]> {
  const response = await fetch(`${url}/v2/repository/index`, { method: "POST" });
  return (await response.json()) as readonly IndexLine[];
}

/** A model's settings as the server serves them; undefined while it does not. */
export async function batchSizeOf(url: string, model: string): Promise<number | undefined> {
  const response = await fetch(`${url}/v2/models/${model}/config`);
  const config = (await response.json()) as { readonly max_batch_size?: number };
  return config.max_batch_size;
}

export const ADMIN_TOKEN = "chaos-administrator";

/** Asks for a model to be loaded (`--model-control=explicit`); the error's text where that was refused. Never rejects. */
export async function loadModel(
  url: string,
  model: string,
): Promise<{ readonly isOk: boolean; readonly error: string }> {
  const response = await fetch(`${url}/v2/repository/models/${model}/load`, {
    method: "POST",
    headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
  });
  const text = await response.text();
  return { isOk: response.ok, error: response.ok ? "" : text };
}
