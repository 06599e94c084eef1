// Vector loops that must be compiled for a specific instruction set.
//
// Every kernel exists once per instruction set: base, AVX2 and AVX-512 on x86-64, only base elsewhere.
// `ck_kernels()` returns the table for this processor. In comments, `T` is the storage type of the variant:
// float (`_f32`) or bfloat16 (`_bf16`, the upper half of a float).
//
// Outputs are overwritten (`=`) unless the comment says "adds". Arrays are row-major and dense unless a
// leading dimension (`ld`) is given.
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef uint16_t ck_bf16;

#define CK_TYPED_KERNELS(T, S)                                                                      \
  /* y[rows,n] = x * rstd * weight; rstd[rows] = 1/sqrt(mean(x^2) + eps) */                         \
  void (*rms_norm_forward_##S)(const float *x, const float *weight, float eps, size_t rows,         \
                               size_t n, T *y, float *rstd);                                        \
  /* y[n] = (T) (x[n] * scale) */                                                                   \
  void (*narrow_##S)(const float *x, size_t n, float scale, T *y);                                            \
  /* y[n] = (float) x[n] */                                                                         \
  void (*widen_##S)(const T *x, size_t n, float *y);                                                \
  /* Rotates q and k of one segment (half-split pairs), multiplies q by `scale`, and splits         \
     qkv [rows, (heads + 2*kv)*dim] into q [heads, rows, dim] and                                   \
     k, v [kv, capacity, dim]; only the first `rows` rows of each head of k, v are written.         \
     cosine, sine: [rows, dim/2], for the positions of the segment. */                              \
  void (*rope_forward_##S)(const T *qkv, size_t rows, size_t heads, size_t kv, size_t dim,          \
                           const float *cosine, const float *sine, float scale, T *q, T *k, T *v,   \
                           size_t capacity);                                                        \
  /* The transpose of rope_forward: dq [heads, rows, dim], dk, dv [kv, rows, dim]                   \
     -> dqkv [rows, (heads + 2*kv)*dim]. */                                                         \
  void (*rope_backward_##S)(const T *dq, const T *dk, const T *dv, size_t rows, size_t heads,       \
                            size_t kv, size_t dim, const float *cosine, const float *sine,          \
                            float scale, T *dqkv);                                                  \
  /* scores [groups*queries, ld]: row g*queries+t attends to the first `offset + t + 1` of `keys`.  \
     p [groups*queries, ld] = softmax, 0 for other keys; lse[groups*queries] = log-sum-exp. */      \
  void (*softmax_forward_##S)(const float *scores, size_t groups, size_t queries, size_t keys,      \
                              size_t ld, size_t offset, T *p, float *lse);                          \
  /* p = exp(scores - lse); ds = p * (dp - delta); both 0 for keys that are not attended to. */     \
  void (*softmax_backward_##S)(const float *scores, const float *dp, const float *lse,              \
                               const float *delta, size_t groups, size_t queries, size_t keys,      \
                               size_t ld, size_t offset, T *p, T *ds);                              \
  /* out, dout [rows, heads*dim] -> dense [heads, rows, dim] = dout reordered by head,              \
     delta [heads, rows] = sum over dim of out * dout. */                                           \
  void (*attention_delta_##S)(const T *out, const T *dout, size_t rows, size_t heads, size_t dim,   \
                              T *dense, float *delta);                                              \
  /* dense [heads, rows, dim] -> out [rows, heads*dim] */                                             \
  void (*merge_heads_##S)(const T *dense, size_t rows, size_t heads, size_t dim, T *out);           \
  /* gate_up [rows, 2n] = gate | up; act [rows, n] = silu(gate) * up */                             \
  void (*swiglu_forward_##S)(const T *gate_up, size_t rows, size_t n, T *act);                      \
  /* gate_up [rows, 2n], d_act [rows, n] -> d_gate_up [rows, 2n] */                                 \
  void (*swiglu_backward_##S)(const T *gate_up, const T *d_act, size_t rows, size_t n,              \
                              T *d_gate_up);                                                        \
  /* One vocabulary chunk of a softmax over logits [rows, columns]. Per row, writes chunk_max and,  \
     unless e is NULL, e [rows, ld] = exp(logits - chunk_max). Updates running_max and running_sum  \
     so that log-sum-exp = running_max + log(running_sum). */                                       \
  void (*cross_entropy_chunk_##S)(const float *logits, size_t rows, size_t columns, T *e,           \
                                  size_t ld, float *chunk_max, float *running_max,                  \
                                  float *running_sum);                                              \
  /* e [rows, columns], leading dimension ld: e[row] *= factor[row] */                              \
  void (*scale_rows_##S)(T *e, size_t rows, size_t columns, size_t ld, const float *factor);

typedef struct {
  const char *instruction_set;
  CK_TYPED_KERNELS(float, f32)
  CK_TYPED_KERNELS(ck_bf16, bf16)
  /* Adds the gradient of rms_norm with respect to x to dx [rows, n]. */
  void (*rms_norm_backward)(const float *dy, const float *x, const float *weight, const float *rstd,
                            size_t rows, size_t n, float *dx);
  /* Copies `rows` rows of `bytes` bytes each; the strides are in bytes. */
  void (*copy_rows)(const void *source, size_t source_stride, void *destination,
                    size_t destination_stride, size_t rows, size_t bytes);
  /* y[n] += x[n] */
  void (*add)(const float *x, size_t n, float *y);
  /* Sum of squares, accumulated in double in an order that depends only on n. */
  double (*sum_squares)(const float *x, size_t n);
  /* AdamW with decoupled decay (Loshchilov and Hutter, arXiv 1711.05101); g = grad * grad_scale;
     correction1 = 1 - beta1^t, correction2 = 1 - beta2^t. */
  void (*adamw)(float *param, const float *grad, float *m, float *v, size_t n, float rate,
                float beta1, float beta2, float epsilon, float decay, float grad_scale,
                float correction1, float correction2);
} ck_kernel_table;

/// The kernels for this processor.
const ck_kernel_table *ck_kernels(void);

/// The kernels for a named instruction set ("base", "avx2", "avx512"), or NULL if this processor or build
/// does not support it. Used by tests that compare the variants.
const ck_kernel_table *ck_kernels_named(const char *instruction_set);

/// 1 if the processor multiplies bfloat16 in hardware (AVX512-BF16 or AMX), otherwise 0.
int ck_has_fast_bfloat16(void);
