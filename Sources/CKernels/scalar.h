// Scalar helpers that vectorise: conversion to and from bfloat16, exp and maximum.
#pragma once
#include "CKernels.h"
#include <string.h>

#define CK_INLINE static inline __attribute__((always_inline))

CK_INLINE float ck_from_bits(uint32_t u) {
  float f;
  memcpy(&f, &u, 4);
  return f;
}
CK_INLINE uint32_t ck_bits(float f) {
  uint32_t u;
  memcpy(&u, &f, 4);
  return u;
}
CK_INLINE float ck_load_f32(float x) { return x; }
CK_INLINE float ck_load_bf16(ck_bf16 x) { return ck_from_bits((uint32_t)x << 16); }
CK_INLINE float ck_store_f32(float x) { return x; }
/// Rounds to nearest even. A NaN becomes a quiet NaN, because rounding could carry it to infinity.
CK_INLINE ck_bf16 ck_store_bf16(float x) {
  uint32_t u = ck_bits(x);
  uint32_t rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
  uint32_t quiet = (u >> 16) | 0x40u;
  return (ck_bf16)((u & 0x7fffffffu) > 0x7f800000u ? quiet : rounded);
}

/// exp(x) for float: x = n ln2 + r with |r| <= ln2 / 2, and a minimax polynomial of degree 6 in r. The
/// relative error is below 3e-7. Underflows to 0 below -87.3 and saturates above 88.
CK_INLINE float ck_exp(float x) {
  float clamped = x < -87.33f ? -87.33f : (x > 88.0f ? 88.0f : x);
  // Adding 1.5 * 2^23 puts the rounded integer into the low mantissa bits.
  float shifted = clamped * 1.44269504088896341f + 12582912.0f;
  float n = shifted - 12582912.0f;
  float r = clamped - n * 0.693359375f;
  r = r + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  uint32_t exponent = (ck_bits(shifted) - 0x4b400000u + 127u) << 23;
  float y = p * ck_from_bits(exponent);
  return x < -87.33f ? 0.0f : y;
}

CK_INLINE float ck_max16(const float *lanes) {
  float m = lanes[0];
  for (int l = 1; l < 16; l++) m = lanes[l] > m ? lanes[l] : m;
  return m;
}

/// The maximum of x[n], n >= 1. Sixteen lanes let the loop vectorise without assumptions about NaN.
CK_INLINE float ck_max(const float *x, size_t n) {
  float lanes[16];
  for (int l = 0; l < 16; l++) lanes[l] = x[0];
  size_t i = 0;
  for (; i + 16 <= n; i += 16)
    for (int l = 0; l < 16; l++) lanes[l] = x[i + l] > lanes[l] ? x[i + l] : lanes[l];
  for (; i < n; i++) lanes[0] = x[i] > lanes[0] ? x[i] : lanes[0];
  return ck_max16(lanes);
}
