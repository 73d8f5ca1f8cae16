// y = f(a b + bias) in registers: float32 or float64, for each batch a (M, K), b (K, N), y (M, N).
//
// A block computes a tile of y, TILE_M x TILE_N; its threads hold 8 x 8 sums each (4 x 4 in float64).
// Per step, TILE_K columns of a and rows of b go to shared memory, laid out with K outermost, so that
// a thread reads what it multiplies 128 bits at a time. While it multiplies, the next step's elements
// are on their way from memory to registers; two buffers need one barrier per step.
//
// Counted for 128 x 128 x 8 in float32, per block and step: 8 KiB read, 2^18 FLOPs, 32 FLOPs a byte
// from memory and L2; a thread does 64 multiply-adds per 4 loads of 128 bits. Bound for large
// matrices: the multiply-adds. Sums run over K in order: the result is the same each time. Where y is
// small and K long, blocks of one tile take a range of K each (if not WIDE), and y has a matrix of
// partial sums for each range, which parts.cu adds.
//
// Left open: SCALAR, TILE_M, TILE_N, TILE_K; A_ALONG_K and B_ALONG_K, whether neighbours in memory
// are neighbours along K; WIDE, whether all rows begin at multiples of 16 bytes.
#include "device.cuh"
#include "epilogue.cuh"

constexpr int PACK = 16 / sizeof(SCALAR);  // elements of one 128-bit access
constexpr int SIDE = 2 * PACK;             // a thread's sums are SIDE x SIDE: two packs each way
constexpr int ACROSS = TILE_N / SIDE, DOWN = TILE_M / SIDE, THREADS = ACROSS * DOWN;
constexpr int PITCH_A = TILE_M + PACK, PITCH_B = TILE_N + PACK;  // shifts banks, keeps alignment

struct alignas(16) Pack {
  SCALAR of[PACK];
};

// One pack of an operand; elements beyond its edges, and from k = `end` on, are 0. `line` counts rows of
// a or columns of b.
template <bool ALONG_K>
DEVICE Pack fetch(const SCALAR* x, int line, int k, int lines, int K, int end) {
  const long long pitch = ALONG_K ? K : lines;
  const SCALAR* from = x + (ALONG_K ? line * pitch + k : k * pitch + line);
  Pack pack = {};
  if (WIDE) {  // a whole pack is inside or outside
    if (CHECK(line_inside, line < lines) && CHECK(k_inside, k < end))
      pack = *reinterpret_cast<const Pack*>(from);
    return pack;
  }
#pragma unroll
  for (int i = 0; i < PACK; i++)
    if (CHECK(line_inside, line + (ALONG_K ? 0 : i) < lines) && CHECK(k_inside, k + (ALONG_K ? i : 0) < end))
      pack.of[i] = from[i];
  return pack;
}

// The operand's part of a tile, TILE_K x LINES, in registers on the way to shared memory.
template <bool ALONG_K, int LINES, int PITCH>
struct Part {
  static constexpr int COUNT = LINES * TILE_K / PACK / THREADS;  // packs of a thread
  static constexpr int PER_ROW = (ALONG_K ? TILE_K : LINES) / PACK;
  static_assert(COUNT * PACK * THREADS == LINES * TILE_K, "threads share the tile evenly");
  Pack packs[COUNT];

  DEVICE int line(int n) const {
    const int number = n * THREADS + threadIdx.x;
    return ALONG_K ? number / PER_ROW : number % PER_ROW * PACK;
  }
  DEVICE int k(int n) const {
    const int number = n * THREADS + threadIdx.x;
    return ALONG_K ? number % PER_ROW * PACK : number / PER_ROW;
  }
  DEVICE void load(const SCALAR* x, int first_line, int first_k, int lines, int K, int end) {
#pragma unroll
    for (int n = 0; n < COUNT; n++)
      packs[n] = fetch<ALONG_K>(x, first_line + line(n), first_k + k(n), lines, K, end);
  }
  DEVICE void store(SCALAR (*tile)[PITCH]) const {
#pragma unroll
    for (int n = 0; n < COUNT; n++) {
      if (ALONG_K) {
#pragma unroll
        for (int i = 0; i < PACK; i++) tile[k(n) + i][line(n)] = packs[n].of[i];
      } else {
        *reinterpret_cast<Pack*>(&tile[k(n)][line(n)]) = packs[n];
      }
    }
  }
};

