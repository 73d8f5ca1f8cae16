// What Hopper (sm_90a) offers beyond device.cuh: barriers in shared memory that count bytes (mbarrier),
// an engine that copies boxes of an array (TMA), products of tiles by four warps at once (wgmma).
//
// All of it is asynchronous, and what makes it safe has names that tests take out, as in device.cuh;
// tests/cuda_emulator/hopper.cuh is the same on the CPU. From the PTX ISA 9.0, chapters "mbarrier",
// "cp.async.bulk.tensor" and "Asynchronous Warpgroup Level Matrix Instructions".
#pragma once
#include "device.cuh"

typedef unsigned long long Word;

constexpr int WARPGROUP = 128;  // threads

// Dynamic shared memory for tiles that are swizzled: their pattern repeats every 1024 bytes.
#define SWIZZLED_SHARED(type, name)                               \
  extern __shared__ __align__(1024) unsigned char name##_bytes[]; \
  type* name = reinterpret_cast<type*>(name##_bytes)

// ------------------------------------------------------------------------------------ mbarriers

// Counts arrivals of threads and bytes of copies. A phase ends when all that it expects have come, and
// the next one begins; the first has parity 0.
struct Mbarrier {
  Word state;
};

DEVICE void initialise(Mbarrier* barrier, int arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(arrivals) : "memory");
}

// After it the copy engine sees mbarriers as this thread has initialised them.
#define FENCE_MBARRIERS(name) \
  asm volatile("fence.mbarrier_init.release.cluster;\nfence.proxy.async.shared::cta;" ::: "memory")

DEVICE void arrive(Mbarrier* barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier)) : "memory");
}
#define ARRIVE(name, barrier) arrive(barrier)

// Arrive, and have the phase wait for so many bytes of copies too.
DEVICE void arrive_expecting(Mbarrier* barrier, int bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)), "r"(bytes)
               : "memory");
}
#define ARRIVE_EXPECTING(name, barrier, bytes) arrive_expecting(barrier, bytes)

// Whether the phase of this parity has ended; it may sleep for a while before it says no.
DEVICE bool has_ended(Mbarrier* barrier, int parity) {
  unsigned ended;
  asm volatile(
      "{\n.reg .pred p;\nmbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\nselp.u32 %0, 1, 0, p;\n}"
      : "=r"(ended)
      : "r"(shared_address(barrier)), "r"(parity)
      : "memory");
  return ended;
}
#define WAIT_PHASE(name, barrier, parity) \
  do {                                    \
  } while (!has_ended(barrier, parity))

// ---------------------------------------------------------------------------------- copy engine

// An array as the engine sees it: matrices of rows, and how large a box is. The host makes it
// (tensor_map.py); a kernel takes it as `const __grid_constant__ TensorMap`.
struct alignas(64) TensorMap {
  Word words[16];
};

// Have the box at `row` and `column` of a matrix copied to shared memory, swizzled: of each 1024 bytes,
// 8 rows of 128, chunk c of 16 bytes in row r lands where chunk c ^ r would. What is outside of the
// matrix is 0. All bytes of the box count for the phase of `barrier`. One thread asks for all.
DEVICE void copy_box(void* shared, const TensorMap& from, int column, int row, int matrix, Mbarrier* barrier) {
  asm volatile(
      "cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3, %4}], "
      "[%5];" ::"r"(shared_address(shared)),
      "l"(&from), "r"(column), "r"(row), "r"(matrix), "r"(shared_address(barrier))
      : "memory");
}

// -------------------------------------------------------------------------- products of warpgroups

// What this thread has written to shared memory so far is seen by products (and copies) that are begun
// after a barrier: they read it past the path that its writes take.
#define FENCE_ASYNC(name) asm volatile("fence.proxy.async.shared::cta;" ::: "memory")

// The sums are as this thread left them, for the products that follow.
#define FENCE_SUMS(name) asm volatile("wgmma.fence.sync.aligned;" ::: "memory")

