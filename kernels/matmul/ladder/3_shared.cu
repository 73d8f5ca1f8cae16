// Step 3 of 7: a block reads a tile of a and of b into shared memory once, and uses it 32 times.
//
// Counted: 2 * 32 * 32 * 4 = 8 KiB per block and step of 32 along K, for 2 * 32^3 FLOPs: 8 FLOPs per
// byte from memory, 32 times those of step 2. Each multiply-add still reads two numbers from shared
// memory (one of them is the same for the whole warp). Bound: shared memory, at about an eighth of the
// arithmetic.
#include "device.cuh"

constexpr int TILE = 32;

extern "C" __global__ void __launch_bounds__(TILE * TILE)
    shared(const float* a, const float* b, float* y, int M, int N, int K) {
  __shared__ float tile_a[TILE][TILE], tile_b[TILE][TILE];
  const int tx = threadIdx.x % TILE, ty = threadIdx.x / TILE;
  const int row = blockIdx.y * TILE + ty, column = blockIdx.x * TILE + tx;
  float sum = 0;
  for (int k_0 = 0; k_0 < K; k_0 += TILE) {
    const bool a_inside = CHECK(row_inside, row < M) && CHECK(a_k_inside, k_0 + tx < K);
    const bool b_inside = CHECK(column_inside, column < N) && CHECK(b_k_inside, k_0 + ty < K);
    tile_a[ty][tx] = a_inside ? a[(long long)row * K + k_0 + tx] : 0;
    tile_b[ty][tx] = b_inside ? b[(long long)(k_0 + ty) * N + column] : 0;
    BARRIER(tiles_loaded);  // the whole tiles must be there before anyone reads a neighbour's element
    for (int k = 0; k < TILE; k++) sum += tile_a[ty][k] * tile_b[k][tx];
    BARRIER(tiles_used);  // nobody may load the next tiles while another still reads these
  }
  if (CHECK(y_inside, row < M && column < N)) y[(long long)row * N + column] = sum;
}
