import type { Attack } from "../attack.ts";
import { HOSTILE_BODIES } from "../hostile-bodies.ts";
import { sendHostileInputs } from "../hostile-inputs.ts";
import { serveHostileModels } from "../hostile-models.ts";

/** On servers of their own: a repository is given at the start. */
export const files: readonly Attack[] = [
  {
    group: "files",
    name: "YAML bombs, links out of the repository, caps",
    holds: "each costs its own model only, and the index says why",
    run: async () => (await serveHostileModels()).join("; "),
  },
  {
    group: "files",
    name: `${HOSTILE_BODIES.length} bodies for tasks and handlers, too many sequences`,
    holds: "each costs its own worker at most, and the next request is answered",
    run: async () => (await sendHostileInputs(HOSTILE_BODIES)).join("; "),
  },
];
