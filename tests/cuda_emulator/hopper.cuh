// kernels/cuda/hopper.cuh on the CPU: mbarriers, boxes that land, products of warpgroups.
//
// As the copies of device.cuh, boxes and products take effect as late as they may in the forward
// schedule, at once in the reverse one, by chance in the shuffled one. The engines have a view of
// dynamic shared memory of their own, which a thread's writes reach by FENCE_ASYNC alone.
#pragma once
#include "device.cuh"

typedef unsigned long long Word;

#define __grid_constant__
#define SWIZZLED_SHARED(type, name) \
  DYNAMIC_SHARED(type, name);       \
  if (reinterpret_cast<uintptr_t>(name) % 1024) emulator::fail("dynamic shared memory is no multiple of 1024 bytes")

constexpr int WARPGROUP = 128;

namespace emulator {

constexpr unsigned WINDOW = 1024;  // where shared memory begins, as on a GPU: address 0 is nobody's

inline bool at_once() { return launch_.schedule == REVERSE || (launch_.schedule == SHUFFLED && draw() % 2); }

inline std::vector<unsigned char>& seen() {  // by the engines
  auto& all = now->block->under_way.seen;
  if (all.empty()) all.assign(launch_.dynamic_bytes, 0xff);
  return all;
}

inline unsigned swizzled(unsigned address) { return address ^ (address >> 7 & 7) << 4; }

inline Phases& phases(const void* barrier) {
  auto& all = now->block->under_way.mbarriers;
  const auto found = all.find(barrier);
  if (found == all.end()) fail(where(*now) + " uses an mbarrier that nobody has initialised");
  return found->second;
}

inline void settle(Phases& phase) {
  if (phase.pending || phase.bytes) return;
  phase.pending = phase.expected;
  phase.count++;
}

inline void arrive(const void* barrier, int bytes, const char* name) {
  Phases& phase = phases(barrier);
  if (!phase.pending) fail(where(*now) + " arrives at " + name + " in a phase that expects no more");
  phase.bytes += bytes;
  phase.pending--;
  settle(phase);
}

// Let one of the boxes that a barrier counts land; return whether there was one.
inline bool land_one(const void* barrier) {
  auto& boxes = now->block->under_way.boxes;
  for (size_t i : order(boxes.size())) {
    if (boxes[i].barrier != barrier) continue;
    const Deed land = boxes[i].land;
    boxes.erase(boxes.begin() + i);
    land();
    return true;
  }
  return false;
}

inline void wait_phase(const void* barrier, unsigned parity, const char* name) {
  while ((phases(barrier).count & 1) == parity)
    if (!land_one(barrier)) wait_at(PAUSED, name);
}

}  // namespace emulator

inline unsigned shared_address(const void* shared) {
  const auto* p = static_cast<const unsigned char*>(shared);
  const auto* first = emulator::now->block->dynamic;
  if (p < first || p >= first + emulator::launch_.dynamic_bytes)
    emulator::fail(emulator::where(*emulator::now) + " takes an address that is not in dynamic shared memory");
  return unsigned(p - first) + emulator::WINDOW;
}

// ------------------------------------------------------------------------------------ mbarriers

struct alignas(8) Mbarrier { Word state; };

inline void initialise(Mbarrier* barrier, int arrivals) {
  auto& own = emulator::now->block->under_way;
  own.mbarriers[barrier] = {arrivals, arrivals};
  own.fenced = false;
}

