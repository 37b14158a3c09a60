import type { Attack } from "../attack.ts";
import { HOSTILE_BODIES } from "../hostile-bodies.ts";
import { serveFromHostileCaches } from "../hostile-caches.ts";
import { attackControl } from "../hostile-control.ts";
import { serveOnHostileDisks } from "../hostile-disks.ts";
import { sendHostileInputs } from "../hostile-inputs.ts";
import { serveHostileModels } from "../hostile-models.ts";
import { attackRegions } from "../hostile-regions.ts";
import { stormControl } from "../hostile-storm.ts";

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
  {
    group: "files",
    name: "kept translations: cut, planted, swapped, links, of a GiB, two servers at once",
    holds: "each server answers as if there were none",
    run: async () => (await serveFromHostileCaches()).join("; "),
  },
  {
    group: "files",
    name: "shared memory: odd names and sizes, files that change under a request, 1,100 regions",
    holds: "refused with what is wrong, and nothing outside a region is read or written",
    run: async () => (await attackRegions()).join("; "),
  },
  {
    group: "files",
    name: "rollouts, uploads and recordings: odd shares, 64 at once, paths, bombs, no room",
    holds: "refused with what is wrong, nothing is left behind, and no secret is recorded",
    run: async () => (await attackControl()).join("; "),
  },
  {
    group: "files",
    name: "disks of kept translations and of the record: full, read-only, deleted, while it serves and loads",
    holds: "everything is answered as if there were no such disk",
    run: async () => (await serveOnHostileDisks()).join("; "),
  },
  {
    group: "files",
    name: "400 uploads, loads, unloads, profiles at once, clients that leave in the middle, SIGHUPs for nonsense",
    holds: "another model is answered all the while, nothing is left behind",
    run: async ({ random }) => (await stormControl(random)).join("; "),
  },
];
