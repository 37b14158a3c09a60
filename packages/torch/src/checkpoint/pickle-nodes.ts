import type { PickleNode, PickleValue } from "./pickle-value.ts";

/** Every node under a value, each once, however often it is shared. */
export function allNodes(root: PickleValue): ReadonlySet<PickleNode> {
  const seen = new Set<PickleNode>();
  const pending: PickleValue[] = [root];
  const add = (value: PickleValue | undefined): void => {
    if (value !== undefined) pending.push(value);
  };
  for (let value = pending.pop(); value !== undefined; value = pending.pop()) {
    if (typeof value !== "object" || value === null || value instanceof Uint8Array || seen.has(value))
      continue;
    seen.add(value);
    visitChildren(value, add);
  }
  return seen;
}

function visitChildren(node: PickleNode, visit: (value: PickleValue | undefined) => void): void {
  if (node.kind === "persistent") visit(node.id);
  if (node.kind === "call") {
    visit(node.callee);
    visit(node.kwargs);
    visit(node.state);
    for (const arg of node.args) visit(arg);
  }
  if ("items" in node) for (const item of node.items) visit(item);
  if ("entries" in node) visitEntries(node.entries, visit);
}

function visitEntries(
  entries: readonly [PickleValue, PickleValue][],
  visit: (value: PickleValue) => void,
): void {
  for (const [key, value] of entries) {
    visit(key);
    visit(value);
  }
}
