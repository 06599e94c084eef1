// The kernels for x86-64 with AVX-512 (F, BW, DQ, VL).
#if defined(__x86_64__)
#include <math.h>
#include <string.h>
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), \
                             apply_to = function)
#define CK_SUFFIX avx512
#define CK_NAME "avx512"
#include "kernels_body.inc"
#pragma clang attribute pop
#endif
