/** Asks a worker to leave unloaded what translates until a file needs it: the files that it will get were translated before. */
export const LEAN = "--lean";
