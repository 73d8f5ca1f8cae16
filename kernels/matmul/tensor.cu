// y = f(a b + bias) on tensor cores: bfloat16, or float32 rounded to TF32 (10 bits of mantissa); sums
// are float32. For each batch a (M, K), b (K, N), y (M, N).
//
// A block of 8 warps computes 128 x 128, a warp 64 x 32 of it. Each step covers 64 bytes along K;
// asynchronous copies bring the tiles three steps ahead, past the registers, into a ring of STAGES.
//
// Counted: per block and step 16 KiB read, 2^19 FLOPs in TF32 and 2^20 in bfloat16: 32 and 64 FLOPs a
// byte. A warp loads 24 registers a lane for 16 products. Bound: the tensor cores' own rate of
// mma.sync (about 65 % of what wgmma reaches on sm_90), or memory when K is small.
//
// Left open: BF16, or else TF32; A_ALONG_K and B_ALONG_K, whether neighbours in memory are neighbours
// along K; WIDE, whether all rows begin at multiples of 16 bytes.
#include "bfloat16.cuh"
#include "device.cuh"
#include "epilogue.cuh"

#if BF16
typedef bfloat16 Element;
#else
typedef float Element;
#endif

constexpr int TILE = 128, THREADS = 256, STAGES = 4;
constexpr int CHUNK = 16 / sizeof(Element);  // elements of 16 bytes
constexpr int DEPTH = 4 * CHUNK;             // of a step along K
constexpr int PRODUCT = 2 * CHUNK;           // of one instruction along K
// Rows of an odd number of 16 bytes: eight of them fall into all 32 banks.
constexpr int PITCH_ALONG = DEPTH + CHUNK, PITCH_ACROSS = TILE + 8;

// Tiles of an operand in shared memory: (TILE, PITCH_ALONG) or, turned, (DEPTH, PITCH_ACROSS).
template <bool ALONG_K>
struct Operand {
  static constexpr int PITCH = ALONG_K ? PITCH_ALONG : PITCH_ACROSS;
  static constexpr int SIZE = ALONG_K ? TILE * PITCH : DEPTH * PITCH;
  static constexpr int ROW = ALONG_K ? DEPTH : TILE;  // elements of a row that are used

  // Begin to copy the tile at `first_line` and `first_k` of x (lines and K long).
  static DEVICE void copy(Element* tile, const Element* x, int first_line, int first_k, int lines, int K) {
    const long long pitch = ALONG_K ? K : lines;
    constexpr int EACH = WIDE ? CHUNK : 1;
#pragma unroll 4
    for (int i = threadIdx.x * EACH; i < TILE * DEPTH; i += THREADS * EACH) {
      const int row = i / ROW, column = i % ROW;
      const int line = first_line + (ALONG_K ? row : column), k = first_k + (ALONG_K ? column : row);
      const Element* from = x + (ALONG_K ? line * pitch + k : k * pitch + line);
      const bool inside = CHECK(line_inside, line < lines) && CHECK(k_inside, k < K);
      Element* to = tile + row * PITCH + column;
      if (EACH * sizeof(Element) >= 4)
        copy_async<EACH * sizeof(Element) >= 4 ? EACH * sizeof(Element) : 4>(to, from, inside);
      else
        *to = inside ? *from : Element(0);  // two bytes are too few for the copy engine
    }
  }
};

DEVICE void round_all(unsigned (&of)[4]) {
#if !BF16
#pragma unroll
  for (int i = 0; i < 4; i++) of[i] = to_tf32(__uint_as_float(of[i]));
#endif
}

// This lane's part of a 16 x PRODUCT matrix of a, at `line` and `k` of the tile.
DEVICE void load_a(unsigned (&to)[4], const Element* tile, int line, int k) {
  const int lane = threadIdx.x % 32, matrix = lane / 8;
  if (A_ALONG_K) {  // matrices: upper left, lower left, upper right, lower right
    load_matrices<false>(to, tile + (line + matrix % 2 * 8 + lane % 8) * PITCH_ALONG + k + matrix / 2 * CHUNK);
  } else if (BF16) {
    load_matrices<true>(to, tile + (k + matrix / 2 * 8 + lane % 8) * PITCH_ACROSS + line + matrix % 2 * 8);
  } else {
#pragma unroll
    for (int i = 0; i < 4; i++)
      to[i] = __float_as_uint(tile[(k + lane % 4 + i / 2 * 4) * PITCH_ACROSS + line + lane / 4 + i % 2 * 8]);
  }
  round_all(to);
}

