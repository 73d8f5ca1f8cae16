// What the kernels ask of the hardware beyond plain CUDA C, in one place, without NVIDIA's headers.
//
// tests/cuda_emulator/device.cuh offers the same functions on the CPU. A barrier, a wait or a
// boundary check that a kernel relies on has a name there: tests take it out and must then fail.
#pragma once

#define KEPT(name) true
#define BARRIER(name) __syncthreads()
#define CHECK(name, condition) (condition)

// Dynamic shared memory, aligned as 128-bit accesses and asynchronous copies need it.
#define DYNAMIC_SHARED(type, name)                       \
  extern __shared__ __align__(128) unsigned char name##_bytes[]; \
  type* name = reinterpret_cast<type*>(name##_bytes)

#define DEVICE __device__ __forceinline__

constexpr unsigned WHOLE_WARP = 0xffffffffu;

DEVICE unsigned shared_address(const void* shared) {
  return static_cast<unsigned>(__cvta_generic_to_shared(shared));
}

// --------------------------------------------------------------------- float16, by its bits

DEVICE unsigned short half_bits(float x) {
  unsigned short bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(x));
  return bits;
}

DEVICE float half_value(unsigned short bits) {
  float x;
  asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(bits));
  return x;
}

// ------------------------------------------------------------- asynchronous copies (from sm_80)

// Begin to copy BYTES (4, 8 or 16, and so aligned) to shared memory; zeros unless `inside`, and then
// `global` is not read.
template <int BYTES>
DEVICE void copy_async(void* shared, const void* global, bool inside) {
  const int from_memory = inside ? BYTES : 0;
  if (BYTES == 16) {  // past the first-level cache
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)),
                 "l"(global), "r"(from_memory)
                 : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(shared_address(shared)),
                 "l"(global), "n"(BYTES), "r"(from_memory)
                 : "memory");
  }
}

// Close the group of this thread's copies since the last group.
DEVICE void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Wait until all but the last PENDING groups of this thread's copies are there. Other threads see
// them after a barrier.
template <int PENDING>
DEVICE void wait_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
}
#define WAIT_COPIES(name, pending) wait_copies<pending>()

// ----------------------------------------------------------------------------- tensor cores

// Four 8x8 matrices of 16-bit elements; lane l has the address of row l % 8 of matrix l / 8, and gets
// two elements of each: row l / 4, columns 2 (l % 4) and the next; of the transposed ones if TURNED.
template <bool TURNED>
DEVICE void load_matrices(unsigned (&to)[4], const void* row) {
  if (TURNED) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(shared_address(row))
                 : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(shared_address(row))
                 : "memory");
  }
}

// sum += a b for bfloat16: a 16 x 16, b 16 x 8 (PTX ISA, "Matrix fragments for mma.m16n8k16").
DEVICE void multiply_bf16(float (&sum)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// The same for float16.
DEVICE void multiply_fp16(float (&sum)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// sum += a b for TF32, float32 with 10 bits of mantissa: a 16 x 8, b 8 x 8 (PTX ISA, m16n8k8).
DEVICE void multiply_tf32(float (&sum)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Round to TF32, to the nearest; the tensor cores themselves would cut the other bits off.
DEVICE unsigned to_tf32(float x) {
  unsigned rounded;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(rounded) : "f"(x));
  return rounded;
}

// ------------------------------------------------------------------------ clusters (from sm_90)

#define CLUSTER(blocks) __cluster_dims__(blocks, 1, 1)

DEVICE unsigned cluster_rank() {
  unsigned rank;
  asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
}

// Where block `rank` of the cluster has the shared variable that `mine` is in this block.
template <typename T>
DEVICE T* in_cluster(T* mine, unsigned rank) {
  unsigned long long there;
  asm volatile("mapa.u64 %0, %1, %2;" : "=l"(there) : "l"(mine), "r"(rank));
  return reinterpret_cast<T*>(there);
}

#define CLUSTER_BARRIER(name)                                                                      \
  asm volatile("barrier.cluster.arrive.release.aligned;\nbarrier.cluster.wait.acquire.aligned;" :: \
                   : "memory")
