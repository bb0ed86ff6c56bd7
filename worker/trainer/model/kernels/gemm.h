// A small matrix product for the insides of attention. Included once per instruction set (vec.h).
#pragma once

#include "worker/trainer/model/kernels/vec.h"

namespace vlm::trainer::VLM_KERNEL_NAMESPACE {

// What is multiplied from the left: element (i, k) is at[i * row + k * column].
struct Left {
  const float* at;
  int64_t row;
  int64_t column;
};

// C [R, N * kLanes] = (add ? C : 0) + A [R, depth] * B [depth, N * kLanes], all in registers.
template <int R, int N>
static inline void GemmTile(Left a, const float* b, int64_t ldb, float* c, int64_t ldc,
                            int64_t depth, bool add) {
  Vec sum[R][N];
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i) {
#pragma GCC unroll 2
    for (int n = 0; n < N; ++n) sum[i][n] = add ? Load(c + i * ldc + n * kLanes) : Vec{};
  }
  for (int64_t k = 0; k < depth; ++k) {
    Vec right[N];
#pragma GCC unroll 2
    for (int n = 0; n < N; ++n) right[n] = Load(b + k * ldb + n * kLanes);
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) {
      const Vec left = Splat(a.at[i * a.row + k * a.column]);
#pragma GCC unroll 2
      for (int n = 0; n < N; ++n) sum[i][n] += left * right[n];
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i) {
#pragma GCC unroll 2
    for (int n = 0; n < N; ++n) Store(c + i * ldc + n * kLanes, sum[i][n]);
  }
}

template <int R>
static void GemmRows(Left a, const float* b, int64_t ldb, float* c, int64_t ldc, int64_t depth,
                     int64_t width, bool add) {
  int64_t j = 0;
  for (; j + 2 * kLanes <= width; j += 2 * kLanes) {
    GemmTile<R, 2>(a, b + j, ldb, c + j, ldc, depth, add);
  }
  for (; j < width; j += kLanes) GemmTile<R, 1>(a, b + j, ldb, c + j, ldc, depth, add);
}

// C [rows, width] = (add ? C : 0) + A [rows, depth] * B [depth, width].
// REQUIRES: width is a multiple of kLanes (pad B and C).
static void Gemm(Left a, const float* b, int64_t ldb, float* c, int64_t ldc, int64_t rows,
                 int64_t depth, int64_t width, bool add) {
  constexpr int kRows = VLM_KERNEL_TILE_ROWS;
  int64_t i = 0;
  const auto at = [&](int64_t row) { return Left{a.at + row * a.row, a.row, a.column}; };
  for (; i + kRows <= rows; i += kRows) {
    GemmRows<kRows>(at(i), b, ldb, c + i * ldc, ldc, depth, width, add);
  }
  for (; i + 2 <= rows; i += 2) GemmRows<2>(at(i), b, ldb, c + i * ldc, ldc, depth, width, add);
  if (i < rows) GemmRows<1>(at(i), b, ldb, c + i * ldc, ldc, depth, width, add);
}

}  // namespace vlm::trainer::VLM_KERNEL_NAMESPACE
