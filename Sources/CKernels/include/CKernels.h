// The vector loops that the compiler must see together with the right instruction set.
//
// Every kernel exists once per instruction set (base, AVX2, AVX-512 on x86-64; base elsewhere)
// and `ck_kernels()` returns the table for this processor. `T` in a comment stands for the
// storage type of the variant: float (`_f32`) or bfloat16 (`_bf16`, the upper half of a float).
//
// Write contract: outputs are overwritten (`=`) unless the comment says "adds to".
// Shapes are row-major and dense unless a leading dimension (`ld`) is named.
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef uint16_t ck_bf16;

#define CK_TYPED_KERNELS(T, S)                                                                      \
  /* y[rows,n] = x * rstd * weight; rstd[rows] = 1/sqrt(mean(x^2) + eps) */                         \
  void (*rms_norm_forward_##S)(const float *x, const float *weight, float eps, size_t rows,         \
                               size_t n, T *y, float *rstd);                                        \
  /* y[n] = (T) (x[n] * scale) */                                                                             \
  void (*narrow_##S)(const float *x, size_t n, float scale, T *y);                                            \
  /* y[n] = (float) x[n] */                                                                         \
  void (*widen_##S)(const T *x, size_t n, float *y);                                                \
  /* Rotates q and k of one segment (half-split pairs), multiplies q by `scale`, and splits         \
     qkv [rows, (heads + 2*kv)*dim] into q [heads, rows, dim] and                                   \
     k, v [kv, capacity, dim] of which the first `rows` rows of each head are written.              \
     cosine, sine: [rows, dim/2], of the segment's positions. */                                    \
  void (*rope_forward_##S)(const T *qkv, size_t rows, size_t heads, size_t kv, size_t dim,          \
                           const float *cosine, const float *sine, float scale, T *q, T *k, T *v,   \
                           size_t capacity);                                                        \
  /* The transpose of rope_forward: dq [heads, rows, dim], dk, dv [kv, rows, dim]                   \
     -> dqkv [rows, (heads + 2*kv)*dim]. */                                                         \
  void (*rope_backward_##S)(const T *dq, const T *dk, const T *dv, size_t rows, size_t heads,       \
                            size_t kv, size_t dim, const float *cosine, const float *sine,          \
                            float scale, T *dqkv);                                                  \
  /* scores [groups*queries, ld]: row g*queries+t sees the first `offset + t + 1` of `keys`.        \
     p [groups*queries, ld] = softmax, 0 where unseen; lse[groups*queries] = log-sum-exp. */        \
  void (*softmax_forward_##S)(const float *scores, size_t groups, size_t queries, size_t keys,      \
                              size_t ld, size_t offset, T *p, float *lse);                          \
  /* p = exp(scores - lse); ds = p * (dp - delta); both 0 where unseen. */                          \
  void (*softmax_backward_##S)(const float *scores, const float *dp, const float *lse,              \
                               const float *delta, size_t groups, size_t queries, size_t keys,      \
                               size_t ld, size_t offset, T *p, T *ds);                              \
  /* out, dout [rows, heads*dim] -> dense [heads, rows, dim] = dout by head,                        \
     delta [heads, rows] = sum over dim of out * dout. */                                           \
  void (*attention_delta_##S)(const T *out, const T *dout, size_t rows, size_t heads, size_t dim,   \
                              T *dense, float *delta);                                              \
  /* dense [heads, rows, dim] -> out [rows, heads*dim] */                                             \
  void (*merge_heads_##S)(const T *dense, size_t rows, size_t heads, size_t dim, T *out);           \
  /* gate_up [rows, 2n] = gate | up; act [rows, n] = silu(gate) * up */                             \
  void (*swiglu_forward_##S)(const T *gate_up, size_t rows, size_t n, T *act);                      \
  /* d_gate_up [rows, 2n] from gate_up and d_act [rows, n] */                                       \
  void (*swiglu_backward_##S)(const T *gate_up, const T *d_act, size_t rows, size_t n,              \
                              T *d_gate_up);                                                        \
  /* One vocabulary chunk of a softmax: logits [rows, columns]; per row chunk_max, and              \
     e [rows, ld] = exp(logits - chunk_max) unless e is NULL; running_max/running_sum are           \
     updated so that log-sum-exp = running_max + log(running_sum). */                               \
  void (*cross_entropy_chunk_##S)(const float *logits, size_t rows, size_t columns, T *e,           \
                                  size_t ld, float *chunk_max, float *running_max,                  \
                                  float *running_sum);                                              \
  /* e [rows, columns (ld)] *= factor[row] */                                                       \
  void (*scale_rows_##S)(T *e, size_t rows, size_t columns, size_t ld, const float *factor);

typedef struct {
  const char *instruction_set;
  CK_TYPED_KERNELS(float, f32)
  CK_TYPED_KERNELS(ck_bf16, bf16)
  /* Adds to dx [rows, n] the gradient of rms_norm with respect to x. */
  void (*rms_norm_backward)(const float *dy, const float *x, const float *weight, const float *rstd,
                            size_t rows, size_t n, float *dx);
  /* Copies `rows` runs of `bytes` bytes between places whose rows are so many bytes apart. */
  void (*copy_rows)(const void *source, size_t source_stride, void *destination,
                    size_t destination_stride, size_t rows, size_t bytes);
  /* y[n] += x[n] */
  void (*add)(const float *x, size_t n, float *y);
  /* Sum of squares, accumulated in double in an order fixed by n alone. */
  double (*sum_squares)(const float *x, size_t n);
  /* AdamW (Loshchilov and Hutter, arXiv 1711.05101, decoupled decay); g = grad * grad_scale;
     correction1 = 1 - beta1^t, correction2 = 1 - beta2^t. */
  void (*adamw)(float *param, const float *grad, float *m, float *v, size_t n, float rate,
                float beta1, float beta2, float epsilon, float decay, float grad_scale,
                float correction1, float correction2);
} ck_kernel_table;

/// The kernels for this processor; chosen once.
const ck_kernel_table *ck_kernels(void);

/// The kernels for a named instruction set ("base", "avx2", "avx512"), or NULL where this
/// processor or build lacks it. For tests that compare the variants.
const ck_kernel_table *ck_kernels_named(const char *instruction_set);

/// 1 where the processor multiplies bfloat16 in hardware (AVX512-BF16 or AMX), else 0.
int ck_has_fast_bfloat16(void);
