// Tests the built server: what clients send models with tasks and handlers (hostile-bodies.ts) costs one worker at most. `npm run hostile -- files` sends all.
import assert from "node:assert/strict";
import { test } from "node:test";
import { HOSTILE_BODIES } from "./hostile-bodies.ts";
import { sendHostileInputs } from "./hostile-inputs.ts";

/** Those that take a run's whole time, and what is theirs alone. */
const LONG = /handler: (loop|never|kill|exit|abort|allocate)$/;
const some = HOSTILE_BODIES.filter(({ name }, i) => i % 2 === 0 && !LONG.test(name));

test(`${some.length} images, sounds and words end nobody's server, and the next request is answered`, async () => {
  assert.deepEqual(await sendHostileInputs(some), []);
});
