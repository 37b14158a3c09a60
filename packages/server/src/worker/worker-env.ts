/**
 * What a worker may know of the server process's environment: how to find native libraries and compiled code, and where
 * and when it is. No secrets.
 */
const ALLOWED = [
  "LANG",
  "LC_ALL",
  "LD_LIBRARY_PATH",
  "DYLD_LIBRARY_PATH",
  "MALLOC_MMAP_THRESHOLD_",
  "NODE_COMPILE_CACHE",
  "SYSTEMROOT",
  "TMPDIR",
  "TEMP",
  "TZ",
];

/**
 * glibc raises its own threshold to the largest block ever freed, and from then on keeps such blocks: after one large batch a worker
 * held 160 MiB of BERT-base's activations for good. A fixed threshold gives them back. Other allocators do not know the name.
 */
const RETURN_LARGE_BLOCKS = { MALLOC_MMAP_THRESHOLD_: "1048576" };

/** What Python and PyTorch look at beyond that: where programs, modules, caches and devices are. */
const PYTHON_ALLOWED = [
  "PATH",
  "HOME",
  "PYTHONPATH",
  "PYTHONHOME",
  "XDG_CACHE_HOME",
  "TORCH_HOME",
  "HF_HOME",
  "HF_HUB_OFFLINE",
  "CUDA_VISIBLE_DEVICES",
  "NVIDIA_VISIBLE_DEVICES",
  "CXX",
  "TORCHINDUCTOR_CACHE_DIR",
];

/** The environment of a worker, cut out of the server process's. */
export function workerEnv(front: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return { ...RETURN_LARGE_BLOCKS, ...picked(front, ALLOWED) };
}

/** The environment of a worker that is a Python process. */
export function pythonWorkerEnv(front: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return picked(front, [...ALLOWED, ...PYTHON_ALLOWED]);
}

function picked(
  front: Readonly<Record<string, string | undefined>>,
  names: readonly string[],
): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of names) {
    const value = front[name];
    if (value !== undefined) env[name] = value;
  }
  return env;
}
