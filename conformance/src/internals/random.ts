/** What benchmarks draw from a seed. */
export { createRandom, type Random } from "../chaos/random.ts";