#define FENCE_MBARRIERS(name) do { if (KEPT(name)) emulator::now->block->under_way.fenced = true; } while (0)
#define ARRIVE(name, barrier) do { if (KEPT(name)) emulator::arrive(barrier, 0, #name); } while (0)
#define ARRIVE_EXPECTING(name, barrier, bytes) \
  do { if (KEPT(name)) emulator::arrive(barrier, bytes, #name); } while (0)
#define WAIT_PHASE(name, barrier, parity) \
  do { if (KEPT(name)) emulator::wait_phase(barrier, parity, #name); } while (0)

// ---------------------------------------------------------------------------------- copy engine

struct alignas(64) TensorMap {  // emulate.py makes it of an array
  const unsigned char* array;
  long long columns, rows, matrices, box_columns, box_rows, element;  // the last in bytes
  long long unused[9];
};

namespace emulator {

inline void copy_box(void* shared, const TensorMap from, int column, int row, int matrix, const void* barrier) {
  const unsigned first = shared_address(shared);
  const long long pitch = from.columns * from.element;
  if (from.box_columns * from.element != 128) fail("the emulator copies boxes of rows of 128 bytes only");
  if (first % 128 || pitch % 16 || reinterpret_cast<uintptr_t>(from.array) % 16)
    fail(where(*now) + " copies a box from or to a misaligned address");
  if (first - WINDOW + 128 * from.box_rows > static_cast<long long>(launch_.dynamic_bytes))
    fail(where(*now) + " copies a box beyond the end of shared memory");
  if (!now->block->under_way.fenced) fail(where(*now) + " copies for an mbarrier that the engine may not see");
  phases(barrier);
  const auto land = [=] {
    unsigned char *shown = now->block->dynamic, *own = seen().data();
    for (long long r = row; r < row + from.box_rows; r++)
      for (long long c = column; c < column + from.box_columns; c++) {
        const unsigned place = (r - row) * 128 + (c - column) * from.element;
        const unsigned to = swizzled(first + place) - WINDOW;
        const auto within = [](long long x, long long size) { return x >= 0 && x < size; };
        const auto* place_of = from.array + (matrix * from.rows + r) * pitch + c * from.element;
        if (within(r, from.rows) && within(c, from.columns) && within(matrix, from.matrices))
          std::memcpy(own + to, place_of, from.element);
        else
          std::memset(own + to, 0, from.element);
        std::memcpy(shown + to, own + to, from.element);
      }
    Phases& phase = phases(barrier);
    phase.bytes -= 128 * from.box_rows;
    settle(phase);
  };
  if (at_once()) land();
  else now->block->under_way.boxes.push_back({barrier, land});
}

}  // namespace emulator

using emulator::copy_box;

// -------------------------------------------------------------------------- products of warpgroups

#define FENCE_ASYNC(name)                                                                                    \
  do {                                                                                                       \
    if (KEPT(name)) std::memcpy(emulator::seen().data(), emulator::now->block->dynamic, emulator::seen().size()); \
  } while (0)
#define FENCE_SUMS(name) do { if (KEPT(name)) emulator::now->under_way.fenced = true; } while (0)
#define COMMIT_PRODUCTS(name) do { if (KEPT(name)) commit_products(); } while (0)
#define WAIT_PRODUCTS(name, pending, sum) do { if (KEPT(name)) wait_products<pending>(sum); } while (0)

template <int COUNT> void keep_registers() {}
template <int COUNT> void take_registers() {}

inline void commit_products() {
  auto& groups = emulator::now->under_way.products;
  if (groups.empty()) groups.emplace_back();  // nothing is a group, too
  groups.emplace_back();
}

template <int PENDING, int COUNT> void wait_products(float (&)[COUNT]) {
  auto& own = emulator::now->under_way;
  auto& groups = own.products;
  while (groups.size() > PENDING + 1) {
    for (const emulator::Deed& product : groups.front()) product();
    groups.erase(groups.begin());
  }
  own.fenced = false;  // sums may be read and written from here on
  if (groups.size() > 1 || (groups.size() == 1 && !groups.front().empty())) return;
  for (const auto& [sum, values] : own.sums) std::copy(values.begin(), values.end(), sum);
  own.sums.clear();
}

namespace emulator {

struct Matrices { Word a, b; };

// Element `k` of a line of the matrix that a descriptor says (PTX ISA, "Canonical layouts").
template <typename Bits> Bits element(Word descriptor, bool along_k, unsigned line, unsigned k) {
  constexpr unsigned ROW = 128 / sizeof(Bits);
  const auto field = [&](int at) { return unsigned(descriptor >> at & 0x3fff) << 4; };
  const unsigned start = field(0), leading = field(16), stride = field(32);
  const unsigned offset = along_k ? line / 8 * stride + line % 8 * 128 + k * sizeof(Bits)
                                  : line / ROW * leading + k / 8 * stride + k % 8 * 128 + line % ROW * sizeof(Bits);
  const unsigned place = swizzled(start + offset) - WINDOW;
  if (place + sizeof(Bits) > launch_.dynamic_bytes) fail(where(*now) + " multiplies what is not in shared memory");
  return reinterpret_bits<Bits>(*reinterpret_cast<const Bits*>(seen().data() + place));
}

// This thread's sums of a product of 64 x K by K x N, K 32 bytes; in float64, rounded once.
template <typename Bits, unsigned N, typename Number>
void multiply_now(float* sum, Word a, Word b, bool a_along_k, bool b_along_k, Number number) {
  constexpr unsigned K = 32 / sizeof(Bits);
  const unsigned lane = now->number % 32, row = now->number % WARPGROUP / 32 * 16 + lane / 4;
  double left[2][K];
  for (unsigned half = 0; half < 2; half++)
    for (unsigned k = 0; k < K; k++) left[half][k] = number(element<Bits>(a, a_along_k, row + 8 * half, k));
  for (unsigned i = 0; i < N / 4; i++) {
    const unsigned column = i / 2 * 8 + lane % 4 * 2 + i % 2;
    double total[2] = {sum[i / 2 * 4 + i % 2], sum[i / 2 * 4 + 2 + i % 2]};
    for (unsigned k = 0; k < K; k++) {
      const double right = number(element<Bits>(b, b_along_k, column, k));
      for (unsigned half = 0; half < 2; half++) total[half] += left[half][k] * right;
    }
    for (unsigned half = 0; half < 2; half++) sum[i / 2 * 4 + 2 * half + i % 2] = float(total[half]);
  }
}

template <typename Bits, int COUNT, typename Number>
void multiply_async(float (&sum)[COUNT], Word a, Word b, bool a_along_k, bool b_along_k, const char* name,
                    Number number) {
  auto& own = now->under_way;
  const auto first = taken<Matrices>(exchange(WHOLE_WARP, Matrices{a, b}, name)[0]);
  if (first.a != a || first.b != b) fail(where(*now) + " multiplies other matrices than its warp");
  if (a >> 49 != 1 << 13 || b >> 49 != 1 << 13) fail("the emulator has matrices swizzled by 128 bytes only");
  if (!own.fenced) fail(where(*now) + " multiplies without a fence since it could touch its sums");
  if (own.products.empty()) own.products.emplace_back();
  if (!own.sums.count(sum)) own.sums[sum].assign(sum, sum + COUNT);
  std::fill(sum, sum + COUNT, std::nanf(""));
  const bool now_at_once = at_once();
  own.products.back().push_back([=, to = own.sums[sum].data()] {
    multiply_now<Bits, 2 * COUNT>(to, a, b, a_along_k, b_along_k, number);
  });
  if (!now_at_once) return;
  for (auto& group : own.products)  // in their order; their groups must still be closed and awaited
    for (Deed& product : group) std::exchange(product, [] {})();
}

}  // namespace emulator

#define MULTIPLY_ASYNC(function, number)                                                       \
  template <bool ALONG_A, bool ALONG_B, int COUNT>                                             \
  void function(float (&sum)[COUNT], Word a, Word b) {                                         \
    emulator::multiply_async<unsigned short>(sum, a, b, ALONG_A, ALONG_B, #function, number);  \
  }
MULTIPLY_ASYNC(multiply_async_fp16, half_value)
MULTIPLY_ASYNC(multiply_async_bf16, [](unsigned short bits) { return __uint_as_float(unsigned(bits) << 16); })

inline void multiply_async_tf32(float (&sum)[64], Word a, Word b) {
  emulator::multiply_async<unsigned>(sum, a, b, true, true, "multiply_async_tf32", [](unsigned bits) {
    return __uint_as_float(bits & 0xffffe000u);  // as in multiply_tf32
  });
}