// The same of two neighbouring PRODUCT x 8 matrices of b: to[0] and to[1] belong to the first.
DEVICE void load_b(unsigned (&to)[4], const Element* tile, int line, int k) {
  const int lane = threadIdx.x % 32, matrix = lane / 8;
  if (B_ALONG_K) {
    load_matrices<false>(to, tile + (line + matrix / 2 * 8 + lane % 8) * PITCH_ALONG + k + matrix % 2 * CHUNK);
  } else if (BF16) {
    load_matrices<true>(to, tile + (k + matrix % 2 * 8 + lane % 8) * PITCH_ACROSS + line + matrix / 2 * 8);
  } else {
#pragma unroll
    for (int i = 0; i < 4; i++)
      to[i] = __float_as_uint(tile[(k + lane % 4 + i % 2 * 4) * PITCH_ACROSS + line + lane / 4 + i / 2 * 8]);
  }
  round_all(to);
}

DEVICE void multiply(float (&sum)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
#if BF16
  multiply_bf16(sum, a, b);
#else
  multiply_tf32(sum, a, b);
#endif
}

// Write two neighbours of a row of y.
DEVICE void store(Element* y, int row, int column, int M, int N, float first, float second) {
  if (!CHECK(row_inside, row < M)) return;
  Element* to = y + static_cast<long long>(row) * N + column;
#if BF16
  const Element pair[2] = {to_bfloat16(first), to_bfloat16(second)};
#else
  const Element pair[2] = {first, second};
#endif
#pragma unroll
  for (int i = 0; i < 2; i++)
    if (CHECK(column_inside, column + i < N)) to[i] = pair[i];
}

extern "C" __global__ void __launch_bounds__(THREADS, 1)  // all registers: nothing is spilled
    matmul(const Element* __restrict__ a, const Element* __restrict__ b, const float* __restrict__ bias,
           Element* __restrict__ y, int M, int N, int K, long long a_batch, long long b_batch,
           int tiles_down, int activation) {
  typedef Operand<A_ALONG_K> A;
  typedef Operand<B_ALONG_K> B;
  DYNAMIC_SHARED(Element, tiles);
  Element* const tiles_b = tiles + STAGES * A::SIZE;
  const int row_0 = blockIdx.x % tiles_down * TILE, column_0 = blockIdx.x / tiles_down * TILE;
  a += blockIdx.z * a_batch;
  b += blockIdx.z * b_batch;
  y += blockIdx.z * (static_cast<long long>(M) * N);
  const int warp = threadIdx.x / 32, warp_row = warp / 4 * 64, warp_column = warp % 4 * 32;
  const int steps = (K + DEPTH - 1) / DEPTH;

  // Steps beyond the last copy nothing, but count: the wait is for all groups but the last few.
  auto begin = [&](int step) {
    const int stage = step % STAGES;
    if (step < steps) {
      A::copy(tiles + stage * A::SIZE, a, row_0, step * DEPTH, M, K);
      B::copy(tiles_b + stage * B::SIZE, b, column_0, step * DEPTH, N, K);
    }
    commit_copies();
  };
  for (int step = 0; step < STAGES - 1; step++) begin(step);

  float sum[4][4][4] = {};
  for (int step = 0; step < steps; step++) {
    WAIT_COPIES(tiles_landed, STAGES - 2);  // this thread's copies for this step are there ...
    // ... and after this everybody's; and all have left the stage of the step before, which the
    // next copies overwrite.
    BARRIER(stage_ready);
    begin(step + STAGES - 1);
    const Element *tile_a = tiles + step % STAGES * A::SIZE, *tile_b = tiles_b + step % STAGES * B::SIZE;
#pragma unroll
    for (int k = 0; k < DEPTH; k += PRODUCT) {
      unsigned left[4][4], right[2][4];
#pragma unroll
      for (int m = 0; m < 4; m++) load_a(left[m], tile_a, warp_row + 16 * m, k);
#pragma unroll
      for (int n = 0; n < 2; n++) load_b(right[n], tile_b, warp_column + 16 * n, k);
#pragma unroll
      for (int m = 0; m < 4; m++)
#pragma unroll
        for (int n = 0; n < 4; n++) {
          const unsigned pair[2] = {right[n / 2][n % 2 * 2], right[n / 2][n % 2 * 2 + 1]};
          multiply(sum[m][n], left[m], pair);
        }
    }
  }

  const int group = threadIdx.x % 32 / 4, member = threadIdx.x % 4;
  const float floor = floor_of<float>(activation);
#pragma unroll
  for (int n = 0; n < 4; n++) {
    const int column = column_0 + warp_column + 8 * n + 2 * member;
    float shift[2] = {0, 0};
#pragma unroll
    for (int i = 0; i < 2; i++)
      if (bias != nullptr && CHECK(bias_inside, column + i < N)) shift[i] = bias[column + i];
#pragma unroll
    for (int m = 0; m < 4; m++)
#pragma unroll
      for (int half = 0; half < 2; half++)
        store(y, row_0 + warp_row + 16 * m + group + 8 * half, column, M, N,
              cut_off(sum[m][n][2 * half] + shift[0], floor),
              cut_off(sum[m][n][2 * half + 1] + shift[1], floor));
  }
}