// Close the group of products since the last group.
#define COMMIT_PRODUCTS(name) asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory")

// Wait until all but the last PENDING groups are done. Only when none is left may sums be read.
template <int PENDING, int COUNT>
DEVICE void wait_products(float (&sum)[COUNT]) {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(PENDING) : "memory");
#pragma unroll
  for (int i = 0; i < COUNT; i++) asm volatile("" : "+f"(sum[i])::"memory");  // no read moves up
}
#define WAIT_PRODUCTS(name, pending, sum) wait_products<pending>(sum)

// Registers of each thread of this warpgroup from here on, a multiple of 8; others give them back first.
template <int COUNT>
DEVICE void keep_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(COUNT));
}
template <int COUNT>
DEVICE void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(COUNT));
}

#define SUMS_8(i)                                                                                 \
  "+f"(sum[i]), "+f"(sum[i + 1]), "+f"(sum[i + 2]), "+f"(sum[i + 3]), "+f"(sum[i + 4]),           \
      "+f"(sum[i + 5]), "+f"(sum[i + 6]), "+f"(sum[i + 7])
#define SUMS_64(i)                                                                                \
  SUMS_8(i), SUMS_8(i + 8), SUMS_8(i + 16), SUMS_8(i + 24), SUMS_8(i + 32), SUMS_8(i + 40),       \
      SUMS_8(i + 48), SUMS_8(i + 56)
#define NAMES_64                                                                                  \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, "  \
  "%24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, " \
  "%46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define NAMES_128                                                                                 \
  NAMES_64                                                                                        \
  ", %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, %80, %81, %82, %83, %84, %85, " \
  "%86, %87, %88, %89, %90, %91, %92, %93, %94, %95, %96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, " \
  "%107, %108, %109, %110, %111, %112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, "     \
  "%125, %126, %127"

// sum += a b, a 64 x 16, b 16 x N, both by their descriptors (swizzled.cuh). A thread has two neighbours
// of a row in sum[4 n] and sum[4 n + 1], and those of the row 8 further down in the next two: rows
// 16 (warp % 4) + lane / 4, columns 8 n + 2 (lane % 4).
#define MULTIPLY_ASYNC(function, TYPE, N, NAMES, SUMS, A, B, TURN_A, TURN_B)                           \
  template <bool ALONG_A, bool ALONG_B>                                                                \
  DEVICE void function(float (&sum)[N / 2], Word a, Word b) {                                          \
    asm volatile("wgmma.mma_async.sync.aligned.m64n" #N "k16.f32." TYPE "." TYPE " {" NAMES "}, " A    \
                 ", " B ", 1, 1, 1, " TURN_A ", " TURN_B ";"                                           \
                 : SUMS                                                                                \
                 : "l"(a), "l"(b), "n"(!ALONG_A), "n"(!ALONG_B)                                        \
                 : "memory");                                                                          \
  }
MULTIPLY_ASYNC(multiply_async_bf16, "bf16", 128, NAMES_64, SUMS_64(0), "%64", "%65", "%66", "%67")
MULTIPLY_ASYNC(multiply_async_fp16, "f16", 128, NAMES_64, SUMS_64(0), "%64", "%65", "%66", "%67")
#define SUMS_128 SUMS_64(0), SUMS_64(64)
MULTIPLY_ASYNC(multiply_async_bf16, "bf16", 256, NAMES_128, SUMS_128, "%128", "%129", "%130", "%131")
MULTIPLY_ASYNC(multiply_async_fp16, "f16", 256, NAMES_128, SUMS_128, "%128", "%129", "%130", "%131")

// The same for TF32: a 64 x 8, b 8 x 128, neighbours in memory are neighbours along K.
DEVICE void multiply_async_tf32(float (&sum)[64], Word a, Word b) {
  asm volatile("wgmma.mma_async.sync.aligned.m64n128k8.f32.tf32.tf32 {" NAMES_64 "}, %64, %65, 1, 1, 1;"
               : SUMS_64(0)
               : "l"(a), "l"(b)
               : "memory");
}
