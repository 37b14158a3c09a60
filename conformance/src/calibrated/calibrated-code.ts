import {
  type CalibratedModel,
  decodeCalibratedModel,
  encodeCalibratedModel,
  POISON,
} from "./calibrated-model.ts";

/** A JSON text of a JSON text is a literal of Python as well. */
function literal(value: object): string {
  return `json.loads(${JSON.stringify(JSON.stringify(value))})`;
}

/** A calibrated model as a `model.py`: the same sleeps, journal and poison. */
export function encodeCalibratedCode(model: Partial<CalibratedModel>): string {
  const whole = decodeCalibratedModel(encodeCalibratedModel(model));
  return `import json, os, signal, time
import torch

MODEL = ${literal(whole)}
POISON = ${literal(POISON)}


def note(text):
    if MODEL["journal"]:
        with open(MODEL["journal"], "a") as file:
            file.write(f"{time.monotonic() * 1000} {text}\\n")


time.sleep(MODEL["loadMs"] / 1000)
if MODEL["diesAtLoad"] or (MODEL["fuse"] and os.path.exists(MODEL["fuse"])):
    os._exit(9)
note(f"loaded {os.getpid()}")


class Calibrated(torch.nn.Module):
    def forward(self, x: "uint8[batch, ${whole.width}]"):
        firsts = x[:, 0].tolist()
        note(f"run {os.getpid()} {','.join(map(str, firsts))}")
        for first in firsts:
            self.misbehave(first)
        time.sleep((MODEL["sleepMs"] + len(x) * MODEL["perRowMs"]) / 1000)
        y = x[0, :1] if POISON["wrongShape"] in firsts else x
        return {"y": y, "tag": torch.full((len(x), 1), MODEL["tag"])}

    def misbehave(self, kind):
        if kind == POISON["throw"]:
            raise RuntimeError("poison")
        if kind == POISON["segfault"]:
            os.kill(os.getpid(), signal.SIGSEGV)
        if kind == POISON["abort"]:
            os.abort()
        while kind == POISON["hang"]:
            time.sleep(60)
        while kind == POISON["allocate"]:
            self.kept = (getattr(self, "kept", ()), torch.ones(16 * 1024 * 1024, dtype=torch.uint8))
        if kind == POISON["exit"]:
            os._exit(7)
`;
}
