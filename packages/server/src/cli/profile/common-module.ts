/** The innermost module that all of these paths lie in. */
export function commonModule(paths: readonly string[]): string {
  const [first = [], ...others] = paths.map((path) => path.split("."));
  let length = first.length;
  for (const other of others) {
    let same = 0;
    while (same < length && other[same] === first[same]) same += 1;
    length = same;
  }
  return first.slice(0, length).join(".");
}