// 512 threads on a multiprocessor hide each other's waiting: 128 registers each. Single elements need
// more registers for their addresses, and the compiler more for sm_100 and later.
#if __CUDA_ARCH__ >= 1000
constexpr int RESIDENT = 256;
#else
constexpr int RESIDENT = WIDE ? 512 : 384;
#endif

extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT / THREADS)
    matmul(const SCALAR* __restrict__ a, const SCALAR* __restrict__ b, const SCALAR* __restrict__ bias,
           SCALAR* __restrict__ y, int M, int N, int K, int per_part, long long a_batch,
           long long b_batch, int tiles_down, int activation) {
  __shared__ SCALAR tile_a[2][TILE_K][PITCH_A], tile_b[2][TILE_K][PITCH_B];
  const int row_0 = blockIdx.x % tiles_down * TILE_M, column_0 = blockIdx.x / tiles_down * TILE_N;
  // Wide tiles are for large y, whose sums are not split: they have no register left for it.
  const int first = WIDE ? 0 : blockIdx.y * per_part;
  const int end = WIDE ? K : min(K - first, per_part) + first;
  a += blockIdx.z * a_batch;
  b += blockIdx.z * b_batch;
  if (WIDE) y += blockIdx.z * (static_cast<long long>(M) * N);
  else y += (static_cast<long long>(blockIdx.y) * gridDim.z + blockIdx.z) * M * N;

  // A warp is 4 threads high and 8 wide: it reads 4 + 8 packs for its 32 x 64 multiply-adds.
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int ty = warp / (ACROSS / 8) * 4 + lane / 8, tx = warp % (ACROSS / 8) * 8 + lane % 8;

  SCALAR sum[SIDE][SIDE] = {};
  Part<A_ALONG_K, TILE_M, PITCH_A> next_a;
  Part<B_ALONG_K, TILE_N, PITCH_B> next_b;
  next_a.load(a, row_0, first, M, K, end);
  next_b.load(b, column_0, first, N, K, end);
  for (int k_0 = first, buffer = 0; k_0 < end; k_0 += TILE_K, buffer ^= 1) {
    next_a.store(tile_a[buffer]);
    next_b.store(tile_b[buffer]);
    // All elements must be there before they are read; and whoever is here has read the other
    // buffer, into which the next turn writes.
    BARRIER(tiles_stored);
    if (k_0 + TILE_K < end) {
      next_a.load(a, row_0, k_0 + TILE_K, M, K, end);
      next_b.load(b, column_0, k_0 + TILE_K, N, K, end);
    }
#pragma unroll
    for (int k = 0; k < TILE_K; k++) {
      Pack left[2], right[2];
#pragma unroll
      for (int half = 0; half < 2; half++) {  // the halves of a tile: neighbours read neighbours
        left[half] = *reinterpret_cast<Pack*>(&tile_a[buffer][k][half * TILE_M / 2 + ty * PACK]);
        right[half] = *reinterpret_cast<Pack*>(&tile_b[buffer][k][half * TILE_N / 2 + tx * PACK]);
      }
#pragma unroll
      for (int i = 0; i < SIDE; i++)
#pragma unroll
        for (int j = 0; j < SIDE; j++)
          sum[i][j] += left[i / PACK].of[i % PACK] * right[j / PACK].of[j % PACK];
    }
  }

  const SCALAR floor = floor_of<SCALAR>(activation);
  SCALAR shift[SIDE] = {};
#pragma unroll
  for (int j = 0; j < SIDE; j++) {
    const int column = column_0 + j / PACK * (TILE_N / 2) + tx * PACK + j % PACK;
    if (bias != nullptr && CHECK(bias_inside, column < N)) shift[j] = bias[column];
  }
#pragma unroll
  for (int i = 0; i < SIDE; i++) {
    const int row = row_0 + i / PACK * (TILE_M / 2) + ty * PACK + i % PACK;
    if (!CHECK(row_inside, row < M)) continue;
#pragma unroll
    for (int j = 0; j < SIDE; j += PACK) {
      const int column = column_0 + j / PACK * (TILE_N / 2) + tx * PACK;
      SCALAR* to = y + static_cast<long long>(row) * N + column;
      Pack pack;
#pragma unroll
      for (int l = 0; l < PACK; l++) pack.of[l] = cut_off(sum[i][j + l] + shift[j + l], floor);
      if (WIDE) {
        if (CHECK(column_inside, column < N)) *reinterpret_cast<Pack*>(to) = pack;
      } else {
#pragma unroll
        for (int l = 0; l < PACK; l++)
          if (CHECK(column_inside, column + l < N)) to[l] = pack.of[l];
      }
    }
  }
}
