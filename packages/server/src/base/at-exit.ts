/** Has `act` run when this process ends, unless the function that it returns was called. `act` must not wait for anything. */
export function atExit(act: () => void): () => void {
  process.on("exit", act);
  return () => void process.off("exit", act);
}
