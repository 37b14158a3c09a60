/** Why an op is left to PyTorch on purpose, where that is more than "not yet". */
export interface Untranslated {
  readonly kind: "random" | "backward" | "allocation" | "out" | "packed" | "observer";
  readonly reason: string;
}

const random = (what: string): Untranslated => ({
  kind: "random",
  reason: `it draws ${what}: only PyTorch's own generator gives PyTorch's numbers`,
});
const backward: Untranslated = { kind: "backward", reason: "it belongs to training" };
const allocation: Untranslated = { kind: "allocation", reason: "its result is uninitialised memory" };
const out: Untranslated = { kind: "out", reason: "it writes into a tensor that it is given as out=" };
const packed: Untranslated = {
  kind: "packed",
  reason:
    "its weights are packed for the kernels of the machine that quantized them; export with a plain layout (torchao: IntxWeightOnlyConfig), or the float model",
};
const observer: Untranslated = {
  kind: "observer",
  reason:
    "it still measures the numbers it sees, also in eval(), and each answer changes the next one: finish quantization-aware training with convert_pt2e (or torch.ao.quantization.convert) before exporting, or switch measuring off (model.apply(torch.ao.quantization.disable_observer))",
};

/** Ops that are not translated by decision, by target. */
export const UNTRANSLATED: Readonly<Record<string, Untranslated>> = {
  "aten.bernoulli.default": random("from a Bernoulli distribution"),
  "aten.bernoulli.p": random("from a Bernoulli distribution"),
  "aten.multinomial.default": random("from a multinomial distribution"),
  "aten.normal.Tensor_Tensor": random("from a normal distribution"),
  "aten.rand.default": random("uniform random numbers"),
  "aten.rand_like.default": random("uniform random numbers"),
  "aten.randint.default": random("random integers"),
  "aten.randint.low": random("random integers"),
  "aten.randint_like.default": random("random integers"),
  "aten.randn.default": random("normal random numbers"),
  "aten.randn_like.default": random("normal random numbers"),
  "aten.randperm.default": random("a random order"),
  "aten.atan2.out": out,
  "aten._weight_int4pack_mm.default": packed,
  "aten._weight_int4pack_mm_for_cpu.default": packed,
  "aten._weight_int4pack_mm_with_scales_and_zeros.default": packed,
  "aten._dyn_quant_matmul_4bit.default": packed,
  "aten._fused_moving_avg_obs_fq_helper_functional.default": observer,
  "aten._adaptive_avg_pool2d_backward.default": backward,
  "aten.avg_pool2d_backward.default": backward,
  "aten.convolution_backward.default": backward,
  "aten.embedding_dense_backward.default": backward,
  "aten.native_group_norm_backward.default": backward,
  "aten.native_layer_norm_backward.default": backward,
  "aten.empty_strided.default": allocation,
  "aten.resize_.default": allocation,
};

const size = "a size: the file holds it as an expression, which is calculated where it is used";

/** Ops that need no translation of their own, by target: what becomes of them. */
export const DISSOLVED: Readonly<Record<string, string>> = {
  "aten._native_batch_norm_legit.default":
    "made functional: `aten._native_batch_norm_legit_functional.default`",
  "aten.sym_is_contiguous.default": size,
  "aten.sym_numel.default": size,
  "aten.sym_size.int": size,
  "aten.sym_storage_offset.default": size,
  "aten.sym_stride.int": size,
};
