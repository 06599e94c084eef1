// Selects the kernel table for the processor at run time.
#include "CKernels.h"
#include <string.h>

extern const ck_kernel_table ck_table_base;
#if defined(__x86_64__)
#include <cpuid.h>
extern const ck_kernel_table ck_table_avx2;
extern const ck_kernel_table ck_table_avx512;

static int has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
static int has_avx512(void) {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif

const ck_kernel_table *ck_kernels_named(const char *instruction_set) {
  if (strcmp(instruction_set, "base") == 0) return &ck_table_base;
#if defined(__x86_64__)
  if (strcmp(instruction_set, "avx2") == 0) return has_avx2() ? &ck_table_avx2 : NULL;
  if (strcmp(instruction_set, "avx512") == 0) return has_avx512() ? &ck_table_avx512 : NULL;
#endif
  return NULL;
}

const ck_kernel_table *ck_kernels(void) {
  const char *names[] = {"avx512", "avx2"};
  for (int i = 0; i < 2; i++) {
    const ck_kernel_table *table = ck_kernels_named(names[i]);
    if (table) return table;
  }
  return &ck_table_base;
}

int ck_has_fast_bfloat16(void) {
#if defined(__x86_64__)
  // CPUID leaf 7, sub-leaf 1: EAX bit 5 is AVX512_BF16; leaf 7, sub-leaf 0: EDX bit 22 is AMX-BF16.
  unsigned a, b, c, d;
  if (!has_avx512()) return 0;
  if (__get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 5 & 1)) return 1;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> 22 & 1)) return 1;
#endif
  return 0;
}
