// Small kernels on which the emulator itself is tested: each does one thing right or wrong.
#include "grid.cuh"

extern "C" {

__global__ void turn_round(const float* x, float* y, int n) {  // the last element of a block first
  __shared__ float tile[64];
  const int first = blockIdx.x * blockDim.x, here = first + threadIdx.x;
  tile[threadIdx.x] = CHECK(read_inside, here < n) ? x[here] : 0;
  BARRIER(tile_loaded);
  if (CHECK(written_inside, here < n)) y[here] = tile[blockDim.x - 1 - threadIdx.x];
}

__global__ void never_written(float* y) {  // the last element of shared memory is nobody's
  __shared__ float tile[64];
  if (threadIdx.x < 63) tile[threadIdx.x] = 1;
  __syncthreads();
  y[threadIdx.x] = tile[63 - threadIdx.x];
}

__global__ void divergent(float* y) {
  if (threadIdx.x < 32) { BARRIER(left); } else { BARRIER(right); }
  y[threadIdx.x] = 1;
}

__global__ void some_come(float* y) {
  while (threadIdx.x == 40 && y[0] == 7) __nanosleep(10);  // for something that does not happen
  if (threadIdx.x < 32) BARRIER(half);
  else __shfl_sync(WHOLE_WARP, 1.0f, 0);
  y[threadIdx.x] = 1;
}

__global__ void beyond(float* y, int by) { (y + by)[threadIdx.x] = 1; }

__global__ void beyond_shared(float* y, int by) {
  __shared__ float tile[64];
  tile[threadIdx.x + by] = 1;
  __syncthreads();
  y[threadIdx.x] = tile[threadIdx.x];
}

__global__ void wide_load(const float* x, float* y, int by) {
  const float4 four = *reinterpret_cast<const float4*>(x + by);
  y[threadIdx.x] = four.x + four.w;
}

struct Two {
  const float* from;
  float* to[2];
  long long size;
};

__global__ void to_both(const Two two, float factor) {
  if (CHECK(two_inside, threadIdx.x < two.size))
    for (int i = 0; i < 2; i++) two.to[i][threadIdx.x] = factor * two.from[threadIdx.x];
}

__global__ void warp_sums(const float* x, float* y, unsigned* votes) {
  float sum = x[threadIdx.x];
  for (int by = 16; by > 0; by /= 2) sum += __shfl_xor_sync(WHOLE_WARP, sum, by);
  const unsigned half = threadIdx.x % 32 < 16 ? 0x0000ffffu : 0xffff0000u;
  float prefix = x[threadIdx.x];
  for (int by = 1; by < 16; by *= 2) {
    const float before = __shfl_up_sync(half, prefix, by, 16);
    if (threadIdx.x % 16 >= by) prefix += before;
  }
  y[threadIdx.x] = sum;
  y[blockDim.x + threadIdx.x] = prefix;
  y[2 * blockDim.x + threadIdx.x] = __shfl_down_sync(WHOLE_WARP, x[threadIdx.x], 1);
  votes[threadIdx.x] = __ballot_sync(WHOLE_WARP, x[threadIdx.x] > 0);
}

__global__ void count_positive(const float* x, int* counts) {
  counts[threadIdx.x] = __syncthreads_count(x[threadIdx.x] > 0);
  atomicAdd(&counts[blockDim.x], x[threadIdx.x] > 0);
  atomicMax(&counts[blockDim.x + 1], int(threadIdx.x));
}

__global__ void by_async_copy(const float* x, float* y, int n) {  // two buffers, turned round
  DYNAMIC_SHARED(float, buffer);
  const int threads = blockDim.x, me = threadIdx.x, steps = n / threads;
  copy_async<4>(buffer + me, x + me, true);
  commit_copies();
  for (int i = 0; i < steps; i++) {
    const bool more = i + 1 < steps;
    copy_async<4>(buffer + (i + 1) % 2 * threads + me, x + (more ? (i + 1) * threads + me : 0), more);
    commit_copies();
    WAIT_COPIES(copied, 1);
    BARRIER(buffer_filled);
    y[i * threads + me] = buffer[i % 2 * threads + threads - 1 - me];
    BARRIER(buffer_read);
  }
}

__global__ void grid_sum(const float* x, float* parts, float* y, unsigned* counter) {
  __shared__ float mine;
  if (threadIdx.x == 0) mine = 0;
  BARRIER(zeroed);
  atomicAdd(&mine, x[blockIdx.x * blockDim.x + threadIdx.x]);
  BARRIER(added);
  if (threadIdx.x == 0) parts[blockIdx.x] = mine;
  GRID_BARRIER(parts_written, counter, 1);
  float sum = 0;
  for (int i = 0; i < gridDim.x; i++) sum += parts[i];
  if (threadIdx.x == 0) y[blockIdx.x] = sum;
}

__global__ void CLUSTER(4) neighbour(float* y) {  // each block reads what the next one has
  __shared__ float fixed[32];
  DYNAMIC_SHARED(float, given);
  fixed[threadIdx.x] = blockIdx.x;
  given[threadIdx.x] = 10 * blockIdx.x;
  CLUSTER_BARRIER(all_have_written);
  const unsigned next = (cluster_rank() + 1) % 4;
  const float sum = *in_cluster(&fixed[threadIdx.x], next) + *in_cluster(&given[threadIdx.x], next);
  CLUSTER_BARRIER(all_have_read);  // nobody ends while another still reads from it
  y[blockIdx.x * blockDim.x + threadIdx.x] = sum;
}

__global__ void one_product(const unsigned* a, const unsigned* b, float* y, int format) {
  const int lane = threadIdx.x, words = 8;  // of a row: 16 of 16 bits or 8 TF32
  const unsigned row = lane / 4, column = lane % 4;
  const unsigned left[4] = {a[row * words + column], a[(row + 8) * words + column],
                            a[row * words + column + 4], a[(row + 8) * words + column + 4]};
  const unsigned right[2] = {b[row * words + column], b[row * words + column + 4]};
  float sum[4] = {0, 0, 0, 0};
  if (format == 0) multiply_bf16(sum, left, right);
  if (format == 1) multiply_tf32(sum, left, right);
  if (format == 2) multiply_fp16(sum, left, right);
  for (int i = 0; i < 4; i++) y[(row + i / 2 * 8) * 8 + 2 * column + i % 2] = sum[i];
}

__global__ void halves(const float* x, unsigned short* bits, float* back) {
  bits[threadIdx.x] = half_bits(x[threadIdx.x]);
  back[threadIdx.x] = half_value(bits[threadIdx.x]);
}

__global__ void matrices(const unsigned short* x, unsigned* plain, unsigned* turned) {  // 32 rows of 8
  __shared__ unsigned short tile[32][8];
  for (int i = 0; i < 8; i++) tile[threadIdx.x][i] = x[threadIdx.x * 8 + i];
  __syncwarp();
  unsigned four[4];
  load_matrices<false>(four, tile[threadIdx.x]);
  for (int i = 0; i < 4; i++) plain[i * 32 + threadIdx.x] = four[i];
  load_matrices<true>(four, tile[threadIdx.x]);
  for (int i = 0; i < 4; i++) turned[i * 32 + threadIdx.x] = four[i];
}
}
