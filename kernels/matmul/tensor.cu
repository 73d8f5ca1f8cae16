// y = f(a b + bias) on tensor cores: float16, bfloat16, or float32 as TF32 or in three products of
// TF32; sums are float32. For each batch a (M, K), b (K, N), y (M, N).
//
// A block of 8 warps computes 128 x 128, a warp 64 x 32 of it (tensor_tiles.cuh). Where y is small and
// K long, the blocks of one tile each take a range of K and write partial sums, in float32, that
// parts.cu adds in order: the bits are the same each time. All of K is one part where what comes next
// wants sums that are not rounded; then they have the bias.
//
// Counted: per block and step 16 KiB read, 2^19 FLOPs in TF32 and 2^20 in 16 bits: 32 and 64 FLOPs a
// byte. A warp loads 24 registers a lane for 16 products. Bound: the tensor cores' own rate of
// mma.sync (about 65 % of what wgmma reaches on sm_90, a third of it for three products), or memory
// when K is small.
//
// Left open: FORMAT; A_ALONG_K and B_ALONG_K, whether neighbours in memory are neighbours along K.
// `wide`: all rows begin at multiples of 16 bytes.
#include "epilogue.cuh"
#include "tensor_tiles.cuh"

// Begin to copy the tile at `first_line` and `first_k` of x, EACH elements at a time; x is `lines` and K
// long, and nothing is read from k = `end` on.
template <typename T, int EACH>
DEVICE void copy_tile(Element* tile, const Element* x, int first_line, int first_k, int lines, int K, int end) {
  const long long pitch = T::ALONG_K ? K : lines;
  constexpr int BYTES = EACH * sizeof(Element);
#pragma unroll 4
  for (int i = threadIdx.x * EACH; i < T::LINES * DEPTH; i += THREADS * EACH) {
    const int row = i / T::ROW, column = i % T::ROW;
    const int line = first_line + (T::ALONG_K ? row : column), k = first_k + (T::ALONG_K ? column : row);
    const Element* from = x + (T::ALONG_K ? line * pitch + k : k * pitch + line);
    const bool inside = CHECK(line_inside, line < lines) && CHECK(k_inside, k < end);
    Element* to = tile + row * T::PITCH + column;
    if (BYTES >= 4)
      copy_async<BYTES >= 4 ? BYTES : 4>(to, from, inside);
    else
      *to = inside ? *from : Element{};  // two bytes are too few for the copy engine
  }
}

extern "C" __global__ void __launch_bounds__(THREADS, 1)  // all registers: nothing is spilled
    matmul(const Element* __restrict__ a, const Element* __restrict__ b, const Element* __restrict__ bias,
           Element* __restrict__ y, float* __restrict__ parts, int M, int N, int K, int per_part,
           long long a_batch, long long b_batch, int tiles_down, int activation, int wide) {
  typedef Tile<A_ALONG_K, TILE_M> A;
  typedef Tile<B_ALONG_K, TILE_N> B;
  DYNAMIC_SHARED(Element, ring);
  const int row_0 = blockIdx.x % tiles_down * TILE_M, column_0 = blockIdx.x / tiles_down * TILE_N;
  const int first = blockIdx.y * per_part, end = min(K - first, per_part) + first;
  a += blockIdx.z * a_batch;
  b += blockIdx.z * b_batch;

  Sums sums;
  add_steps<A, B>(sums, ring, (end - first + DEPTH - 1) / DEPTH, [&](Element* tile_a, Element* tile_b, int step) {
    const int k = first + step * DEPTH;
    if (wide) {
      copy_tile<A, CHUNK>(tile_a, a, row_0, k, M, K, end);
      copy_tile<B, CHUNK>(tile_b, b, column_0, k, N, K, end);
    } else {
      copy_tile<A, 1>(tile_a, a, row_0, k, M, K, end);
      copy_tile<B, 1>(tile_b, b, column_0, k, N, K, end);
    }
  });

  const long long matrix = static_cast<long long>(M) * N;
  y += blockIdx.z * matrix;
  if (parts != nullptr) parts += (static_cast<long long>(blockIdx.y) * gridDim.z + blockIdx.z) * matrix;
  const float floor = floor_of<float>(activation);
#pragma unroll
  for (int n = 0; n < WARP_N / 8; n++)
#pragma unroll
    for (int i = 0; i < 2; i++) {
      const int column = column_0 + sums.column(n) + i;
      if (!CHECK(column_inside, column < N)) continue;
      const float shift = bias != nullptr ? to_float(bias[column]) : 0;
#pragma unroll
      for (int m = 0; m < WARP_M / 16; m++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
          const int row = row_0 + sums.row(m, half);
          if (!CHECK(row_inside, row < M)) continue;
          const long long at = static_cast<long long>(row) * N + column;
          const float sum = sums.of[m][n][2 * half + i] + shift;
          if (parts != nullptr) parts[at] = sum;
          else y[at] = to_element(cut_off(sum, floor));
        }
    }
}
