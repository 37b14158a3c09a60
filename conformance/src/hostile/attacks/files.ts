import type { Attack } from "../attack.ts";
import { serveHostileModels } from "../hostile-models.ts";

/** On a server of its own: a repository is given at the start. */
export const files: readonly Attack[] = [
  {
    group: "files",
    name: "YAML bombs, links out of the repository, caps",
    holds: "each costs its own model only, and the index says why",
    run: async () => (await serveHostileModels()).join("; "),
  },
];
