import type { CodePlace } from "../code-place.ts";
import type { Json } from "./json.ts";

/** A frame of a stack trace as Python prints it. */
const FRAME = /File "([^"]+)", line (\d+), in /g;
/** Files of PyTorch itself: the user's code called them. */
const PYTORCH = /[/\\]torch[/\\](?:nn|_[^/\\]*|utils|functional|autograd|export|fx|jit|ao|amp)\b/;
/** What a path was called in by releases of PyTorch before 2.4. */
const SELF = /^L\['self'\]\.?|^L__self__\.?/;
/** A module that is called again has a number behind its path. */
const CALL_NUMBER = /@\d+$/;

/** What the metadata of a node of torch.export say of where it comes from; undefined when they do not name a module. */
export function placeOf(metadata: Json | undefined): CodePlace | undefined {
  if (!(metadata instanceof Map)) return undefined;
  const stack = metadata.get("nn_module_stack");
  if (typeof stack !== "string") return undefined;
  const [, path = "", type] = stack.split(";").at(-1)!.split(",");
  const line = lineOf(metadata.get("stack_trace"));
  return {
    module: path.replace(SELF, "").replace(CALL_NUMBER, ""),
    ...(type !== undefined && type !== "" && { type }),
    ...(line !== undefined && { line }),
  };
}

/** The innermost line of the user's own code; of PyTorch's where there is nothing else. */
function lineOf(trace: Json | undefined): string | undefined {
  if (typeof trace !== "string") return undefined;
  const frames = [...trace.matchAll(FRAME)];
  const own = frames.findLast(([, file]) => !PYTORCH.test(file!)) ?? frames.at(-1);
  return own && `${own[1]!.split(/[/\\]/).at(-1)}:${own[2]}`;
}
