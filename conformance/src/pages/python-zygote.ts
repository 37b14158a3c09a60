import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** A Python that has PyTorch loaded already, and runs scripts as `python FILE` would. */
export interface ReadyPython {
  run(file: string, cwd: string): Promise<string>;
  close(): void;
}

/** Forks for each script, so that none sees what another did, and PyTorch is imported once. */
const PROGRAM = `
import io, json, os, runpy, sys, tempfile, traceback
import torch
torch.set_num_threads(1)
# As it comes from the index it may be built for another torch: then its two ops that are no Python must exist first.
try:
    import torchvision
except Exception:
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    torch.library.define("torchvision::nms", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    torch.library.define("torchvision::qnms", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
for line in sys.stdin:
    job = json.loads(line)
    path = tempfile.mkstemp()[1]
    child = os.fork()
    if child == 0:
        code = 0
        with open(path, "w") as out:
            os.dup2(out.fileno(), 1)
            os.dup2(out.fileno(), 2)
            try:
                os.chdir(job["cwd"])
                sys.argv = [job["file"]]
                sys.path.insert(0, job["cwd"])
                runpy.run_path(job["file"], run_name="__main__")
            except SystemExit as end:
                code = 0 if end.code in (None, 0) else 1
            except BaseException:
                traceback.print_exc()
                code = 1
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
    status = os.waitpid(child, 0)[1]
    with open(path) as out:
        print(json.dumps({"code": os.waitstatus_to_exitcode(status), "output": out.read()}), flush=True)
    os.unlink(path)
`;

interface Answer {
  readonly code: number;
  readonly output: string;
}

/** Starts one. Scripts run one after the other; `run` rejects with what a script that failed printed. */
export function startPython(python: string): ReadyPython {
  const child: ChildProcessWithoutNullStreams = spawn(python, ["-c", PROGRAM], {
    env: { ...process.env, OMP_NUM_THREADS: "1", PYTHONDONTWRITEBYTECODE: "1", HF_HUB_OFFLINE: "1" },
  });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors = (errors + text).slice(-4000);
  });
  const waiting: { resolve(answer: Answer): void; reject(error: Error): void }[] = [];
  createInterface({ input: child.stdout }).on("line", (line) =>
    waiting.shift()?.resolve(JSON.parse(line) as Answer),
  );
  child.once("close", () => {
    for (const { reject } of waiting.splice(0)) reject(new Error(`Python ended: ${errors}`));
  });
  return {
    async run(file, cwd) {
      const { code, output } = await new Promise<Answer>((resolve, reject) => {
        waiting.push({ resolve, reject });
        child.stdin.write(`${JSON.stringify({ file, cwd })}\n`);
      });
      if (code !== 0) throw new Error(`python ${file} ended with ${code}:\n${output}`);
      return output;
    },
    close() {
      child.stdin.end();
    },
  };
}
