// The kernels for x86-64 with AVX2 and FMA.
#if defined(__x86_64__)
#include <math.h>
#include <string.h>
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#define CK_SUFFIX avx2
#define CK_NAME "avx2"
#include "kernels_body.inc"
#pragma clang attribute pop
#endif
